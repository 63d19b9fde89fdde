"""Emit expressions for the columns of a batch and for their sizes.

>>> import netc
>>> inputs = netc.compile("x = input [T, 3]; x -> relu").program.main.inputs
>>> emit_column(inputs[0]), emit_size(inputs, "T")
('batch["x"]', 'batch["x"].shape[1]')
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.compiler.dims import Dim, SymDim, dim_to_python
from netc.compiler.ir.graph_values import Value

from .lines import quote_string


def emit_column(value: Value) -> str:
    """Emit `batch["image"]`."""
    return f"batch[{quote_string(value.name)}]"


def emit_size(inputs: Sequence[Value], symbol: str) -> str:
    """Emit the size of an axis that one of the inputs has: `len(batch["target"])`, `batch["tokens"].shape[1]`."""
    for value in reversed(inputs):
        for axis, size in enumerate(value.type.shape):
            if isinstance(size, SymDim) and str(size) == symbol:
                return f"len({emit_column(value)})" if axis == 0 else f"{emit_column(value)}.shape[{axis}]"
    raise LookupError(f"no input has the size {symbol}")


def emit_dim(inputs: Sequence[Value], size: Dim) -> str:
    """Emit a dimension as a formula of such sizes."""
    if isinstance(size, int):
        return str(size)
    symbols = {str(s) for v in inputs for s in v.type.shape if isinstance(s, SymDim) and str(s).isidentifier()}
    return dim_to_python(size, {symbol: emit_size(inputs, symbol) for symbol in symbols})
