"""Arithmetic in ONNX. Both operands are first converted to the element type that PyTorch computes in."""

from __future__ import annotations

from math import inf

from ....ops.arithmetic import Add, BinaryOperator, Clamp, Div, FloorDiv, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ....ops.operator import Operator
from ....ops.promotion import result_type
from ....ops.scalars import cast_scalar
from ....types.tensor_types import BOOL, FLOAT32, INT64, DType
from .. import integers
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr, widen_integer

_BOOLEAN_OPERATORS: dict[type[Operator], str] = {Add: "Or", Mul: "And", Maximum: "Or", Minimum: "And"}
"""The operators for arithmetic on booleans."""


def cast_operands(op: BinaryOperator, site: Site) -> tuple[TensorExpr, TensorExpr]:
    """Both operands in one element type; with a number that a half type does not hold, in float32, as PyTorch computes."""
    dtype = op.operand_type(site.given)
    if op.scalars and dtype.size == 2 and cast_scalar(op.convert_number(dtype), dtype) is None:
        dtype = FLOAT32
    x = site.x.cast(dtype)
    if not op.scalars:
        return x, site.other.cast(dtype)
    other = op.convert_number(dtype)
    number = x.like(float(other) if dtype.is_float and isinstance(other, int) else other)
    return (number, x) if op.number_first else (x, number)


def _cast_result(y: TensorExpr, site: Site) -> str:
    """The result in its own element type."""
    return y.cast(site.results[0].dtype).name


_ARITHMETIC: dict[type[Operator], str] = {
    Add: "Add",
    Sub: "Sub",
    Mul: "Mul",
    Div: "Div",
}


@emits(*_ARITHMETIC, onnx=_ARITHMETIC)
def emit_arithmetic(op: BinaryOperator, site: Site) -> str:
    a, b = cast_operands(op, site)
    return _cast_result(a.op(_BOOLEAN_OPERATORS[type(op)] if a.dtype == BOOL else _ARITHMETIC[type(op)], b), site)


@emits(Pow, onnx="Pow, Sqrt, or Mul")
def emit_pow(op: Pow, site: Site) -> str:
    """For the exponents 0.5 and -0.5, PyTorch calls `sqrt`, whose result for -infinity is NaN. Pow gives infinity."""
    a, b = cast_operands(op, site)
    if a.dtype.is_integer:
        return _cast_result(_raise_integer(op, a, b), site)
    number = known_number(op, a.dtype)
    if number in (0.5, -0.5):
        root = a.op("Sqrt")
        return _cast_result(root if number == 0.5 else root.op("Reciprocal"), site)
    return _cast_result(a.op("Pow", b), site)


def _raise_integer(op: Pow, a: TensorExpr, b: TensorExpr) -> TensorExpr:
    via, number = INT64 if a.dtype.size < 4 else a.dtype, _known_integer(op, a.dtype)
    if number is not None:
        return a.within(via, lambda x: integers.raise_to_power(x, number))
    exponent = b.cast(via)
    return a.within(via, lambda x: integers.raise_to_tensor(x, exponent))


def known_number(op: BinaryOperator, dtype: DType) -> int | float | None:
    """The number after the operator, if it is neither a tensor nor a size that is known at run time."""
    number = op.convert_number(dtype) if op.scalars and not op.number_first else None
    return number if isinstance(number, (int, float)) else None


def _compute_remainder(op: BinaryOperator, a: TensorExpr, b: TensorExpr) -> TensorExpr:
    """With the sign of the divisor. ONNX's Mod of floats has that of the dividend."""
    if not a.dtype.is_float:
        via = _widen_for_division(a.dtype)
        divisor = b.cast(via)
        return a.within(via, lambda x: integers.floor_remainder(x, divisor, _known_integer(op, a.dtype)))
    rest = a.op("Mod", b, fmod=1)
    return _has_opposite_sign(rest, b).choose(rest + b, rest)


def _has_opposite_sign(rest: TensorExpr, b: TensorExpr) -> TensorExpr:
    """Whether there is a remainder, of another sign than the divisor."""
    return (rest * b).less(0.0)


@emits(Remainder, onnx="Mod")
def emit_remainder(op: Remainder, site: Site) -> str:
    return _cast_result(_compute_remainder(op, *cast_operands(op, site)), site)


def _widen_for_division(dtype: DType) -> DType:
    """int32 for smaller types: it holds the quotient of their least number and -1."""
    return INT32 if dtype.size < 4 else dtype


def _known_integer(op: BinaryOperator, dtype: DType) -> int | None:
    number = known_number(op, dtype)
    return number if isinstance(number, int) else None


@emits(FloorDiv, onnx="Mod, Sub and Div; of integers, Div, Mul, Greater and Sub")
def emit_floor_div(op: FloorDiv, site: Site) -> str:
    """Without the remainder that has its own sign, the dividend divides exactly, so that the quotient needs to be rounded only; where the
    signs differ it is one less. The remainder of an infinite divisor is the dividend itself."""
    a, b = cast_operands(op, site)
    if a.dtype.is_integer:
        via = _widen_for_division(a.dtype)
        wide = b.cast(via)
        return a.within(via, lambda x: integers.floor_quotient(x, wide, _known_integer(op, a.dtype))).name
    rest = a.op("Mod", b, fmod=1)
    towards_zero = ((a - rest) / b).op("Round")
    exact = _has_opposite_sign(rest, b).choose(towards_zero - 1.0, towards_zero)
    if op.scalars and not op.number_first and op.other != 0:
        return _cast_result(exact, site)
    return _cast_result(b.equal(0.0).choose(a / b, exact), site)


_EXTREMES: dict[type[Operator], str] = {
    Maximum: "Max",
    Minimum: "Min",
}


@emits(*_EXTREMES, onnx=_EXTREMES)
def emit_min_max(op: Pair, site: Site) -> str:
    dtype = result_type(site.given)
    a, b = site.x.cast(dtype), site.other.cast(dtype)
    if dtype == BOOL:
        return a.op(_BOOLEAN_OPERATORS[type(op)], b).name
    via = widen_integer(dtype)
    return a.within(via, lambda x: x.op(_EXTREMES[type(op)], b.cast(via))).name


@emits(Clamp, onnx="Clip")
def emit_clamp(op: Clamp, site: Site) -> str:
    dtype = site.results[0].dtype
    via = widen_integer(dtype)
    # Without one of its bounds, ONNX Runtime's Clip makes the greatest finite number of what is infinite.
    open_ends = (-inf, inf) if dtype.is_float else (None, None)
    given = (op.min, op.max)
    ends = (end if bound is None else cast_scalar(bound, dtype) for bound, end in zip(given, open_ends, strict=True))
    bounds = ["" if end is None else site.scalar(end, via) for end in ends]
    return TensorExpr(site, site.add("Clip", [site.x.cast(via).name, *bounds]), via).cast(dtype).name
