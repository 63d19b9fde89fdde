"""Indices of ONNX files, which may count from the end: ONNX Runtime is the judge, of the module and of the session."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported, session
from onnx import TensorProto

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.frontends.imported_model import ImportFailed

X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
INT32, INT64 = TensorProto.INT32, TensorProto.INT64


def equal(given: onnx.ModelProto, *inputs: Any) -> netc.Model:
    """Compares on these inputs."""
    made = imported(given)
    compiled = netc.Model(made.program)
    wanted = session(given).run(None, dict(zip((i.name for i in given.graph.input), inputs, strict=True)))
    module = compiled.module(dict(made.weights)).eval()
    found = module(*map(torch.from_numpy, inputs))
    for own, other in zip(found if isinstance(found, tuple) else [found], wanted, strict=True):
        assert np.array_equal(own.detach().numpy(), other)
    again = compiled.session(dict(made.weights))(*inputs)
    for own, other in zip(again.values() if isinstance(again, dict) else [again], wanted, strict=True):
        assert np.array_equal(own, other)
    return compiled


@pytest.mark.parametrize("kind", [INT32, INT64], ids=["int32", "int64"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index", [-1, [0, -1], [[-3, 1], [2, -2]]], ids=str)
def test_gather(kind: int, axis: int, index: Any) -> None:
    dtype = np.int32 if kind == INT32 else np.int64
    array = np.array(index, dtype)
    given = model([node("Gather", ["x", "i"], ["y"], axis=axis)], {"x": ["N", 4, 5], "i": list(array.shape)}, ["y"], types={"i": kind})
    equal(given, X, array)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("index", [-1, [-1], [-2, -1], [0, -1], [-3], [[-1]], [[0, -2], [-1, 1]]], ids=str)
def test_gather_known_positions_of_an_axis_of_unknown_size(axis: int, index: Any) -> None:
    sizes = ["N", "A", "B"]
    equal(model([node("Gather", ["x", "i"], ["y"], axis=axis)], {"x": sizes}, ["y"], {"i": np.array(index, np.int64)}), X)


def test_gather_and_scatter_of_elements() -> None:
    index = np.array([[[-1, 0, 2, -4, 3]], [[1, -2, 0, 0, -1]], [[-3, -3, 2, 1, 0]]])
    shapes: Any = {"x": ["N", 4, 5], "i": ["N", 1, 5]}
    equal(model([node("GatherElements", ["x", "i"], ["y"], axis=1)], shapes, ["y"], types={"i": INT64}), X, index)
    scatter = node("ScatterElements", ["x", "i", "u"], ["y"], axis=1)
    update = np.ones((3, 1, 5), np.float32)
    equal(model([scatter], {**shapes, "u": ["N", 1, 5]}, ["y"], types={"i": INT64}), X, index, update)


def test_positions_that_cannot_be_negative_stay_as_they_are() -> None:
    """What an argmax gives, and what PyTorch's own operator would refuse too."""
    nodes = [
        node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        node("Cast", ["i"], ["j"], to=INT32),
        node("Gather", ["w", "j"], ["y"], axis=1),
    ]
    given = model(nodes, {"x": ["N", 4], "w": [2, 4]}, ["y"])
    assert "%" not in equal(given, X[:, :, 0], X[:2, :, 1]).spec()
    given = model([node("GatherElements", ["x", "i"], ["y"], axis=1)], {"x": ["N", 4], "i": ["N", 2]}, ["y"], types={"i": INT64})
    index = np.array([[0, 1], [2, 3], [3, 0]])
    assert "%" in equal(given, X[:, :, 0], index).spec()
    given.producer_name = "pytorch"
    assert "%" not in equal(given, X[:, :, 0], index).spec()


def test_results_that_may_be_negative_count_from_the_end() -> None:
    """The values of TopK, and a remainder with the sign of a negative divisor."""
    numbers = np.array([[-4, -1, -3, -2], [3, -2, -1, 0], [0, 1, -4, 2]])
    largest = node("TopK", ["i", "k"], ["j", "_"], axis=1)
    given = model([largest, node("GatherElements", ["x", "j"], ["y"], axis=1)], {"x": ["N", 4], "i": ["N", 4]}, ["y"], {"k": np.array([2])})
    given.graph.input[1].type.tensor_type.elem_type = INT64
    equal(given, X[:, :, 0], numbers)
    nodes = [node("Mod", ["i", "three"], ["j"]), node("GatherElements", ["x", "j"], ["y"], axis=1)]
    given = model(nodes, {"x": ["N", 4], "i": ["N", 4]}, ["y"], {"three": np.array(-3)})
    given.graph.input[1].type.tensor_type.elem_type = INT64
    equal(given, X[:, :, 0], numbers)


