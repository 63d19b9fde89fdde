"""Write derivatives by `torch.autograd.grad`.

The tensor by which is differentiated requires a gradient from its origin on (../../python/lowering/differentiated_tensors.py).
"""

from __future__ import annotations

from ....ops.differentiation import Gradient
from ...python.code.python_expressions import Code, Lit, Subscript, TupleCode, call_function, call_method
from ...python.lowering.differentiated_tensors import Gradients, RequireGradient
from ..torch_emitters import TorchSite, function


@function(Gradient, target="torch.autograd.grad")
def emit_gradient(op: Gradient, site: TorchSite) -> Code:
    total = call_method(site.y, "sum") if site.given.y.rank else site.y
    return Subscript(call_function("torch.autograd.grad", total, site.x, create_graph=True), (Lit(0),))


@function(Gradients)
def emit_gradients(op: Gradients, site: TorchSite) -> Code:
    tensors = TupleCode(site.inputs[1:])
    if op.may_be_constant:
        gradients = call_function("differentiate", site.y, tensors)
        return gradients if len(site.results) > 1 else Subscript(gradients, (Lit(0),))
    total = call_method(site.y, "sum") if site.given.y.rank else site.y
    return call_function("torch.autograd.grad", total, tensors, create_graph=True)


@function(RequireGradient)
def emit_require_gradient(op: RequireGradient, site: TorchSite) -> Code:
    return call_function("require_gradient", site.x)
