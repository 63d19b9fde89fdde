"""The names of element types in the Open Inference Protocol, which Triton's configurations have too.

>>> from netc.compiler.types.tensor_types import DTYPES
>>> [name_datatype(DTYPES[name]) for name in ("float32", "bfloat16", "uint8", "bool")]
['FP32', 'BF16', 'UINT8', 'BOOL']
"""

from __future__ import annotations

from netc.compiler.types.tensor_types import DType

_PREFIXES = {"float": "FP", "int": "INT", "uint": "UINT"}


def name_datatype(dtype: DType) -> str:
    """Return the name of an element type."""
    if dtype.kind == "bool":
        return "BOOL"
    return "BF16" if dtype.name == "bfloat16" else f"{_PREFIXES[dtype.kind]}{8 * dtype.size}"
