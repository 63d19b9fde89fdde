"""`Reshape` in ONNX files with a size that follows from the others, proved by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import netc
from netc.compiler.frontends.onnx import from_model
from tests.frontends.onnx_models import model, node


def imported(tmp_path: Path, made: onnx.ModelProto) -> netc.Model:
    """The model of a file, which is compared with what ONNX Runtime computes."""
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    return netc.from_onnx(path)


@pytest.mark.parametrize("sizes", [[0, -1, 4], [0, 0, -1, 4], [-1, 12], [0, -1]])
def test_reshape_with_a_size_that_follows(tmp_path: Path, sizes: list[int]) -> None:
    """`[0, -1, 4]` splits heads: one size in place of several, or several of one, is no reason to leave a stage out."""
    x = np.arange(120, dtype=np.float32).reshape(2, 5, 12)
    spec = imported(tmp_path, model([node("Reshape", ["x", "s"], ["y"])], {"x": ["N", 5, 12]}, ["y"], {"s": np.array(sizes)}))
    wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    result = spec.session()(x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, x.reshape(wanted))


@pytest.mark.parametrize("divisor", [2, -2, 3, 4])
def test_a_negative_size_is_divided_toward_zero(tmp_path: Path, divisor: int) -> None:
    """`(5 - 10) / 2` is -2 in ONNX, and -3 in Python. A Slice counts it from the end."""
    nodes = [
        node("Shape", ["x"], ["shape"], start=1),
        node("Sub", ["shape", "ten"], ["less"]),
        node("Div", ["less", "by"], ["ends"]),
        node("Slice", ["x", "zeros", "ends", "axes"], ["y"]),
    ]
    constants = {"ten": [10, 0], "by": [divisor, 1], "zeros": [0, 0], "axes": [1, 2]}
    made = model(nodes, {"x": ["N", 5, "W"]}, ["y"], {name: np.array(items) for name, items in constants.items()})
    x = np.arange(70, dtype=np.float32).reshape(2, 5, 7)
    result = imported(tmp_path, made).session()(x)
    np.testing.assert_array_equal(result, onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0])


RESHAPED = [((1, 6), (0, 2, 3)), ((1, 6), (0, 6)), ((3, 1, 2), (0, 3, 2)), ((3, 2), (0, 1, 3, 2)), ((1, 1, 4), (0, 2, 2))]
RESHAPED += [((2, 3, 1), (0, 6, 1))]


@pytest.mark.parametrize(("shape", "sizes"), RESHAPED)
def test_reshape_of_axes_of_size_1(tmp_path: Path, shape: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    """An axis of size 1 is removed, is added, or is split or joined with others: of these, only the first two are a squeeze."""
    x = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    spec = imported(tmp_path, model([node("Reshape", ["x", "s"], ["y"])], {"x": ["N", *shape]}, ["y"], {"s": np.array(sizes)}))
    result = spec.session()(x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, x.reshape((2, *sizes[1:])))


SLICES = ((0, 2, 1), (-100, 2, 1), (1, -1, 1), (1, -100, 1), (0, 2**31, 2), (2, 0, -1), (2, -3, -1), (2, -4, -1), (-1, -(2**63), -1))
SLICES += ((100, -4, -2), (1, -100, -1))


@pytest.mark.parametrize(("start", "end", "step"), SLICES)
@pytest.mark.sample(3)
def test_slice_of_a_shape(tmp_path: Path, start: int, end: int, step: int) -> None:
    """`Slice` clamps its ends as Python does: one in front of the first item lets a negative step take the first item too."""
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    constants = {"start": [start], "end": [end], "axes": [0], "step": [step], "rest": [-1]}
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape", "start", "end", "axes", "step"], ["part"]),
        node("Concat", ["part", "rest"], ["sizes"], axis=0),
        node("Reshape", ["x", "sizes"], ["y"]),
    ]
    made = model(nodes, {"x": ["N", 3, 4]}, ["y"], {name: np.array(value) for name, value in constants.items()})
    result = imported(tmp_path, made).session()(x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, x.reshape((*x.shape[start:end:step], -1)))


@pytest.mark.parametrize("source", ["sizes", "numbers"])
@pytest.mark.parametrize(("start", "end"), [(-9, -10), (-9, -(2**63)), (-5, -4), (-4, -9), (-3, 0)])
def test_a_slice_backwards_from_in_front_of_the_axis(tmp_path: Path, start: int, end: int, source: str) -> None:
    """The first element is taken, as in ONNX Runtime; Python would take none."""
    constants = {"known": [2, 3, 4], "start": [start], "end": [end], "axis": [0], "step": [-1], "rest": [-1]}
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape" if source == "sizes" else "known", "start", "end", "axis", "step"], ["part"]),
        node("Concat", ["part", "rest"], ["sizes"], axis=0),
        node("Reshape", ["x", "sizes"], ["y"]),
    ]
    made = model(nodes, {"x": ["N", 3, 4]}, ["y"], {name: np.array(value) for name, value in constants.items()})
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    wanted = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(imported(tmp_path, made).module()(torch.from_numpy(x)).numpy(), wanted)


def test_an_upper_bound_that_is_assumed(tmp_path: Path) -> None:
    """A tensor that is filled up to a size has at most that size, which is a bound on T and not on -T."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["t"]),
        node("Sub", ["most", "t"], ["missing"]),
        node("Concat", ["zeros", "missing"], ["pads"], axis=0),
        node("Pad", ["x", "pads"], ["y"], mode="reflect"),
    ]
    constants = {"one": np.array([1]), "most": np.array([12]), "zeros": np.array([0, 0, 0])}
    notes = from_model(model(nodes, {"x": ["N", "T"]}, ["y"], constants)).notes
    assert any("T <= 12" in note for note in notes), notes
    assert not any("-T" in note for note in notes)


