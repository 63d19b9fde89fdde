"""Writes reductions to indices in MLX, whose indices are `uint32`: `x.argmax(axis=1).astype(mx.int64)`."""

from __future__ import annotations

from netc.dsl.record import replace

from ....ops.cumulative import Logcumsumexp
from ....ops.pooling import GlobalAvgPool
from ....ops.reduction import Argmax, Argmin, Cumprod, Cumsum, Max, Mean, Min, MinMaxReduction, Reduction, Std, Var
from ....types.tensor_types import FLOAT32
from ...python.array_ops.reduction import list_axis_keywords
from ...python.code.python_expressions import CallCode, Code, Method, TupleCode, call_method
from ...python.emitters import Emitter
from ..mlx_emitters import EMITTERS, MlxSite, function
from ..mlx_framework import get_mlx_dtype
from ..mlx_words import WORDS


def _call_index(name: str, op: Reduction, site: MlxSite) -> Code:
    return call_method(call_method(site.x, name, **list_axis_keywords(op, site)), "astype", WORDS.default_integer)


@function(Argmax, Argmin, target="mlx.core.{}")
def emit_index_of_extreme(op: Reduction, site: MlxSite) -> Code:
    return _call_index(op.name, op, site)


@function(Max, Min, target="mlx.core.{}")
def emit_extreme(op: MinMaxReduction, site: MlxSite) -> Code:
    values = call_method(site.x, op.name, **list_axis_keywords(op, site))
    return values if len(site.results) < 2 else TupleCode((values, _call_index(f"arg{op.name}", op, site)))


def widen_halves(emitter: Emitter) -> Emitter:
    """Compute sums of 16-bit floats in float32, which MLX does not do in these operators."""

    def emit(op: Reduction, site: MlxSite) -> Code:
        code, dtype = emitter(op, site), site.results[0].dtype
        if not dtype.is_float or dtype.size > 2:
            return code
        match code:
            case Method(x):
                wide: Code = replace(code, target=call_method(x, "astype", get_mlx_dtype(FLOAT32)))
            case CallCode(_, (x, *others)):
                wide = replace(code, args=(call_method(x, "astype", get_mlx_dtype(FLOAT32)), *others))
            case _:
                return code
        return call_method(wide, "astype", get_mlx_dtype(dtype))

    return emit


for _operator in (Cumprod, Cumsum, GlobalAvgPool, Logcumsumexp, Mean, Std, Var):
    EMITTERS.functions[_operator] = widen_halves(EMITTERS.functions[_operator])
