"""Emit functions of single elements as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> rsqrt").onnx().graph.node]
['Sqrt', 'Reciprocal']
"""

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
from ..nan import is_nan
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, compute_precisely, erf, expm1, log1p


def cast_to_result(site: Site) -> TensorExpr:
    """Return the input in the element type of the result: integers become float32."""
    return site.x.cast(site.results[0].dtype)


_REAL: dict[type[Operator], str] = {
    Exp: "Exp",
    Log: "Log",
    Reciprocal: "Reciprocal",
    Sqrt: "Sqrt",
}


@emits(*_REAL, onnx=_REAL)
def emit_float_function(op: Operator, site: Site) -> str:
    return cast_to_result(site).op(_REAL[type(op)]).name


@emits(Exp2, onnx="Pow")
def emit_exp2(op: Exp2, site: Site) -> str:
    x = cast_to_result(site)
    return x.like(2.0).op("Pow", x).name


@emits(Log2, Log10, onnx="Log and Div")
def emit_log_to_base(op: Log2 | Log10, site: Site) -> str:
    base = 2.0 if isinstance(op, Log2) else 10.0
    return compute_precisely(cast_to_result(site), lambda x: x.log() / log(base)).name


@emits(Rsqrt, onnx="Sqrt and Reciprocal")
def emit_rsqrt(op: Rsqrt, site: Site) -> str:
    return compute_precisely(cast_to_result(site), lambda x: x.op("Sqrt").op("Reciprocal")).name


@emits(Expm1, onnx="Tanh, Exp and arithmetic")
def emit_expm1(op: Expm1, site: Site) -> str:
    return expm1(cast_to_result(site)).name


@emits(Log1p, onnx="Log and arithmetic")
def emit_log1p(op: Log1p, site: Site) -> str:
    return log1p(cast_to_result(site)).name


@emits(Erf, onnx="Erf")
def emit_erf(op: Erf, site: Site) -> str:
    return erf(cast_to_result(site)).name


_ROUNDING: dict[type[Operator], str] = {
    Floor: "Floor",
    Ceil: "Ceil",
    Round: "Round",
}


@emits(*_ROUNDING, onnx=_ROUNDING)
def emit_rounding(op: Operator, site: Site) -> str:
    x = site.x
    # ONNX declares Floor, Ceil and Round for floats only; integers are round already.
    return x.op(_ROUNDING[type(op)] if x.dtype.is_float else "Identity").name


@emits(Trunc, onnx="Abs, Floor and Sign")
def emit_trunc(op: Trunc, site: Site) -> str:
    x = site.x
    return (abs(x).op("Floor") * x.op("Sign")).name if x.dtype.is_float else x.op("Identity").name


@emits(Neg, onnx="Neg")
def emit_neg(op: Neg, site: Site) -> str:
    x = site.x
    # ONNX declares no Neg for unsigned integers; 0 - x wraps around, as in PyTorch.
    return (x.like(0) - x).name if x.dtype.kind == "uint" else (-x).name


@emits(Abs, onnx="Abs")
def emit_abs(op: Abs, site: Site) -> str:
    return abs(site.x).name


@emits(Sign, onnx="Sign, IsNaN and Where")
def emit_sign(op: Sign, site: Site) -> str:
    x = site.x
    if x.dtype == BOOL:
        return x.op("Identity").name
    # PyTorch's sign of NaN is 0.
    signs = x.op("Sign")
    return is_nan(x).choose(x.like(0.0), signs).name if x.dtype.is_float else signs.name


@emits(Square, onnx="Mul")
def emit_square(op: Square, site: Site) -> str:
    x = cast_to_result(site)
    return (x * x).name


@emits(LogicalNot, onnx="Not")
def emit_logical_not(op: LogicalNot, site: Site) -> str:
    return site.x.truth().negation().name


@emits(NanToNum, onnx="IsNaN, Equal and Where")
def emit_nan_to_num(op: NanToNum, site: Site) -> str:
    x = site.x
    if not x.dtype.is_float:
        return x.op("Identity").name

    def steps(x: TensorExpr) -> TensorExpr:
        nan, greatest, least = op.find_replacements(site.x.dtype)
        finite = x.equal(inf).choose(x.like(greatest), x.equal(-inf).choose(x.like(least), x))
        return x.op("IsNaN", to=BOOL).choose(x.like(nan), finite)

    return compute_precisely(x, steps).name
