"""Emit lines of Python: literals and calls.

>>> to_literal((0.9, 1 / 300)), quote_string("min")
('(0.9, 1 / 300)', '"min"')
>>> format_call("x = ", "f", ["a", "b"])
['x = f(a, b)']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..optimizers import CosineTo

LONGEST = 100
"""The longest line."""


class Expression(int):
    """A number of steps that is known only when the file runs: an expression, with a large value for comparisons. A difference is at least
    1, because a run may be shorter than the first stages of its schedule."""

    text: str

    def __new__(cls, text: str, value: int = 10**9) -> Expression:
        expression = super().__new__(cls, value)
        expression.text = text
        return expression

    def __sub__(self, other: int) -> Expression:
        return Expression(f"max(1, {self.text} - {other})" if other else self.text, int(self) - other)

    def __rtruediv__(self, other: float) -> Reciprocal:
        return Reciprocal(f"{other} / {self.text}")


class Reciprocal(float):
    """A number divided by an `Expression`."""

    text: str

    def __new__(cls, text: str) -> Reciprocal:
        reciprocal = super().__new__(cls, 0.5)
        reciprocal.text = text
        return reciprocal


def to_literal(value: Any) -> str:
    """Emit a value of a setting as Python: `0.02`, `1 / 300`, `True`, `"min"`, `(0.9, 0.95)`."""
    match value:
        case Expression() | Reciprocal():
            return value.text
        case CosineTo():
            return value.to_python(to_literal(value.length))
        case tuple() | list():
            inside = ", ".join(map(to_literal, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case dict():
            return f"{{{', '.join(f'{to_literal(key)}: {to_literal(item)}' for key, item in value.items())}}}"
        case str():
            return quote_string(str(value))
        # A spec computes `1 / 300`, and the reader of the file should see it rather than 0.0033333333333333335.
        case float() if 0 < value < 1 and len(repr(value)) > 8 and 1 / round(1 / value) == value:
            return f"1 / {round(1 / value)}"
        case _:
            return repr(value)


def quote_string(text: str) -> str:
    """Emit a string in double quotes unless it contains some."""
    text_repr = repr(text)
    return f'"{text_repr[1:-1]}"' if text_repr[0] == "'" and '"' not in text_repr and "\\'" not in text_repr else text_repr


def format_keywords(options: Mapping[str, Any]) -> list[str]:
    """Emit `lr=0.001` for each option."""
    return [f"{name}={to_literal(value)}" for name, value in options.items()]


def count_indent(line: str) -> int:
    """Count the spaces at the beginning of a line."""
    return len(line) - len(line.lstrip())


def format_call(head: str, function: str, arguments: Sequence[str], tail: str = "") -> list[str]:
    """Emit a statement that calls a function, on one line or with a line for each argument."""
    line = f"{head}{function}({', '.join(arguments)}){tail}"
    if len(line) <= LONGEST:
        return [line]
    indent = " " * count_indent(head)
    return [f"{head}{function}(", *(f"{indent}    {one}," for one in arguments), f"{indent}){tail}"]


def join_names(names: Sequence[str]) -> str:
    """Join names to `loss, error and accuracy`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
