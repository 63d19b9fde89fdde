"""Emit functions of angles and hyperbolic functions, most of which are one node.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> sin -> atan").onnx().graph.node]
['Sin', 'Atan']
"""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.trigonometry import Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64
from .elementwise import cast_to_result

_FUNCTIONS: dict[type[Operator], str] = {
    Acos: "Acos",
    Acosh: "Acosh",
    Asin: "Asin",
    Asinh: "Asinh",
    Atan: "Atan",
    Atanh: "Atanh",
    Cos: "Cos",
    Cosh: "Cosh",
    Sin: "Sin",
    Sinh: "Sinh",
}


@emits(*_FUNCTIONS, onnx=_FUNCTIONS)
def emit_trigonometry(op: Operator, site: Site) -> str:
    return cast_to_result(site).op(_FUNCTIONS[type(op)]).name


@emits(Tan, onnx="Tan")
def emit_tan(op: Tan, site: Site) -> str:
    x = cast_to_result(site)
    # ONNX Runtime has no Tan of float64.
    return (x.op("Sin") / x.op("Cos")).name if x.dtype == FLOAT64 else x.op("Tan").name
