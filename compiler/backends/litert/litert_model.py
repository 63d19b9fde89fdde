"""Convert a module by litert-torch.

In: an exported module. Out: the bytes of a `.tflite` file, or its graph as text. The signature `serving_default` has the names of the
inputs and outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import BytesArtifact
from ..exported.conversion import Converter

if TYPE_CHECKING:
    from ..exported.export_module import ExportedModule


def write_model(exported: ExportedModule) -> BytesArtifact:
    """Return the model as one file."""
    return BytesArtifact(_convert_module(exported).model_content())


def describe_model(exported: ExportedModule) -> str:
    """Return the operators of the model, one a line, with the shapes of their results."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=_convert_module(exported).model_content(), experimental_preserve_all_tensors=True)
    tensors = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    return "".join(f"{_describe_operator(operator, tensors)}\n" for operator in interpreter._get_ops_details())


def _describe_operator(operator: dict[str, Any], tensors: dict[int, dict[str, Any]]) -> str:
    results = ", ".join(
        f"{tensors[i]['dtype'].__name__} {[int(n) for n in tensors[i]['shape']]}" for i in operator["outputs"] if i in tensors
    )
    return f"{operator['op_name']}: {results}"


def _convert_module(exported: ExportedModule) -> Any:
    import litert_torch

    # without it, int64 inputs and outputs would become int32
    return litert_torch.convert(exported.module, (), exported.examples, enable_x64=True)


CONVERTER = Converter(write_model, describe_model)
