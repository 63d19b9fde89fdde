"""Emit special functions as series in float64, which are exact enough for float32.

For example, `erfc` is 32 nodes.
"""

from __future__ import annotations

from collections.abc import Callable

from ....ops.operator import Operator
from ....ops.special import Digamma, Erfc, Erfinv, Lgamma
from ..onnx_emitters import Site, emits
from ..special_functions import digamma, erfc, erfinv, lgamma
from ..tensor_expressions import FLOAT64, TensorExpr
from .elementwise import cast_to_result

_FUNCTIONS: dict[type[Operator], Callable[[TensorExpr], TensorExpr]] = {
    Digamma: digamma,
    Erfc: erfc,
    Erfinv: erfinv,
    Lgamma: lgamma,
}


@emits(*_FUNCTIONS, onnx="arithmetic")
def emit_series(op: Operator, site: Site) -> str:
    return cast_to_result(site).within(FLOAT64, _FUNCTIONS[type(op)]).name
