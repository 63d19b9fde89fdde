"""Functions of each element in ONNX."""

from __future__ import annotations

from math import inf, log

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
    NanToNum,
    Neg,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sqrt,
    Square,
    Trunc,
)
from ....ops.operator import Operator
from ....types.tensor_types import BOOL
from ..nan import isnan
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, erf, expm1, log1p, precise


def in_real(site: Site) -> TensorExpr:
    """The input, integers as what the result is."""
    return site.x.cast(site.results[0].dtype)


_REAL: dict[type[Operator], str] = {
    Exp: "Exp",
    Log: "Log",
    Reciprocal: "Reciprocal",
    Sqrt: "Sqrt",
}


@emits(*_REAL, onnx=_REAL)
def real(op: Operator, site: Site) -> str:
    return in_real(site).op(_REAL[type(op)]).name


@emits(Exp2, onnx="Pow")
def exp2(op: Exp2, site: Site) -> str:
    x = in_real(site)
    return x.like(2.0).op("Pow", x).name


@emits(Log2, Log10, onnx="Log and Div")
def log_to_base(op: Log2 | Log10, site: Site) -> str:
    base = 2.0 if isinstance(op, Log2) else 10.0
    return precise(in_real(site), lambda x: x.log() / log(base)).name


@emits(Rsqrt, onnx="Sqrt and Reciprocal")
def rsqrt(op: Rsqrt, site: Site) -> str:
    return precise(in_real(site), lambda x: x.op("Sqrt").op("Reciprocal")).name


@emits(Expm1, onnx="Tanh, Exp and arithmetic")
def expm1_(op: Expm1, site: Site) -> str:
    return expm1(in_real(site)).name


@emits(Log1p, onnx="Log and arithmetic")
def log1p_(op: Log1p, site: Site) -> str:
    return log1p(in_real(site)).name


@emits(Erf, onnx="Erf")
def erf_(op: Erf, site: Site) -> str:
    return erf(in_real(site)).name


_ROUNDING: dict[type[Operator], str] = {
    Floor: "Floor",
    Ceil: "Ceil",
    Round: "Round",
}


@emits(*_ROUNDING, onnx=_ROUNDING)
def rounding(op: Operator, site: Site) -> str:
    x = site.x
    return x.op(_ROUNDING[type(op)] if x.dtype.is_float else "Identity").name


@emits(Trunc, onnx="Abs, Floor and Sign")
def trunc(op: Trunc, site: Site) -> str:
    x = site.x
    return (abs(x).op("Floor") * x.op("Sign")).name if x.dtype.is_float else x.op("Identity").name


@emits(Neg, onnx="Neg")
def neg(op: Neg, site: Site) -> str:
    x = site.x
    return (x.like(0) - x).name if x.dtype.kind == "uint" else (-x).name


@emits(Abs, onnx="Abs")
def abs_(op: Abs, site: Site) -> str:
    return abs(site.x).name


@emits(Sign, onnx="Sign, IsNaN and Where")
def sign(op: Sign, site: Site) -> str:
    """Of NaN, PyTorch's is 0."""
    x = site.x
    if x.dtype == BOOL:
        return x.op("Identity").name
    found = x.op("Sign")
    return isnan(x).choose(x.like(0.0), found).name if x.dtype.is_float else found.name


@emits(Square, onnx="Mul")
def square(op: Square, site: Site) -> str:
    x = in_real(site)
    return (x * x).name


@emits(LogicalNot, onnx="Not")
def logical_not(op: LogicalNot, site: Site) -> str:
    return site.x.truth().negation().name


@emits(NanToNum, onnx="IsNaN, Equal and Where")
def nan_to_num(op: NanToNum, site: Site) -> str:
    x = site.x
    if not x.dtype.is_float:
        return x.op("Identity").name

    def steps(x: TensorExpr) -> TensorExpr:
        nan, greatest, least = op.replacements(site.x.dtype)
        finite = x.equal(inf).choose(x.like(greatest), x.equal(-inf).choose(x.like(least), x))
        return x.op("IsNaN", to=BOOL).choose(x.like(nan), finite)

    return precise(x, steps).name
