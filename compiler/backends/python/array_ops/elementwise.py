"""Writes functions of each element by their names in the framework: `jnp.exp(x)`, `x + 1`."""

from __future__ import annotations

from ....ops.arithmetic import Clamp, FloorDiv, Maximum, Minimum, Pair, Pow
from ....ops.binary import Fmod, Lerp
from ....ops.bitwise import BitwiseLeftShift, BitwiseRightShift, Shift
from ....ops.comparison import Where
from ....ops.elementwise import NanToNum, Rsqrt, Sign
from ....ops.operator import Operator
from ....ops.scalars import cast_scalar
from ....ops.slicing import Select
from ....types.tensor_types import BOOL, DType
from ..code.python_expressions import Code, Default, Infix, call_function, call_method, to_code
from ..operator_forms import ELEMENTWISE, PAIRS, emit_binary, emit_select, list_sides
from .array_emitters import ARRAY, ArraySite

ARRAY.function(FloorDiv, target="{array}.floor_divide")(emit_binary)
ARRAY.function(Select, target="x[:, index]")(emit_select)


@ARRAY.layer_function(*ELEMENTWISE, target="{array}.{}")
def emit_elementwise(op: Operator, site: ArraySite) -> Code:
    if isinstance(op, Sign) and site.given.x.dtype == BOOL:
        return site.x
    # `lax.rsqrt` does not promote, unlike jax.numpy.
    if isinstance(op, Rsqrt) and not site.given.x.dtype.is_float:
        return Infix("/", to_code(1), site.words.call("sqrt", site.x))
    return call_function(site.words.get_function(op), site.x)


@ARRAY.function(*PAIRS, target="{array}.{}")
def emit_pair(op: Pair, site: ArraySite) -> Code:
    exact = isinstance(op, (Maximum, Minimum)) and any(not one.dtype.is_float for one in site.given)
    return site.words.call(op.name, site.x, site.other) if exact else call_function(site.words.get_function(op), site.x, site.other)


@ARRAY.function(Pow, target="{array}.{}")
def emit_power(op: Pow, site: ArraySite) -> Code:
    x, result = site.given.x.dtype, site.results[0].dtype
    if op.scalars and not op.number_first and op.other == 0 and x == result and x.is_float:
        return site.words.call("ones_like", site.x)  # the gradient of `x ** 0.0` at zero is NaN
    if not op.scalars and x.is_float and site.given.other.dtype.is_float:
        return call_function("power", site.x, site.other)
    if allows_negative_exponents(op, result):
        number = to_code(op.convert_number(result), "other") if op.scalars else site.other
        return call_function("integer_power", *((number, site.x) if op.number_first else (site.x, number)))
    return emit_binary(op, site)


def allows_negative_exponents(op: Pow, result: DType) -> bool:
    """Return whether the exponents of a power of integers may be below 0."""
    return result.is_integer and result.limits[0] < 0 and (op.number_first or not op.scalars)


@ARRAY.layer_function(NanToNum, target="{array}.nan_to_num")
def emit_nan_to_num(op: NanToNum, site: ArraySite) -> Code:
    return site.words.call("nan_to_num", site.x, nan=Default(op.nan, 0.0), posinf=Default(op.posinf, None), neginf=Default(op.neginf, None))


@ARRAY.layer_function(Clamp, target="{array}.where")
def emit_clamp(op: Clamp, site: ArraySite) -> Code:
    result = site.results[0].dtype
    tensor = site.x if site.given.x.dtype == result else call_method(site.x, "astype", site.words.get_dtype(result))
    return call_function("clamp", tensor, min=Default(op.min, None), max=Default(op.max, None))


@ARRAY.function(Fmod, target="{array}.fmod")
def emit_fmod(op: Fmod, site: ArraySite) -> Code:
    other = to_code(op.convert_number(site.results[0].dtype), "other") if op.scalars else site.other
    return call_function(site.words.get_function(op), site.x, other)


@ARRAY.function(Lerp, target="x + weight * (end - x)")
def emit_lerp(op: Lerp, site: ArraySite) -> Code:
    if op.weight is None:
        return call_function("lerp", site.x, site.end, site.weight)
    weight, difference = to_code(op.weight, "weight"), Infix("-", site.end, site.x)
    if op.weight < 0.5:
        return Infix("+", site.x, Infix("*", weight, difference))
    return Infix("-", site.end, Infix("*", Infix("-", to_code(1), weight), difference))  # exact where the weight is 1


@ARRAY.function(BitwiseLeftShift, BitwiseRightShift, target="{array}.{}")
def emit_shift(op: Shift, site: ArraySite) -> Code:
    return Infix("<<" if isinstance(op, BitwiseLeftShift) else ">>", *list_sides(op, site))


@ARRAY.function(Where, target="{array}.where")
def emit_where(op: Where, site: ArraySite) -> Code:
    if not op.scalars:
        return site.words.call("where", site.condition, site.x, site.other)
    dtype = site.results[0].dtype
    number = to_code(op.other if op.other is None or not dtype.is_integer else cast_scalar(op.other, dtype), "other")
    return site.words.call("where", site.condition, *((number, site.x) if op.number_first else (site.x, number)))
