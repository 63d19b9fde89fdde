"""Writes LiteRT models, `.tflite`, by Google's litert-torch.

>>> import netc
>>> try:
...     netc.compile("x = input 8; x -> relu").source("litert")
... except netc.CompileError as error:
...     print(error.diagnostics[0].message)
LiteRT needs sizes that are integers, and `N` is symbolic
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exported.exported_backend import ExportedBackend

if TYPE_CHECKING:
    from ..backend import Artifact
    from ..exported.export_module import ExportedModule

_DTYPES = frozenset(("float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"))


class LitertBackend(ExportedBackend):
    """Writes a model for LiteRT, the runtime that was TensorFlow Lite."""

    name = "litert"
    title = "LiteRT"
    suffix = ".tflite"
    package = "litert_torch"
    takes_bounded_sizes = False
    port_dtypes = _DTYPES
    inner_dtypes = _DTYPES

    def convert(self, exported: ExportedModule) -> Artifact:
        from .litert_model import write_model

        return write_model(exported)

    def describe(self, exported: ExportedModule) -> str:
        from .litert_model import describe_model

        return describe_model(exported)


BACKEND = LitertBackend()
