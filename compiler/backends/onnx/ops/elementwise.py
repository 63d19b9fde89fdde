"""Functions of each element in ONNX."""

from __future__ import annotations

from math import log

from ....ir.types import BOOL
from ....ops.base import Operator
from ....ops.elementwise import (
    Abs,
    Ceil,
    Erf,
    Exp,
    Exp2,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Log10,
    LogicalNot,
    Neg,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sqrt,
    Square,
    Trunc,
)
from ..expressions import TensorExpr, erf, expm1, log1p, operand, precise
from ..table import Site, emits


def in_real(site: Site) -> TensorExpr:
    """The input, integers as what the result is."""
    return operand(site).cast(site.results[0].dtype)


@emits(Exp, Log, Reciprocal, Sqrt)
def real(op: Operator, site: Site) -> str:
    return in_real(site).op(op.onnx).name


@emits(Exp2)
def exp2(op: Exp2, site: Site) -> str:
    x = in_real(site)
    return x.like(2.0).op("Pow", x).name


@emits(Log2, Log10)
def log_to_base(op: Log2 | Log10, site: Site) -> str:
    base = 2.0 if isinstance(op, Log2) else 10.0
    return precise(in_real(site), lambda x: x.log() / log(base)).name


@emits(Rsqrt)
def rsqrt(op: Rsqrt, site: Site) -> str:
    return precise(in_real(site), lambda x: x.op("Sqrt").op("Reciprocal")).name


@emits(Expm1)
def expm1_(op: Expm1, site: Site) -> str:
    return expm1(in_real(site)).name


@emits(Log1p)
def log1p_(op: Log1p, site: Site) -> str:
    return log1p(in_real(site)).name


@emits(Erf)
def erf_(op: Erf, site: Site) -> str:
    return erf(in_real(site)).name


@emits(Floor, Ceil, Round)
def rounding(op: Operator, site: Site) -> str:
    x = operand(site)
    return x.op(op.onnx if x.dtype.is_float else "Identity").name


@emits(Trunc)
def trunc(op: Trunc, site: Site) -> str:
    x = operand(site)
    return (abs(x).op("Floor") * x.op("Sign")).name if x.dtype.is_float else x.op("Identity").name


@emits(Neg)
def neg(op: Neg, site: Site) -> str:
    x = operand(site)
    return (x.like(0) - x).name if x.dtype.kind == "uint" else (-x).name


@emits(Abs)
def abs_(op: Abs, site: Site) -> str:
    return abs(operand(site)).name


@emits(Sign)
def sign(op: Sign, site: Site) -> str:
    x = operand(site)
    return x.op("Identity" if x.dtype == BOOL else "Sign").name


@emits(Square)
def square(op: Square, site: Site) -> str:
    x = in_real(site)
    return (x * x).name


@emits(LogicalNot)
def logical_not(op: LogicalNot, site: Site) -> str:
    return operand(site).truth().negation().name
