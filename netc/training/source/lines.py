"""Lines of Python: literals and calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..optimizers import CosineTo

LONGEST = 100
"""The longest line."""


class Expression(int):
    """A number of steps that is known when the file runs: an expression, with a large value in its place for comparisons. What is left of
    it is at least 1: a run may be shorter than the first stages of its schedule."""

    text: str

    def __new__(cls, text: str, value: int = 10**9) -> Expression:
        made = super().__new__(cls, value)
        made.text = text
        return made

    def __sub__(self, other: int) -> Expression:
        return Expression(f"max(1, {self.text} - {other})" if other else self.text, int(self) - other)

    def __rtruediv__(self, other: float) -> Reciprocal:
        return Reciprocal(f"{other} / {self.text}")


class Reciprocal(float):
    """A number divided by an `Expression`."""

    text: str

    def __new__(cls, text: str) -> Reciprocal:
        made = super().__new__(cls, 0.5)
        made.text = text
        return made


def literal(value: Any) -> str:
    """A value of a setting as Python: `0.02`, `1 / 300`, `True`, `"min"`, `(0.9, 0.95)`."""
    match value:
        case Expression() | Reciprocal():
            return value.text
        case CosineTo():
            return value.to_python(literal(value.length))
        case tuple() | list():
            inside = ", ".join(map(literal, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case str():
            return quoted(str(value))
        case float() if 0 < value < 1 and len(repr(value)) > 8 and 1 / round(1 / value) == value:
            return f"1 / {round(1 / value)}"
        case _:
            return repr(value)


def quoted(text: str) -> str:
    """A string in double quotes, if it has none."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in shown and "\\'" not in shown else shown


def keywords(options: Mapping[str, Any]) -> list[str]:
    """`lr=0.001`, for each option."""
    return [f"{name}={literal(value)}" for name, value in options.items()]


def indent_of(line: str) -> int:
    """The number of spaces that a line begins with."""
    return len(line) - len(line.lstrip())


def call(head: str, function: str, arguments: Sequence[str], tail: str = "") -> list[str]:
    """A statement that calls a function, in one line or in one for each argument."""
    line = f"{head}{function}({', '.join(arguments)}){tail}"
    if len(line) <= LONGEST:
        return [line]
    indent = " " * indent_of(head)
    return [f"{head}{function}(", *(f"{indent}    {one}," for one in arguments), f"{indent}){tail}"]


def listed(names: Sequence[str]) -> str:
    """`loss, error and accuracy`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
