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
    from ..exported.conversion import Converter

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

    def load_converter(self) -> Converter:
        from .litert_model import CONVERTER

        return CONVERTER


BACKEND = LitertBackend()
