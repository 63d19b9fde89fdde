"""How evaluation of one construct ends early. The statement or stage around it catches these and goes on.

>>> from netc.dsl.source import SourceFile
>>> from ...errors.binding_errors import BoundTwice
>>> try:
...     raise Failure(BoundTwice("x"), Span(SourceFile("a.net", "x = input 3"), 0, 1))
... except Failure as failure:
...     print(failure.span, failure.problem.format_message())
a.net:1:1 `x` is defined twice
"""

from __future__ import annotations

from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

from ...errors.problem import Problem
from ...types.tensor_types import TensorType

Marks = tuple[tuple[Span, str], ...]


class Failure(Exception):
    """A problem with its span: raised by an expression or a stage, caught and reported by the statement around it.

    `label` replaces the problem's own text under the carets, when that text is at a mark instead. `final`: there is no point in going on
    with the program. `edits` carry out the help where that concerns more than the span. `declared_type`: the type that the text gives the
    result of the stage that failed, with which the stages after it are checked.
    """

    declared_type: TensorType | None = None

    def __init__(
        self, problem: Problem, span: Span, marks: Marks = (), label: str | None = None, final: bool = False, edits: tuple[Edit, ...] = ()
    ) -> None:
        super().__init__(problem.format_message())
        self.problem = problem
        self.span = span
        self.marks = marks
        self.label = label
        self.final = final
        self.edits = edits


def edits_for(problem: Problem, span: Span, edits: tuple[Edit, ...] = ()) -> tuple[Edit, ...]:
    """Return the edits that carry out the help of a problem: these, or its replacement of the span."""
    new = problem.make_replacement()
    return edits or (() if new is None else (Edit(span.shrink_to_start() if new.before else span, new.text, new.safe),))


class AlreadyReported(Exception):
    """An operand is `UNKNOWN`: its failure has been reported, and there is nothing to add."""


class LimitExceeded(Exception):
    """The program is too large to go on with; this has been reported."""
