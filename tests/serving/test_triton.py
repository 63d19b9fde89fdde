"""`netc compile --for triton`: the configuration, read by protobuf's text format, says what ONNX Runtime finds in the model.

The schema is the part of Triton's `model_config.proto` that a configuration of one model has. Where the package tritonclient is installed,
its complete schema reads the same text.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from click.testing import CliRunner
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from netc.cli import cli
from netc.serving.triton_repository import write_repository_entry

Field = descriptor_pb2.FieldDescriptorProto
KINDS = {"string": Field.TYPE_STRING, "int32": Field.TYPE_INT32, "int64": Field.TYPE_INT64}
TYPES = (
    "INVALID",
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "STRING",
    "BF16",
)
SCHEMA = {
    "ModelTensorReshape": ["repeated int64 shape"],
    "ModelInput": ["string name", "DataType data_type", "repeated int64 dims", "ModelTensorReshape reshape"],
    "ModelOutput": ["string name", "DataType data_type", "repeated int64 dims", "ModelTensorReshape reshape", "string label_filename"],
    "ModelDynamicBatching": [],
    "ModelConfig": [
        "string name",
        "string platform",
        "int32 max_batch_size",
        "repeated ModelInput input",
        "repeated ModelOutput output",
        "ModelDynamicBatching dynamic_batching",
    ],
}
SPEC = """x = input 3xHxW
number = input [] int64
half = input 2 float16
scores = (x -> global_avg_pool, number -> embedding 5 3) -> concat axis=1 -> dense 4
total = x -> sum axis=[1, 2, 3]
big = half * 2
"""
ORT_TYPES = {"tensor(float)": "TYPE_FP32", "tensor(int64)": "TYPE_INT64", "tensor(float16)": "TYPE_FP16"}


def make_reduced_config() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="reduced.proto", package="reduced", syntax="proto3")
    enum = file.enum_type.add(name="DataType")
    for number, name in enumerate(TYPES):
        enum.value.add(name=f"TYPE_{name}", number=number)
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            *repeated, kind, label = field.split()
            added = message.field.add(name=label, number=number, label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL)
            if kind in KINDS:
                added.type = KINDS[kind]
            else:
                added.type = Field.TYPE_ENUM if kind == "DataType" else Field.TYPE_MESSAGE
                added.type_name = f".reduced.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("reduced.ModelConfig"))()


def list_configs() -> list[Any]:
    configs = [make_reduced_config()]
    if find_spec("tritonclient") is not None and find_spec("grpc") is not None:
        from tritonclient.grpc import model_config_pb2

        configs.append(model_config_pb2.ModelConfig())
    return configs


def compile_for_triton(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(cli, ["compile", *words, "--for", "triton", "-o", str(folder / "models")], prog_name="netc")


def check_tensors(config: Any, tensors: Any, declared: Any, batch: bool) -> None:
    """Compare the names, types and sizes with the model that ONNX Runtime has loaded."""
    names = type(config).DESCRIPTOR.fields_by_name["input"].message_type.fields_by_name["data_type"].enum_type.values_by_number
    assert [tensor.name for tensor in tensors] == [port.name for port in declared]
    for tensor, port in zip(tensors, declared, strict=True):
        sizes = [size if isinstance(size, int) else -1 for size in port.shape[1 if batch else 0 :]]
        assert names[tensor.data_type].name == ORT_TYPES[port.type]
        if sizes:
            assert (list(tensor.dims), tensor.HasField("reshape")) == (sizes, False)
        else:
            assert (list(tensor.dims), tensor.HasField("reshape"), list(tensor.reshape.shape)) == ([1], True, [])


def test_the_configuration_says_what_onnx_runtime_finds(tmp_path: Path) -> None:
    (tmp_path / "mixed.net").write_text(SPEC, encoding="utf-8")
    result = compile_for_triton(tmp_path, str(tmp_path / "mixed.net"), "--seed", "1")
    assert result.exit_code == 0, result.stderr
    session = onnxruntime.InferenceSession(tmp_path / "models" / "mixed" / "1" / "model.onnx")
    for config in list_configs():
        text_format.Parse((tmp_path / "models" / "mixed" / "config.pbtxt").read_text(encoding="utf-8"), config)
        assert (config.name, config.platform, config.max_batch_size) == ("mixed", "onnxruntime_onnx", 64)
        assert config.HasField("dynamic_batching")
        check_tensors(config, config.input, session.get_inputs(), batch=True)
        check_tensors(config, config.output, session.get_outputs(), batch=True)
    assert sorted(path.name for path in (tmp_path / "models" / "mixed").iterdir()) == ["1", "config.pbtxt"]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("x = input 2x3 batch=false -> dense 4", [2, 3]), ("x = input 3; y = x - (x -> mean axis=0)", [-1, 3])],
    ids=["fixed", "dependent"],
)
def test_samples_that_cannot_be_joined(tmp_path: Path, text: str, sizes: list[int]) -> None:
    (tmp_path / "alone.net").write_text(text, encoding="utf-8")
    result = compile_for_triton(tmp_path, str(tmp_path / "alone.net"), "--seed", "1")
    assert "note: Triton runs each request alone" in result.stderr
    session = onnxruntime.InferenceSession(tmp_path / "models" / "alone" / "1" / "model.onnx")
    for config in list_configs():
        text_format.Parse((tmp_path / "models" / "alone" / "config.pbtxt").read_text(encoding="utf-8"), config)
        assert (config.max_batch_size, config.HasField("dynamic_batching"), list(config.input[0].dims)) == (0, False, sizes)
        check_tensors(config, config.input, session.get_inputs(), batch=False)
        check_tensors(config, config.output, session.get_outputs(), batch=False)


def test_labels_are_the_classes_in_order(trees: Path, tmp_path: Path) -> None:
    result = compile_for_triton(tmp_path, str(trees.parent / "trees.net"), "--weights", str(trees))
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "models" / "trees"
    for config in list_configs():
        text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), config)
        (output,) = config.output
        assert (folder / output.label_filename).read_text(encoding="utf-8").splitlines() == sorted(("ash", "<b>beech</b>", "oak"))
    again = compile_for_triton(tmp_path, str(trees.parent / "trees.net"), "--weights", str(trees))
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_repository_entry(str(tmp_path), "m", fail, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream", "T"], "it goes without --stream"),
        (["--emit", "graph"], "it goes without --emit, --train"),
        (["--target", "torch"], "goes without --target torch"),
        (["--example", "python", "--seed", "1"], "it goes without --example"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: list[str], message: str) -> None:
    result = compile_for_triton(tmp_path, "-e", "input 3 -> dense 2", *words)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
