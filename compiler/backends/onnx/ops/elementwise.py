"""Functions of each element in ONNX."""

from __future__ import annotations

from ....ops.base import Operator
from ....ops.elementwise import (
    Abs,
    Ceil,
    Cos,
    Erf,
    Exp,
    Expm1,
    Floor,
    Log,
    Log1p,
    LogicalNot,
    Neg,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sin,
    Sqrt,
    Square,
    Tan,
)
from ....types import BOOL
from ..table import Site, emits
from ..terms import FLOAT64, Term, erf, expm1, log1p, precise, term


def _real(site: Site) -> Term:
    """The input, integers as what the result is."""
    return term(site).cast(site.results[0].dtype)


@emits(Cos, Exp, Log, Reciprocal, Sin, Sqrt)
def real(op: Operator, site: Site) -> str:
    return _real(site).op(op.onnx).name


@emits(Tan)
def tan(op: Tan, site: Site) -> str:
    x = _real(site)
    return (x.op("Sin") / x.op("Cos")).name if x.dtype == FLOAT64 else x.op("Tan").name


@emits(Rsqrt)
def rsqrt(op: Rsqrt, site: Site) -> str:
    return precise(_real(site), lambda x: x.op("Sqrt").op("Reciprocal")).name


@emits(Expm1)
def expm1_(op: Expm1, site: Site) -> str:
    return expm1(_real(site)).name


@emits(Log1p)
def log1p_(op: Log1p, site: Site) -> str:
    return log1p(_real(site)).name


@emits(Erf)
def erf_(op: Erf, site: Site) -> str:
    return erf(_real(site)).name


@emits(Floor, Ceil, Round)
def rounding(op: Operator, site: Site) -> str:
    x = term(site)
    return x.op(op.onnx if x.dtype.is_float else "Identity").name


@emits(Neg)
def neg(op: Neg, site: Site) -> str:
    x = term(site)
    return (x.like(0) - x).name if x.dtype.kind == "uint" else (-x).name


@emits(Abs)
def abs_(op: Abs, site: Site) -> str:
    return abs(term(site)).name


@emits(Sign)
def sign(op: Sign, site: Site) -> str:
    x = term(site)
    return x.op("Identity" if x.dtype == BOOL else "Sign").name


@emits(Square)
def square(op: Square, site: Site) -> str:
    x = _real(site)
    return (x * x).name


@emits(LogicalNot)
def logical_not(op: LogicalNot, site: Site) -> str:
    return term(site).truth().negation().name