@pytest.mark.parametrize(("shape", "where"), [(["N", 1, "T"], "N >= 2, T >= 2"), ([1, 3, 1], "")])
def test_squeeze_without_axes(tmp_path: Path, shape: list[int | str], where: str) -> None:
    """It removes an axis of unknown size if that is 1: so the spec refuses 1."""
    spec = imported(tmp_path, model([node("Squeeze", ["x"], ["y"])], {"x": shape}, ["y"]))
    (line,) = [line for line in spec.spec().splitlines() if line.startswith("x = input")]
    assert line.partition(" where ")[2] == where
    x = np.ones([size if isinstance(size, int) else 2 for size in shape], np.float32)
    result = spec.session()(x)
    assert isinstance(result, np.ndarray)
    assert result.shape == x.squeeze().shape


@pytest.mark.parametrize("divisor", [2, 3])
def test_a_negative_size_that_is_divided(tmp_path: Path, divisor: int) -> None:
    """ONNX rounds it towards 0, and `//` down."""
    nodes = [
        node("Shape", ["x"], ["size"], start=1, end=2),
        node("Neg", ["size"], ["negative"]),
        node("Div", ["negative", "by"], ["quotient"]),
        node("Sub", ["quotient", "one"], ["start"]),
        node("Slice", ["x", "start", "end", "one"], ["y"]),
    ]
    constants = {"by": np.array([divisor]), "one": np.array([1]), "end": np.array([2**31])}
    made = imported(tmp_path, model(nodes, {"x": ["N", "T"]}, ["y"], constants)).module()
    for length in range(1, 12):
        x = np.arange(2 * length, dtype=np.float32).reshape(2, length)
        np.testing.assert_array_equal(made(torch.from_numpy(x)).numpy(), x[:, -(length // divisor) - 1 :])


def test_an_exact_quotient_of_a_negative_size_comes_back(tmp_path: Path) -> None:
    text = "x = input [T, 4] where T % 2 == 0\nx -> slice 1 (-T / 2 - 1)\n"
    netc.compile(text).save(tmp_path / "m.onnx")
    assert netc.from_onnx(tmp_path / "m.onnx").spec().endswith(text)


SPECIFIC = [
    ((2, 3, 5), (0, 6, 5), "y = x -> flatten end=2"),
    ((6, 5), (0, 2, 3, 5), "y = x -> unflatten 1 [2, 3]"),
    ((1, 3, 1), (0, 3, 1), "y = x -> squeeze [1]"),
    ((1, 3, 1), (0, 1, 3), "y = x -> squeeze [3]"),
    ((3, 5), (0, 3, 5, 1), "y = x -> unsqueeze 3"),
    ((6, 5), (0, 5, 6), "y = x -> reshape [N, 5, 6]"),
]


@pytest.mark.parametrize(("shape", "sizes", "stage"), SPECIFIC)
def test_a_reshape_is_the_most_specific_stage(tmp_path: Path, shape: tuple[int, ...], sizes: tuple[int, ...], stage: str) -> None:
    """ONNX Runtime's result is compared by the import."""
    given = model([node("Reshape", ["x", "s"], ["y"])], {"x": ["N", *shape]}, ["y"], {"s": np.array(sizes)})
    assert imported(tmp_path, given).spec().splitlines()[-1] == stage


@pytest.mark.parametrize("axes", [[0], [-2]])
def test_amounts_of_padding_that_are_rearranged(tmp_path: Path, axes: list[int]) -> None:
    """PyTorch's older exporter turns the pairs of an F.pad around, from the last axis to the first."""
    nodes = [
        node("Shape", ["x"], ["shape"], start=1, end=2),
        node("Neg", ["shape"], ["minus"]),
        node("Mod", ["minus", "four"], ["rest"]),
        node("Concat", ["zeros", "zero", "rest", "zeros"], ["pairs"], axis=0),
        node("Reshape", ["pairs", "two"], ["rows"]),
        node("Slice", ["rows", "last", "first", "axes", "last"], ["turned"]),
        node("Transpose", ["turned"], ["columns"], perm=[1, 0]),
        node("Reshape", ["columns", "last"], ["amounts"]),
        node("Pad", ["x", "amounts"], ["y"]),
    ]
    constants = {"four": np.array([4]), "zeros": np.array([0, 0]), "zero": np.array([0]), "two": np.array([-1, 2]), "axes": np.array(axes)}
    constants |= {"last": np.array([-1]), "first": np.array([-(2**63) + 1])}
    made = model(nodes, {"x": ["N", "T", 3]}, ["y"], constants)
    spec = imported(tmp_path, made)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    for sizes in ((2, 5), (1, 8), (3, 1)):
        x = np.random.default_rng(0).normal(size=(*sizes, 3)).astype(np.float32)
        result = spec.session()(x)
        assert isinstance(result, np.ndarray)
        np.testing.assert_array_equal(result, session.run(None, {"x": x})[0])
