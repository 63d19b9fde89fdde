"""Writes Core ML packages, `.mlpackage`, by Apple's coremltools.

>>> import netc
>>> try:
...     netc.compile("x = input 8 int64; x -> relu", dims={"N": 1}).source("coreml")
... except netc.CompileError as error:
...     print(error.diagnostics[0].message)
the input `x` cannot be converted to Core ML: the format has no int64 here
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exported.exported_backend import ExportedBackend

if TYPE_CHECKING:
    from ..exported.conversion import Converter


class CoremlBackend(ExportedBackend):
    """Writes an ML program for Apple's devices."""

    name = "coreml"
    title = "Core ML"
    suffix = ".mlpackage"
    folder_marker = "Manifest.json"
    package = "coremltools"
    takes_bounded_sizes = True
    port_dtypes = frozenset(("float32", "float16", "int32"))
    inner_dtypes = port_dtypes | {"int64", "int16", "int8", "uint8", "bool"}

    def load_converter(self) -> Converter:
        from .coreml_package import CONVERTER

        return CONVERTER


BACKEND = CoremlBackend()
