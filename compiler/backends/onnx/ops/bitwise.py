"""Emit bitwise logic and shifts as ONNX nodes.

ONNX's BitShift takes unsigned integers only, so shifts multiply and divide by powers of 2.

    >>> import netc
    >>> [node.op_type for node in netc.compile("x = input 3 int64; x -> bitwise_and 7").onnx().graph.node]
    ['BitwiseAnd']
"""

from __future__ import annotations

import numpy as np

from ....ops.bitwise import BitwiseAnd, BitwiseLeftShift, BitwiseLogic, BitwiseNot, BitwiseOr, BitwiseRightShift, BitwiseXor, Shift
from ....ops.operator import Operator
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, DType
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr
from .arithmetic import cast_operands

_LOGIC: dict[type[Operator], str] = {BitwiseAnd: "And", BitwiseOr: "Or", BitwiseXor: "Xor"}


@emits(*_LOGIC, onnx={operator: f"Bitwise{name}, {name}" for operator, name in _LOGIC.items()})
def emit_bitwise_logic(op: BitwiseLogic, site: Site) -> str:
    a, b = cast_operands(op, site)
    name = _LOGIC[type(op)]
    return a.op(name if a.dtype == BOOL else f"Bitwise{name}", b).name


@emits(BitwiseNot, onnx="BitwiseNot, Not")
def emit_bitwise_not(op: BitwiseNot, site: Site) -> str:
    return site.x.op("Not" if site.x.dtype == BOOL else "BitwiseNot").name


@emits(
    BitwiseLeftShift,
    BitwiseRightShift,
    onnx={BitwiseLeftShift: "Gather, Mul and Where", BitwiseRightShift: "Gather, Mod, Sub, Div and Where"},
)
def emit_shift(op: Shift, site: Site) -> str:
    a, b = cast_operands(op, site)
    # A signed number has one position less to the right, since its sign bit is not shifted out.
    positions = 8 * a.dtype.size - (a.dtype.kind == "int" and isinstance(op, BitwiseRightShift))
    via = INT32 if a.dtype.size < 4 else a.dtype
    amount, number = b.cast(via), a.cast(via)
    inside = amount.less(0).op("Or", amount.greater(positions - 1)).negation()
    power = _make_powers_of_two(site, positions, via).op("Gather", inside.choose(amount, 0))
    if isinstance(op, BitwiseLeftShift):
        return inside.choose(number * power, 0).cast(a.dtype).name
    # Subtracting the remainder first makes Div exact; it would round towards zero, a shift rounds down.
    quotient = (number - number.op("Mod", power)) / power
    # A shift beyond all positions gives 0, and -1 for negative numbers.
    sign = number.less(0).cast(via)
    return inside.choose(quotient, sign.like(0) - sign).cast(a.dtype).name


def _make_powers_of_two(site: Site, count: int, dtype: DType) -> TensorExpr:
    """Make the constant 1, 2, 4, ...; the last one may wrap around to a negative number, as a shift into the sign bit does."""
    powers = np.left_shift(np.ones(count, dtype=np.int64), np.arange(count)).astype(numpy_dtype(dtype))
    return TensorExpr(site, site.constant(powers), dtype)
