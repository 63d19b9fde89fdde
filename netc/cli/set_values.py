"""Values given by `--set`: written as in a spec, `10`, `0.5`, `true`, `[2, 2]`, `(4 * 64)`, `"text"`; a bare word is a text
too, and so is a stage with arguments, `(leaky_relu 0.2)`, which only the spec can evaluate."""

from __future__ import annotations

from netc.compiler.elaborate import Failure, evaluate_constant
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl import ast
from netc.dsl.diagnostics.render.cells import escape_text
from netc.dsl.parser import parse_value
from netc.dsl.source import SourceFile


class NotAValue(ValueError):
    """A text that is no compile-time value."""


def parse_constant(text: str) -> object:
    """The value that a text is."""
    expr, problems = parse_value(SourceFile("<value>", text))
    if expr is None:
        why = problems[0].message if problems else "not a value"
        raise NotAValue(f"`{escape_text(text)}` is not a value: {why}")
    if isinstance(expr, ast.Name) and expr.name not in DTYPES:
        return expr.name
    if isinstance(expr, ast.StageExpr):
        return text
    try:
        return evaluate_constant(expr)
    except Failure as failure:
        raise NotAValue(f"`{escape_text(text)}` is not a value: {failure.problem.format_message()}") from None
