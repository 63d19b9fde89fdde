"""`expect`: what a model states of itself, checked once it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netc.dsl import ast
from netc.dsl.record import replace

from ..analysis.cost import summary
from ..errors.checks import ExpectFailed, UnknownOutput
from ..errors.names import UnknownName
from ..errors.structure import ExpectSkipped
from ..ir.graph import Program
from .checks import check_shape
from .evaluate import evaluate_bool
from .scope import Scope
from .session import Session
from .values import Failure, show_value

if TYPE_CHECKING:
    from .models import SelectedModel

EXPECTS = (ast.ExpectCondition, ast.ExpectShape)


def check_expectations(chosen: SelectedModel, program: Program, params: Mapping[str, Any], scope: Scope, session: Session) -> None:
    """Reports each `expect` of the model that does not hold. With parameters set, none is looked at, and a note says so."""
    expects = [s for s in chosen.body.statements if isinstance(s, EXPECTS)]
    if expects and params:
        session.report(ExpectSkipped(), expects[0].span)
        return
    if not expects:
        return
    figures = summary(program).totals
    inner = Scope(scope, scope.frame)
    measured = {"params": figures.parameters, "flops": figures.flops}
    for name, value in measured.items():
        inner.bind(name, value)
    for expect in expects:
        with session.catching(()), _telling(expect, measured):
            if isinstance(expect, ast.ExpectShape):
                _check_output(expect, program, inner, session)
            elif not evaluate_bool(expect.condition, inner, session):
                said = ", ".join(f"`{n}` is {_say(v)}" for n, v in measured.items() if n in expect.condition.span.text)
                raise Failure(ExpectFailed(expect.condition.span.text, said), expect.span)


@contextmanager
def _telling(expect: ast.ExpectCondition | ast.ExpectShape, measured: Mapping[str, Any]) -> Iterator[None]:
    """Of a name that nothing is called, say which ones there are, or how a shape is expected."""
    try:
        yield
    except Failure as failure:
        if not isinstance(failure.problem, UnknownName) or failure.problem.near:
            raise
        hint = "an `expect` can ask for " + " and ".join(f"`{name}`" for name in measured)
        match expect:
            case ast.ExpectCondition(condition=ast.Binary(op="==", left=ast.Name(name=name), right=ast.ListExpr(span=shape))):
                hint = f"a shape is expected without a sign: `expect {name} {shape.text}`"
        raise Failure(replace(failure.problem, hint=hint), failure.span, failure.marks) from None


def _say(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) else show_value(value)


def _check_output(expect: ast.ExpectShape, program: Program, scope: Scope, session: Session) -> None:
    graph = program.main
    names = dict(zip(graph.output_names, graph.outputs, strict=True))
    if len(graph.outputs) == 1:
        names.setdefault("output", graph.outputs[0])
    if expect.name.name not in names:
        raise Failure(UnknownOutput(expect.name.name, tuple(graph.output_names)), expect.name.span)
    check_shape(expect.shape, names[expect.name.name], scope, session)
