"""Describe a tensor of the full program while it is computed chunk by chunk.

A stream along T has had P positions before; the next chunk has T. A tensor of the full program is one of two things in the step: a
`FixedTensor`, the same for the entire stream; or a `Chunk`, which has an element for each position.

For every chunk two numbers decide what can be computed when. `over`: the axis has T + over elements in the full program. `ahead`: of these,
P + ahead exist after P positions, so that a chunk holds the elements P + ahead to P + T + ahead. `before` are the first `ahead` elements,
which no chunk holds: they do not depend on the input. Padding in front adds to both numbers; a window subtracts its span. A result whose
`ahead` is below 0 depends on inputs that come later. The elements between `ahead` and `over` are its `tail`: which of them exist depends on
where the sequence ends. After strides, T and P are the lengths of that tensor, and both numbers count its elements.

For example, a convolution of 3 positions has a padding of 2 in front if it is causal. The padding adds 2 to both numbers and the window
subtracts 2, so each chunk has as many results as positions.
"""

from __future__ import annotations

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..errors.problem import Problem
from ..ir.graph_values import Value

Number = int | float | bool


class FixedTensor(Record):
    """A tensor that is the same in each step.

    A constant depends on no input, and `step` is its value in the step. Any other is computed once, before the first step, as `start`.
    """

    step: Value | None
    start: Value

    @property
    def is_constant(self) -> bool:
        return self.step is not None


class LookaheadCause(Record):
    """The operator that makes the last `count` elements of a chunk depend on where the sequence ends.

    `late`: the operator does not look ahead, but begins at the first element, so elements in front of the sequence delay its results.
    """

    operator: str
    span: Span
    count: int
    late: bool = False


class Chunk(Record):
    """A tensor with an element for each position, along `axis`.

    `history` is the axis that has an element for each position so far, with the elements of earlier chunks in front. `later`: for scores
    with both axes, the value or bound of the scores of positions that come later. `first`: the same for the first query and itself.
    `mirror`: the number of first elements that are missing, because they mirror later ones.
    """

    value: Value
    axis: int
    ahead: int = 0
    over: int = 0
    before: Value | Number | None = None
    tail: tuple[LookaheadCause, ...] = ()
    history: int | None = None
    later: Number | None = None
    first: Number | None = None
    mirror: int = 0

    @property
    def rank(self) -> int:
        return self.value.type.rank

    def shift_ahead(self, by: int, over: int) -> Chunk:
        """Return a chunk with the same elements, `by` further ahead."""
        return replace(self, ahead=self.ahead + by, over=over)

    def add_causes(self, before: tuple[LookaheadCause, ...], operator: str, span: Span, late: bool) -> Chunk:
        """Return the chunk with its causes, made by that operator from a chunk with the causes `before`. It takes causes off at their end,
        where the last ones were added, and adds its own."""
        wanted, tail = max(self.over - self.ahead, 0), list(before)
        while tail and sum(cause.count for cause in tail) > wanted:
            last = tail.pop()
            remaining = wanted - sum(cause.count for cause in tail)
            tail += [replace(last, count=remaining)] if remaining > 0 else []
        # What no earlier operator explains, this one has added.
        missing = wanted - sum(cause.count for cause in tail)
        return replace(self, tail=(*tail, *([LookaheadCause(operator, span, missing, late)] if missing else [])))


class DelayedOutput(Record):
    """A result that is known only at the end of the stream; `so_far` is its value if the stream ended here.

    `has_positions`: it has an element for each position, which may be known earlier, but no rule says how.
    """

    operator: str
    span: Span
    so_far: Value | None = None
    has_positions: bool = False


Item = FixedTensor | Chunk | DelayedOutput


class StreamRefused(Exception):
    """Raised for an operator that cannot be streamed, with its span."""

    def __init__(self, problem: Problem, span: Span) -> None:
        super().__init__(problem.format_message())
        self.problem, self.span = problem, span