@pytest.mark.parametrize("k", [0, 1, -2, 9])
@pytest.mark.parametrize("element", [None, INT64, TensorProto.FLOAT])
def test_eye_like(k: int, element: int | None) -> None:
    eye = node("EyeLike", ["x"], ["e"], k=k, **({} if element is None else {"dtype": element}))
    nodes = [eye, node("Cast", ["e"], ["c"], to=TensorProto.FLOAT), node("Add", ["x", "c"], ["y"])]
    compiled = equal(model(nodes, {"x": ["N", 4]}, ["y"]), X[:, :, 0])
    assert "table" in compiled.spec()


def test_numbers_between_which_a_condition_chooses_are_no_parameters() -> None:
    """Optimizers make constants initializers, which are the parameters of a model otherwise."""
    nodes = [node("Less", ["x", "zero"], ["c"]), node("Where", ["c", "low", "high"], ["y"])]
    numbers = {"zero": np.float32(0), "low": np.float32(-np.inf), "high": np.float32(2)}
    given = model(nodes, {"x": ["N", 4]}, ["y"], numbers)
    assert not equal(given, X[:, :, 0]).parameters


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("values", [[0, 1], [2, -3], [-np.inf, 0]], ids=str)
@pytest.mark.parametrize("kind", [INT32, INT64, TensorProto.FLOAT], ids=["int32", "int64", "float"])
def test_one_hot_of_what_is_no_class(axis: int, values: list[float], kind: int) -> None:
    """An index that is beyond the classes has none, and one below 0 counts from the end."""
    index = np.array([[0, 2, 3, 7], [-1, -3, -4, 1], [2, -9, 5, 0]])
    dtype = {INT32: np.int32, INT64: np.int64}.get(kind, np.float32)
    constants = {"depth": np.array(3, dtype), "values": np.array(values, np.float32)}
    given = model([node("OneHot", ["i", "depth", "values"], ["y"], axis=axis)], {"i": ["N", 4]}, ["y"], constants, types={"i": kind})
    equal(given, index.astype(dtype))


@pytest.mark.parametrize("producer", ["", "pytorch"])
@pytest.mark.parametrize("depth", [np.array(3), np.float32(3), np.array([3], np.float32)], ids=["int", "float", "list"])
def test_one_hot_of_classes(producer: str, depth: Any) -> None:
    constants = {"depth": depth, "values": np.array([0, 1], np.float32)}
    kind = INT64 if depth.dtype == np.int64 else TensorProto.FLOAT  # ONNX Runtime has no kernel for other pairs
    given = model([node("OneHot", ["i", "depth", "values"], ["y"])], {"i": ["N", 4]}, ["y"], constants, types={"i": kind})
    given.producer_name = producer
    index = np.array([[0, 2, 1, 0], [1, 1, 2, 2]], depth.dtype)
    assert ("one_hot 3" in equal(given, index).spec()) is (producer == "pytorch")


@pytest.mark.parametrize("batch", [1, 2])
def test_gather_for_each_sample(batch: int) -> None:
    index = np.random.default_rng(0).integers(-2, 2, (2, 3, 4, 1 if batch == 2 else 2))
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(np.float32)
    shapes: Any = {"x": ["N", 3, 4, 5], "i": ["N", 3, 4, index.shape[-1]]}
    equal(model([node("GatherND", ["x", "i"], ["y"], batch_dims=batch)], shapes, ["y"], types={"i": INT64}), x, index)


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [-2, 1])
def test_scatter_into_a_cache(mode: str, axis: int) -> None:
    """NumPy is the judge, as ONNX Runtime has no kernel for it on all types."""
    cache, update = np.zeros((2, 6, 6, 3), np.float32), np.random.default_rng(0).standard_normal((2, 6, 2, 3)).astype(np.float32)
    update = update if axis == -2 else update.swapaxes(1, 2)
    starts = np.array([1, 5 if mode == "circular" else 4])
    shapes: Any = {"c": ["N", 6, 6, 3], "u": ["N", *update.shape[1:]], "i": ["N"]}
    given = model([node("TensorScatter", ["c", "u", "i"], ["y"], mode=mode, axis=axis)], shapes, ["y"], types={"i": INT64}, opset=24)
    wanted = cache.copy()
    for sample, start in enumerate(starts):
        for step in range(2):
            place: list[Any] = [sample, slice(None), slice(None), slice(None)]
            source = place.copy()
            place[axis % 4], source[axis % 4] = (start + step) % 6, step
            wanted[tuple(place)] = update[tuple(source)]
    compiled = netc.Model(imported(given).program)
    assert np.array_equal(compiled.session({})(cache, update, starts), wanted)
    assert np.array_equal(compiled.module({})(*map(torch.from_numpy, (cache, update, starts))).numpy(), wanted)


