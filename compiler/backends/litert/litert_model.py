"""Convert a module by litert-torch.

In: an exported module. Out: the bytes of a `.tflite` file, or its graph as text. The signature `serving_default` has the names of the
inputs and outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import BytesArtifact

if TYPE_CHECKING:
    from ..exported.export_module import ExportedModule


def write_model(exported: ExportedModule) -> BytesArtifact:
    """Return the model as one file."""
    return BytesArtifact(_convert_module(exported).model_content())


def describe_model(exported: ExportedModule) -> str:
    """Return the graph that the converter takes, as PyTorch prints it."""
    return f"{exported.run_export()}\n"


def _convert_module(exported: ExportedModule) -> Any:
    import litert_torch

    return litert_torch.convert(exported.module, (), exported.examples)
