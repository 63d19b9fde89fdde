"""Writes functions of each element in Flax, by their names in jax.numpy, jax.lax and jax.scipy: `jnp.exp(x)`, `x + 1`."""

from __future__ import annotations

from ....ops.arithmetic import Clamp, FloorDiv, Pair
from ....ops.binary import Fmod, Lerp
from ....ops.bitwise import BitwiseLeftShift, BitwiseRightShift, Shift
from ....ops.comparison import Where
from ....ops.elementwise import Erf, NanToNum, Rsqrt
from ....ops.operator import Operator
from ....ops.slicing import Select
from ....ops.special import Digamma, Erfc, Erfinv, Lgamma
from ...python.code.python_expressions import Code, Default, Infix, call_function, to_code
from ...python.operator_forms import ELEMENTWISE, PAIRS, add_syntax, emit_binary, emit_select, list_sides
from ..flax_emitters import EMITTERS, FlaxSite, function, layer_function

_OTHERS: dict[type[Operator], str] = {
    Erf: "jax.scipy.special.erf",
    Erfc: "jax.scipy.special.erfc",
    Erfinv: "jax.scipy.special.erfinv",
    Digamma: "jax.scipy.special.digamma",
    Lgamma: "jax.scipy.special.gammaln",
    Rsqrt: "jax.lax.rsqrt",
}
"""The functions that jax.numpy lacks."""
_NAMES = {cls: _OTHERS.get(cls, f"jax.numpy.{cls.name}") for cls in (*ELEMENTWISE, *PAIRS)}

add_syntax(EMITTERS, "jax.numpy.{}")
function(FloorDiv, target="jax.numpy.floor_divide")(emit_binary)
function(Select, target="x[:, index]")(emit_select)


def _get_function(op: Operator) -> str:
    return _OTHERS.get(type(op), f"jnp.{op.name}")


@layer_function(*ELEMENTWISE, target=_NAMES)
def emit_elementwise(op: Operator, site: FlaxSite) -> Code:
    # `lax.rsqrt` does not promote, unlike jax.numpy.
    if isinstance(op, Rsqrt) and not site.given.x.dtype.is_float:
        return Infix("/", to_code(1), call_function("jnp.sqrt", site.x))
    return call_function(_get_function(op), site.x)


@function(*PAIRS, target=_NAMES)
def emit_pair(op: Pair, site: FlaxSite) -> Code:
    return call_function(_get_function(op), site.x, site.other)


@layer_function(NanToNum, target="jax.numpy.nan_to_num")
def emit_nan_to_num(op: NanToNum, site: FlaxSite) -> Code:
    return call_function(
        "jnp.nan_to_num", site.x, nan=Default(op.nan, 0.0), posinf=Default(op.posinf, None), neginf=Default(op.neginf, None)
    )


@layer_function(Clamp, target="jax.numpy.clip")
def emit_clamp(op: Clamp, site: FlaxSite) -> Code:
    return call_function("jnp.clip", site.x, min=Default(op.min, None), max=Default(op.max, None))


@function(Fmod, target="jax.numpy.fmod")
def emit_fmod(op: Fmod, site: FlaxSite) -> Code:
    return call_function("jnp.fmod", site.x, to_code(op.other, "other") if op.scalars else site.other)


@function(Lerp, target="x + weight * (end - x)")
def emit_lerp(op: Lerp, site: FlaxSite) -> Code:
    weight = to_code(op.weight, "weight") if op.scalars else site.weight
    return Infix("+", site.x, Infix("*", weight, Infix("-", site.end, site.x)))


@function(BitwiseLeftShift, BitwiseRightShift, target="jax.numpy.{}")
def emit_shift(op: Shift, site: FlaxSite) -> Code:
    return Infix("<<" if isinstance(op, BitwiseLeftShift) else ">>", *list_sides(op, site))


@function(Where, target="jax.numpy.where")
def emit_where(op: Where, site: FlaxSite) -> Code:
    if not op.scalars:
        return call_function("jnp.where", site.condition, site.x, site.other)
    number = to_code(op.other, "other")
    return call_function("jnp.where", site.condition, *((number, site.x) if op.number_first else (site.x, number)))
