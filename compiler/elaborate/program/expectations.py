"""Checks `expect` statements, with which a model declares its own size and shapes, once the model is complete.

>>> import netc
>>> netc.compile("model m { input 3 -> dense 2; expect params == 6 }")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[expect-failed]: `expect params == 6` failed
 --> <text>:1:31
  |
1 | model m { input 3 -> dense 2; expect params == 6 }
  |                               ^^^^^^^^^^^^^^^^^^ `params` is 8
...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from netc.dsl import ast
from netc.dsl.record import replace

from ...errors.assertion_errors import ExpectFailed, UnknownClaim, UnknownOutput
from ...errors.binding_errors import UnknownName
from ...errors.structure_errors import ExpectSkipped
from ...ir.graph import Program, StatedClaim
from ...types.traced_ints import strip_formulas
from ..interpreter.elaborator import Elaborator
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .model_selection import SelectedModel

FLOPS = "flops"
CLAIMS = ("ignores", "separates", "causal")
"""The words of claims about an output."""


def check_expectations(selected: SelectedModel, program: Program, params: Mapping[str, Any], scope: Scope, elaborator: Elaborator) -> None:
    """Reports each `expect` of the model that does not hold. With parameters set none is checked, and a note says so."""
    session = elaborator.session
    expects = [s for s in selected.body.statements if isinstance(s, ast.Expect)]
    if expects and params:
        session.report_problem(ExpectSkipped(), expects[0].span)
        return
    if not expects:
        return
    from ...analysis.state_dict import collect_parameters, count_parameters  # models without `expect` need neither

    inner = Scope(scope, scope.frame)
    measured: dict[str, Any] = {"params": strip_formulas(count_parameters(collect_parameters(program)))}
    if any(FLOPS in expect.span.text for expect in expects):  # it takes longer than all the rest
        from ...analysis.model_cost import summarize_costs

        measured[FLOPS] = strip_formulas(summarize_costs(program).totals.flops)
    for name, value in measured.items():
        inner.bind_name(name, value)
    for expect in expects:
        with session.catch_failures(()), _add_hints(expect), session.decisions.collect_into({}):
            match expect:
                case ast.ExpectShape():
                    _check_output(expect, program, inner, elaborator)
                case ast.ExpectClaim():
                    program.claims += (_read_claim(expect, program),)
                case ast.ExpectCondition(condition=condition) if not elaborator.expressions.evaluate_boolean(condition, inner):
                    used = ", ".join(f"`{n}` is {_format_number(v)}" for n, v in measured.items() if n in condition.span.text)
                    raise Failure(ExpectFailed(condition.span.text, used), expect.span)


@contextmanager
def _add_hints(expect: ast.Expect) -> Iterator[None]:
    """Adds help to an error for an unknown name: the names there are, or the syntax for a shape."""
    try:
        yield
    except Failure as failure:
        if not isinstance(failure.problem, UnknownName) or failure.problem.near:
            raise
        hint = f"an `expect` can use `params` and `{FLOPS}`"
        match expect:
            case ast.ExpectCondition(condition=ast.Binary(op="==", left=ast.Name(name=name), right=ast.ListExpr(span=shape))):
                hint = f"write an expected shape without an operator: `expect {name} {shape.text}`"
        raise Failure(replace(failure.problem, hint=hint), failure.span, failure.marks) from None


def _format_number(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) else format_value(value)


def _check_output(expect: ast.ExpectShape, program: Program, scope: Scope, elaborator: Elaborator) -> None:
    graph = program.main
    outputs = dict(zip(graph.output_names, graph.outputs, strict=True))
    elaborator.checks.check_shape(expect.shape, outputs[_find_output(expect.name, program)], scope)


def _find_output(name: ast.Name, program: Program) -> str:
    """The name of an output. `expect output ...` works whatever the only output is called."""
    known = program.main.output_names
    if name.name not in known and (name.name, len(known)) != ("output", 1):
        raise Failure(UnknownOutput(name.name, tuple(known)), name.span)
    return name.name if name.name in known else known[0]


def _read_claim(expect: ast.ExpectClaim, program: Program) -> StatedClaim:
    output = _find_output(expect.name, program)
    if expect.verb.name not in CLAIMS:
        raise Failure(UnknownClaim(expect.verb.name, CLAIMS), expect.verb.span)
    return StatedClaim(output, expect.verb.name, expect.subject.name, expect.span)
