"""Emit arithmetic as ONNX nodes. Both operands are first cast to the element type in which PyTorch computes.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3 int64; x / 2").onnx().graph.node]
['Cast', 'Div']
"""

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
    """Return both operands in the element type in which PyTorch computes."""
    dtype = op.operand_type(site.given)
    # A literal such as 1e6 does not fit float16: PyTorch computes in float32 then.
    if op.scalars and dtype.size == 2 and cast_scalar(op.convert_number(dtype), dtype) is None:
        dtype = FLOAT32
    x = site.x.cast(dtype)
    if not op.scalars:
        return x, site.other.cast(dtype)
    other = op.convert_number(dtype)
    number = x.like(float(other) if dtype.is_float and isinstance(other, int) else other)
    return (number, x) if op.number_first else (x, number)


def _cast_result(y: TensorExpr, site: Site) -> str:
    """Cast the result to its declared element type, and return its name."""
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
    a, b = cast_operands(op, site)
    if a.dtype.is_integer:
        return _cast_result(_raise_integer(op, a, b), site)
    number = known_number(op, a.dtype)
    # For these exponents PyTorch calls `sqrt`, whose result for -infinity is NaN. Pow would give infinity.
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
    """Return the number after the operator, or None if it is a tensor or a size that is known only at run time."""
    number = op.convert_number(dtype) if op.scalars and not op.number_first else None
    return number if isinstance(number, (int, float)) else None


def _compute_remainder(op: BinaryOperator, a: TensorExpr, b: TensorExpr) -> TensorExpr:
    """Compute the remainder with the sign of the divisor."""
    if not a.dtype.is_float:
        via = _widen_for_division(a.dtype)
        divisor = b.cast(via)
        return a.within(via, lambda x: integers.floor_remainder(x, divisor, _known_integer(op, a.dtype)))
    # For floats, ONNX's Mod gives the remainder the sign of the dividend.
    rest = a.op("Mod", b, fmod=1)
    return _has_opposite_sign(rest, b).choose(rest + b, rest)


def _has_opposite_sign(rest: TensorExpr, b: TensorExpr) -> TensorExpr:
    """Whether the remainder is not 0 and has another sign than the divisor."""
    return (rest * b).less(0.0)


@emits(Remainder, onnx="Mod")
def emit_remainder(op: Remainder, site: Site) -> str:
    return _cast_result(_compute_remainder(op, *cast_operands(op, site)), site)


def _widen_for_division(dtype: DType) -> DType:
    """Return int32 for smaller integers: it can hold the quotient of their least number and -1."""
    return INT32 if dtype.size < 4 else dtype


def _known_integer(op: BinaryOperator, dtype: DType) -> int | None:
    number = known_number(op, dtype)
    return number if isinstance(number, int) else None


@emits(FloorDiv, onnx="Mod, Sub and Div; of integers, Div, Mul, Greater and Sub")
def emit_floor_div(op: FloorDiv, site: Site) -> str:
    a, b = cast_operands(op, site)
    if a.dtype.is_integer:
        via = _widen_for_division(a.dtype)
        wide = b.cast(via)
        return a.within(via, lambda x: integers.floor_quotient(x, wide, _known_integer(op, a.dtype))).name
    # The dividend minus the remainder divides exactly, so rounding the quotient only removes its floating-point error; where the signs
    # differ, the floor is one less. For an infinite divisor, the remainder is the dividend itself.
    rest = a.op("Mod", b, fmod=1)
    towards_zero = ((a - rest) / b).op("Round")
    exact = _has_opposite_sign(rest, b).choose(towards_zero - 1.0, towards_zero)
    if op.scalars and not op.number_first and op.other != 0:
        return _cast_result(exact, site)
    # The divisor may be 0 at run time, where Mod gives NaN and PyTorch an infinity.
    return _cast_result(b.equal(0.0).choose(a / b, exact), site)


_EXTREMES: dict[type[Operator], str] = {
    Maximum: "Max",
    Minimum: "Min",
}


@emits(*_EXTREMES, onnx=_EXTREMES)
def emit_min_max(op: Pair, site: Site) -> str:
    # PyTorch casts both sides to their common type before it compares them.
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
    # If a bound is absent, ONNX Runtime's Clip turns infinity into the greatest finite number.
    open_ends = (-inf, inf) if dtype.is_float else (None, None)
    limits = (op.min, op.max)
    ends = (end if bound is None else cast_scalar(bound, dtype) for bound, end in zip(limits, open_ends, strict=True))
    bounds = ["" if end is None else site.scalar(end, via) for end in ends]
    return TensorExpr(site, site.add("Clip", [site.x.cast(via).name, *bounds]), via).cast(dtype).name