def test_parts_that_are_empty_are_joined_to_nothing() -> None:
    """A rotary embedding of all of a head leaves an empty rest, which exporters join with the result."""
    nodes = [
        node("Slice", ["x", "zero", "five", "two"], ["a"]),
        node("Slice", ["x", "five", "far", "two"], ["b"]),
        node("Split", ["a", "sizes"], ["c", "d", "e"], axis=1),
        node("Neg", ["e"], ["f"]),
        node("Concat", ["c", "d", "f"], ["g"], axis=1),
        node("Concat", ["g", "b"], ["y"], axis=2),
    ]
    constants = {
        "zero": np.array([0]),
        "five": np.array([5]),
        "two": np.array([2]),
        "far": np.array([2**31 - 1]),
        "sizes": np.array([1, 0, 3]),
    }
    compiled = equal(model(nodes, {"x": ["N", 4, 5]}, ["y"], constants), X)
    assert compiled.spec().count("concat") == 1


@pytest.mark.parametrize(("divisor", "count"), [(4, 0), (-4, 1)])
def test_remainders_have_the_sign_of_their_divisor(divisor: int, count: int) -> None:
    """Remainders by a positive number are indices without a further remainder."""
    nodes = [node("Mod", ["i", "d"], ["j"]), node("Gather", ["x", "j"], ["y"], axis=1)]
    given = model(nodes, {"x": ["N", 4, 5], "i": ["K"]}, ["y"], {"d": np.array(divisor)}, types={"i": INT64})
    compiled = equal(given, X, np.array([7, -3, 0, 4, -9]))
    assert write_program(compiled.program).count("%") == 1 + count


@pytest.mark.parametrize(("ratio", "stage"), [(0.4, "dropout 0.4"), (0.0, "")])
def test_dropout(ratio: float, stage: str) -> None:
    """Inference leaves it out, so no result shows its share: the text does."""
    given = model([node("Dropout", ["x", "r"], ["y"]), node("Relu", ["y"], ["z"])], {"x": ["N", 4, 5]}, ["z"], {"r": np.float32(ratio)})
    text = write_program(equal(given, X).program)
    assert ("dropout" in text, stage in text) == (bool(stage), True)


@pytest.mark.sample(2)
@pytest.mark.parametrize(("size", "step"), [("T", -2), (4, -1), *((size, step) for size in ("T", 4) for step in (-3, 1, 2))])
def test_slices_of_all_ends(size: int | str, step: int) -> None:
    """A start in front of the axis is the first element for a negative step too. A slice that is always empty may be refused. ONNX Runtime
    takes the greatest end for the end of a slice backwards, and the standard for its start."""
    starts = (-(2**63), -9, -4, -3, -1, 0, 1, 3, 4, 9, 2**63 - 1)
    xs = [np.arange(2 * n, dtype=np.float32).reshape(2, n) for n in ([4] if size == 4 else [1, 2, 3, 4, 5, 10])]
    for start, end in product(starts, starts if step > 0 else starts[:-1]):
        constants = {name: np.array([value]) for name, value in (("start", start), ("end", end), ("axis", 1), ("step", step))}
        given = model([node("Slice", ["x", *constants], ["y"])], {"x": ["N", size]}, ["y"], constants)
        judge = session(given)
        wanted = [judge.run(None, {"x": x})[0] for x in xs]
        try:
            made = imported(given)
        except ImportFailed:
            assert not any(y.size for y in wanted)
            continue
        module = netc.Model(made.program).module(dict(made.weights))
        for x, y in zip(xs, wanted, strict=True):
            np.testing.assert_array_equal(module(torch.from_numpy(x)).numpy(), y, err_msg=f"{start}:{end}")
