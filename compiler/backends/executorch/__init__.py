"""Writes ExecuTorch programs, `.pte`, by ExecuTorch's own exporter, with the operators that XNNPACK has delegated to it.

>>> import netc
>>> try:
...     netc.compile("x = input [T, 8] where N <= 4; x -> dense 4").source("executorch")
... except netc.CompileError as error:
...     print(error.diagnostics[0].message)
ExecuTorch needs an upper bound for each symbolic size, and `T` has none
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exported.exported_backend import ExportedBackend

if TYPE_CHECKING:
    from ..exported.conversion import Converter

_DTYPES = frozenset(("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"))


class ExecutorchBackend(ExportedBackend):
    """Writes a program for ExecuTorch's runtime on phones and microcontrollers."""

    name = "executorch"
    title = "ExecuTorch"
    suffix = ".pte"
    package = "executorch"
    takes_bounded_sizes = True
    port_dtypes = _DTYPES
    inner_dtypes = _DTYPES

    def load_converter(self) -> Converter:
        from .executorch_program import CONVERTER

        return CONVERTER


BACKEND = ExecutorchBackend()
