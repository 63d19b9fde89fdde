"""Parse the values of `--set`, which are written as in a spec.

A bare word is a string too, because a shell removes the quotes. So is a stage with arguments, which only the spec can evaluate.

    >>> [parse_constant(text) for text in ("10", "0.5", "true", "[2, 2]", "(4 * 64)", '"text"', "relu", "(leaky_relu 0.2)")]
    [10, 0.5, True, (2, 2), 256, 'text', 'relu', '(leaky_relu 0.2)']
"""

from __future__ import annotations

from netc.compiler.elaborate import Failure, evaluate_constant
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl import ast
from netc.dsl.diagnostics.render.cells import escape_text
from netc.dsl.parser import parse_value
from netc.dsl.source import SourceFile


class NotAValue(ValueError):
    """The text is not a compile-time value."""


def parse_constant(text: str) -> object:
    """Return the value of a text. Raises `NotAValue`."""
    expr, problems = parse_value(SourceFile("<value>", text))
    if expr is None:
        why = problems[0].message if problems else "not a value"
        raise NotAValue(f"`{escape_text(text)}` is not a value: {why}")
    # a bare word is a string, but `float32` is an element type
    if isinstance(expr, ast.Name) and expr.name not in DTYPES:
        return expr.name
    if isinstance(expr, ast.StageExpr):
        return text
    try:
        return evaluate_constant(expr)
    except Failure as failure:
        raise NotAValue(f"`{escape_text(text)}` is not a value: {failure.problem.format_message()}") from None
