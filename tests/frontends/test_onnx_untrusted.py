"""Files that come from anyone: what is wrong with them is said, and nothing outside of them is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto, external_data_helper, helper, numpy_helper

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_file, from_model, read_whole

RELU = model([node("Relu", ["x"], ["y"])], {"x": ["N", 3]}, ["y"])


def refused(given: onnx.ModelProto | Path, **options: object) -> str:
    with pytest.raises(ImportFailed) as caught:
        from_file(given, **options) if isinstance(given, Path) else from_model(given, **options)  # type: ignore[arg-type]
    return "; ".join(f"{o.what} {o.why} {o.help}" for o in caught.value.obstacles)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "none.onnx")


def test_a_folder(tmp_path: Path) -> None:
    assert "is no regular file" in refused(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"hello", RELU.SerializeToString()[:-20], b"\x08" * 10_000])
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    assert refused(path)


def test_every_truncation_and_many_changed_bytes(tmp_path: Path) -> None:
    """An error of ours, or a model; nothing else."""
    whole = bytearray(
        model([node("Gemm", ["x", "w"], ["y"])], {"x": ["N", 3]}, ["y"], {"w": np.ones((3, 4), np.float32)}).SerializeToString()
    )
    path = tmp_path / "x.onnx"
    generator = np.random.default_rng(0)
    for at in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[at] = int(generator.integers(256))
        for data in (bytes(whole[:at]), bytes(changed)):
            path.write_bytes(data)
            try:
                from_file(path)
            except ImportFailed as failed:
                assert failed.obstacles  # noqa: PT017


def test_cycles() -> None:
    assert "is part of a cycle" in refused(model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], {"x": [2]}, ["b"]))


def test_a_name_that_nothing_makes() -> None:
    assert "made nowhere" in refused(model([node("Add", ["x", "w"], ["y"])], {"x": [2]}, ["y"]))


def test_a_function_that_calls_itself() -> None:
    given = model([helper.make_node("F", ["x"], ["y"], domain="own")], {"x": [2]}, ["y"])
    body = [helper.make_node("F", ["a"], ["b"], domain="own")]
    given.functions.append(helper.make_function("own", "F", ["a"], ["b"], body, [helper.make_opsetid("own", 1)]))
    assert "deep in each other" in refused(given)


def external(location: str) -> onnx.ModelProto:
    given = model([node("Add", ["x", "w"], ["y"])], {"x": ["N", 4]}, ["y"], {"w": np.arange(4, dtype=np.float32)})
    external_data_helper.set_external_data(given.graph.initializer[0], location)
    given.graph.initializer[0].ClearField("raw_data")
    return given


def test_external_data(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = tmp_path / "x.onnx"
    path.write_bytes(external("data.bin").SerializeToString())
    made = same(path)
    assert list(made.weights["w"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link.bin", "", "sub/../../secret.bin", "x\0y", "none.bin", "."])
def test_external_data_elsewhere(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\0" * 16)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = folder / "x.onnx"
    path.write_bytes(external(location).SerializeToString())
    assert "no file in the folder of the model" in refused(path)


@pytest.mark.parametrize("text", ["", " 4", "+4", "4_0", "\u0664", "-0", "0x4", "9" * 5000])
@pytest.mark.parametrize("key", ["offset", "length"])
def test_external_data_at_no_number_of_bytes(tmp_path: Path, key: str, text: str) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0" * 64)
    given = external("data.bin")
    del given.graph.initializer[0].external_data[1:]
    given.graph.initializer[0].external_data.add(key=key, value=text)
    path = tmp_path / "x.onnx"
    path.write_bytes(given.SerializeToString())
    assert "cannot be read" in refused(path)


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_external_data_behind_a_link(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    (tmp_path / "other.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    link(tmp_path / "data.bin", tmp_path / "other.bin")
    path = tmp_path / "x.onnx"
    path.write_bytes(external("data.bin").SerializeToString())
    [tensor] = read_whole(path).graph.initializer
    assert numpy_helper.to_array(tensor).tolist() == [0, 1, 2, 3]
    assert netc.from_onnx(path, outputs=["y"]).weights["w"].tolist() == [0, 1, 2, 3]


def test_external_data_of_a_model_in_memory() -> None:
    assert "not known where that is" in refused(external("data.bin"))


def test_external_data_that_is_too_short(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0" * 8)
    path = tmp_path / "x.onnx"
    path.write_bytes(external("data.bin").SerializeToString())
    assert "which is not so" in refused(path)


def test_gigantic_tensors() -> None:
    given = model([node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.zeros(4, np.float32)})
    given.graph.initializer[0].dims[:] = [2**40, 2**20]
    assert "with 4 numbers" in refused(given)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", ["big"], ["c"]), node("Add", ["x", "c"], ["y"])],
        [node("Expand", ["one", "big"], ["c"]), node("Add", ["x", "c"], ["y"])],
        [node("Tile", ["one", "big"], ["c"]), node("Add", ["x", "c"], ["y"])],
        [node("Range", ["from", "to", "by"], ["c"]), node("Cast", ["c"], ["d"], to=1), node("Add", ["x", "d"], ["y"])],
    ],
)
def test_gigantic_results(nodes: list[onnx.NodeProto]) -> None:
    numbers = {
        "big": np.array([2**24, 2**24]),
        "one": np.ones((1, 1), np.float32),
        "from": np.array(0),
        "to": np.array(2**50),
        "by": np.array(1),
    }
    assert "elements" in refused(model(nodes, {"x": [1, 1]}, ["y"], numbers))


NAMES = [
    "../x",
    "a'b",
    'a"b',
    "a\nb",
    "__import__('os')",
    "",
    "训练",
    "training",
    "a" * 10_000,
    "x.y.z",
    "/",
    "..",
    "self.weight",
    "class.weight",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_never_become_more_than_names(name: str) -> None:
    """Of a weight, an input, a node and an output."""
    given = model(
        [node("MatMul", ["x" + name, name + ".w"], ["h"], name=name), node("Relu", ["h"], [name + "_out"], name=name + "/r")],
        {"x" + name: [name, 3]},
        [name + "_out"],
        {name + ".w": np.ones((3, 2), np.float32)},
    )
    made = from_model(given)
    module = netc.Model(made.program).module(dict(made.weights))
    assert {key.rpartition(".")[2] for key in module.state_dict()} == {"weight"}


def test_strings_and_sequences() -> None:
    strings = model([node("Identity", ["x"], ["y"])], {"x": [2]}, ["y"], types={"x": TensorProto.STRING})
    assert "netc has no tensors of string" in refused(strings)
    sequence = model(
        [node("SequenceConstruct", ["x", "x"], ["s"]), node("SequenceAt", ["s", "i"], ["y"])], {"x": [2]}, ["y"], {"i": np.array(0)}
    )
    assert "works on sequences of tensors" in refused(sequence)


def test_all_obstacles_are_found_at_once() -> None:
    nodes = [
        node("Det", ["x"], ["a"]),
        node("NonZero", ["x"], ["b"]),
        node("Loop", ["", "", "x"], ["c"]),
        node("Foo", ["a"], ["d"], domain="own"),
    ]
    given = model([*nodes, node("Sum", ["c", "d"], ["y"])], {"x": [2, 2]}, ["y", "b"])
    text = refused(given)
    assert all(word in text for word in ("Det", "NonZero", "Loop", "Foo"))


def test_a_condition_on_data_suggests_to_fix_it() -> None:
    branches = {
        f"{n}_branch": helper.make_graph([node(op, ["x"], [n])], n, [], [onnx.ValueInfoProto(name=n)])
        for n, op in (("then", "Relu"), ("else", "Neg"))
    }
    nodes = [node("Equal", ["sr", "c"], ["b"]), node("If", ["b"], ["y"], **branches)]
    given = model(nodes, {"x": ["N", 4], "sr": []}, ["y"], {"c": np.array(16000)}, types={"sr": TensorProto.INT64})
    assert "`--set sr=...`" in refused(given)
    assert [n.op.name for n in from_model(given, fixed={"sr": 16000}).program.main.nodes] == ["relu"]  # type: ignore[union-attr]
    assert [n.op.name for n in from_model(given, fixed={"sr": 8000}).program.main.nodes] == ["neg"]  # type: ignore[union-attr]
    assert "is no input and no size" in refused(given, fixed={"sr": 1, "rate": 2})
    assert "is no int64" in refused(given, fixed={"sr": "high"})


def test_quantized_graphs() -> None:
    numbers = {"w": np.array([[-2, 4]], np.int8), "s": np.array(0.5, np.float32), "z": np.array(0, np.int8)}
    given = model([node("DequantizeLinear", ["w", "s", "z"], ["f"]), node("MatMul", ["x", "f"], ["y"])], {"x": ["N", 1]}, ["y"], numbers)
    assert "quantized numbers" in refused(given)
    made = same(given, dequantize=True)
    assert [a.tolist() for a in made.weights.values()] == [[[-1.0], [2.0]]]


@pytest.mark.parametrize(
    "broken",
    [
        node("Transpose", ["x"], ["y"], perm=[0, 1, 5]),
        node("Concat", ["x", "x"], ["y"], axis="first"),
        node("Unsqueeze", ["x"], ["y"], axes=[2**63 - 1]),
        node("Conv", ["x", "w"], ["y"], strides=7),
        node("Split", ["x"], ["y", "z"], axis=[1, 2]),
        node("Gemm", ["x", "w"], ["y"], alpha=[1.0]),
        node("Resize", ["x", "", "w"], ["y"]),
        node("Softmax", ["x"], ["y"], axis=RELU.graph),
    ],
    ids=lambda broken: str(broken.op_type),
)
def test_a_node_whose_attributes_do_not_fit_is_an_obstacle(broken: onnx.NodeProto) -> None:
    assert refused(model([broken], {"x": ["N", 3]}, ["y"], {"w": np.ones((3, 4), np.float32)}, opset=11))


def test_an_index_beyond_a_shape() -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "five"], ["d"]), node("Reshape", ["x", "d"], ["y"])]
    assert "Gather has attributes or inputs that do not fit it" in refused(model(nodes, {"x": ["N", 3]}, ["y"], {"five": np.array([5])}))


@pytest.mark.parametrize("element", [TensorProto.UINT4, TensorProto.INT4, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT4E2M1])
def test_cast_like_of_an_element_type_that_netc_does_not_have(element: int) -> None:
    given = model([node("CastLike", ["x", "t"], ["y"])], {"x": ["N", 3]}, ["y"], opset=24)
    given.graph.initializer.append(helper.make_tensor("t", element, [2], [1, 1]))
    assert "netc has no tensors of" in refused(given)


def test_a_file_without_outputs_or_inputs() -> None:
    assert "has no output" in refused(model([node("Relu", ["x"], ["y"])], {"x": ["N", 3]}, []))
    assert "has no input" in refused(model([node("Relu", ["c"], ["y"])], {}, ["y"], {"c": np.ones((2, 3), np.float32)}))


@pytest.mark.long
def test_constants_that_double_with_each_node() -> None:
    """A file of 2 kB that asks for terabytes, of numbers and of sizes."""
    doubled = [node("Concat", [f"c{k}", f"c{k}"], [f"c{k + 1}"], axis=0) for k in range(40)]
    add = node("Add", ["x", "c40"], ["y"])
    assert "MiB together" in refused(model([*doubled, add], {"x": ["N", 1]}, ["y"], {"c0": np.ones((8, 1), np.float32)}))
    shape = [node("Shape", ["x"], ["c0"]), *doubled, node("Reshape", ["x", "c40"], ["y"])]
    assert "more than 4096" in refused(model(shape, {"x": ["N", 1]}, ["y"]))


@pytest.mark.parametrize("version", [0, -1, 999, 2**40])
def test_an_operator_set_that_does_not_exist(version: int) -> None:
    given = model([node("Relu", ["x"], ["y"])], {"x": ["N", 3]}, ["y"])
    given.opset_import[0].version = version
    assert f"uses operator set {version}" in refused(given)


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("/层/卷积", "/层/块"), {"u5c42.u5377_u79ef.weight", "u5c42.u5757.weight"}),
        (("/блок/а", "/блок/б"), {"u431_u43b_u43e_u43a.u430.weight", "u431_u43b_u43e_u43a.u431.weight"}),
        (("/étage/a", "/étage/b"), {"etage.a.weight", "etage.b.weight"}),
        (("/!!/a", "/?/b"), {"a.weight", "b.weight"}),
    ],
)
def test_names_of_other_scripts_are_labels(tmp_path: Path, names: tuple[str, str], keys: set[str]) -> None:
    """They had no label, so that no file with them could be imported."""
    weight = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    nodes = [node("MatMul", ["x", "v"], ["h"], name=f"{names[0]}/MatMul"), node("MatMul", ["h", "w"], ["y"], name=f"{names[1]}/MatMul")]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, {"x": ["N", 4]}, ["y"], {"v": weight, "w": weight.T.copy()}).SerializeToString())
    assert set(netc.from_onnx(path).parameters) == keys


@pytest.mark.parametrize("size", [3, 15, 17])
def test_a_tensor_that_ends_within_a_number(size: int) -> None:
    given = model([node("Mul", ["x", "w"], ["y"])], {"x": ["N", 4]}, ["y"], {"w": np.ones(4, np.float32)})
    given.graph.initializer[0].raw_data = b"\0" * size
    assert "has a tensor `w` whose last number is cut off" in refused(given)


@pytest.mark.parametrize(("size", "parts"), [(4, 3), (5, 4), (2, 4)])
def test_a_part_of_a_split_that_is_empty(size: int, parts: int) -> None:
    names = [f"y{part}" for part in range(parts)]
    text = refused(model([node("Split", ["x"], names, axis=1, num_outputs=parts)], {"x": ["N", size]}, names))
    assert "axis 1 would be empty" in text
    assert "made nowhere" not in text


@pytest.mark.parametrize(
    ("operator", "attributes", "why"),
    [
        ("Reshape", {}, "it lacks a shape"),
        ("Pad", {}, "it lacks amounts"),
        ("Conv", {"kernel_shape": [1]}, "it lacks its weight"),
        ("Resize", {}, "it lacks the list of scales"),
        ("Add", {}, "it lacks an input"),
        ("Tile", {}, "it lacks "),
        ("Expand", {}, "it lacks "),
        ("Transpose", {"perm": "none"}, "do not fit it"),
    ],
)
def test_a_node_without_what_it_needs(operator: str, attributes: dict[str, object], why: str) -> None:
    assert why in refused(model([node(operator, ["x"], ["y"], **attributes)], {"x": ["N", 3, 4]}, ["y"]))
