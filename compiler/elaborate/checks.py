"""`is`: what a spec states of a shape, held against what it is."""

from __future__ import annotations

from netc.dsl import ast

from ..dims import Dim, advice, show
from ..errors.checks import IsMismatch
from ..errors.names import WrongTensors
from ..errors.operators import Unprovable
from ..ir.graph import Value
from ..ir.types import BATCH
from .evaluate import dimension, evaluate
from .operators import tensors
from .scope import Scope
from .session import Session
from .values import UNKNOWN, Failure, Flow


def check_is(node: ast.Is, flow: Flow, scope: Scope, session: Session) -> Flow:
    """The flow itself, once its shape is proved to be as stated. `_` stands for any size."""
    values = tensors(flow)
    if values is None:
        return UNKNOWN
    if len(values) != 1:
        raise Failure(WrongTensors("is", "one tensor", len(values)), node.span, tuple((v.span, f"this is {v.type}") for v in values[:3]))
    check_shape(node.shape, values[0], scope, session)
    return flow


def check_shape(stated: ast.ListExpr, value: Value, scope: Scope, session: Session) -> None:
    """Raises unless the tensor provably has the stated shape."""
    found = value.type.shape
    sizes = [_size(item, scope, session) for item in stated.items]
    text = "[" + ", ".join("_" if size is None else show(size) for size in sizes) + "]"
    marks = ((value.span, f"this is {value.type}"),)
    if len(sizes) != len(found):
        raise Failure(IsMismatch(text, value.type), stated.span, marks)
    for axis, (size, real, item) in enumerate(zip(sizes, found, stated.items, strict=True)):
        if size is None:
            continue
        equal = session.facts.equal(size, real)
        if equal is None and real is session.dims[BATCH]:
            raise Failure(IsMismatch(text, value.type, axis), item.span, marks)
        if equal is None:
            need = "the shape that is stated must be the shape that is"
            raise Failure(Unprovable("is", size, real, need, advice(size, real) or "", (0, 0)), item.span, marks)
        if not equal:
            raise Failure(IsMismatch(text, value.type, axis), item.span, marks)


def _size(item: ast.Expr, scope: Scope, session: Session) -> Dim | None:
    """A stated size; None for `_`."""
    if isinstance(item, ast.Name) and item.name == "_":
        return None
    return dimension(evaluate(item, scope, session), item.span)
