"""Columns of a batch, and sizes read off them, as Python."""

from __future__ import annotations

from collections.abc import Sequence

from netc.compiler.dims import Dim, SymDim, to_python
from netc.compiler.ir.graph_values import Value

from .lines import quoted


def column(value: Value) -> str:
    """`batch["image"]`."""
    return f"batch[{quoted(value.name)}]"


def size_of(inputs: Sequence[Value], symbol: str) -> str:
    """The size of an axis, which one of the inputs has: `len(batch["target"])`, `batch["tokens"].shape[1]`."""
    for value in reversed(inputs):
        for axis, size in enumerate(value.type.shape):
            if isinstance(size, SymDim) and str(size) == symbol:
                return f"len({column(value)})" if axis == 0 else f"{column(value)}.shape[{axis}]"
    raise LookupError(f"no input has the size {symbol}")


def dim_text(inputs: Sequence[Value], size: Dim) -> str:
    """A dimension as a formula of such sizes."""
    if isinstance(size, int):
        return str(size)
    symbols = {str(s) for v in inputs for s in v.type.shape if isinstance(s, SymDim) and str(s).isidentifier()}
    return to_python(size, {symbol: size_of(inputs, symbol) for symbol in symbols})
