"""Arithmetic in ONNX. Both operands are first converted to the element type that PyTorch computes in."""

from __future__ import annotations

from ....ir.types import BOOL, FLOAT32, INT64
from ....ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ....ops.base import Operator
from ....ops.pointwise import cast_scalar
from ....ops.promotion import result_type
from ..expressions import INT32, TensorExpr, operand, wide_integer
from ..table import Site, emits

_ON_TRUTH: dict[type[Operator], str] = {Add: "Or", Mul: "And", Maximum: "Or", Minimum: "And"}
"""What stands for arithmetic on truth values."""


def operands(op: BinaryOperator, site: Site) -> tuple[TensorExpr, TensorExpr]:
    """Both operands in one element type; with a number that a half type does not hold, in float32, as PyTorch computes."""
    dtype = op.operand_type(site.given)
    if op.scalars and dtype.size == 2 and cast_scalar(op.number(dtype), dtype) is None:
        dtype = FLOAT32
    x = operand(site).cast(dtype)
    if not op.scalars:
        return x, operand(site, 1).cast(dtype)
    other = op.number(dtype)
    number = x.like(float(other) if dtype.is_float and isinstance(other, int) else other)
    return (number, x) if op.reverse else (x, number)


def _settled(y: TensorExpr, site: Site) -> str:
    """The result in its own element type."""
    return y.cast(site.results[0].dtype).name


@emits(Add, Sub, Mul, Div)
def arithmetic(op: BinaryOperator, site: Site) -> str:
    a, b = operands(op, site)
    return _settled(a.op(_ON_TRUTH[type(op)] if a.dtype == BOOL else op.onnx, b), site)


@emits(Pow)
def power(op: Pow, site: Site) -> str:
    a, b = operands(op, site)
    via = INT64 if a.dtype.is_integer and a.dtype.size < 4 else a.dtype
    return _settled(a.within(via, lambda base: base.op("Pow", b.cast(via))), site)


def _remainder(a: TensorExpr, b: TensorExpr) -> TensorExpr:
    """With the sign of the divisor. ONNX's Mod of floats has that of the dividend."""
    if not a.dtype.is_float:
        return a.op("Mod", b)
    rest = a.op("Mod", b, fmod=1)
    opposite = (rest * b).less(0.0)
    return opposite.choose(rest + b, rest)


@emits(Remainder)
def remainder(op: Remainder, site: Site) -> str:
    return _settled(_remainder(*operands(op, site)), site)


@emits(FloorDiv)
def floor_div(op: FloorDiv, site: Site) -> str:
    """Without its remainder, the dividend divides exactly, so that the quotient needs to be rounded only."""
    a, b = operands(op, site)
    if a.dtype.is_integer:
        via = INT32 if a.dtype.size < 4 else a.dtype
        wide = b.cast(via)
        return a.within(via, lambda x: (x - _remainder(x, wide)) / wide).name
    exact = ((a - _remainder(a, b)) / b).op("Round")
    if op.scalars and not op.reverse and op.other != 0:
        return _settled(exact, site)
    return _settled(b.equal(0.0).choose(a / b, exact), site)


@emits(Maximum, Minimum)
def extreme(op: Pair, site: Site) -> str:
    dtype = result_type(site.given)
    a, b = operand(site).cast(dtype), operand(site, 1).cast(dtype)
    if dtype == BOOL:
        return a.op(_ON_TRUTH[type(op)], b).name
    via = wide_integer(dtype)
    return a.within(via, lambda x: x.op(op.onnx, b.cast(via))).name


@emits(Clamp)
def clamp(op: Clamp, site: Site) -> str:
    dtype = site.results[0].dtype
    via = wide_integer(dtype)
    ends = (None if bound is None else cast_scalar(bound, dtype) for bound in (op.min, op.max))
    bounds = ["" if end is None else site.scalar(end, via) for end in ends]
    return TensorExpr(site, site.add("Clip", [operand(site).cast(via).name, *bounds]), via).cast(dtype).name
