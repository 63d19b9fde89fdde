"""What is known of a tensor of the whole while it is computed piece by piece.

A stream along T has had P positions before; the next piece has T. A tensor of the whole is one of two things in the step: `Fixed`, the same
for the whole stream; or a `Piece`, which has an element for each position.

For every piece two numbers decide what can be computed when. `over`: the axis has T + over elements in the whole. `ahead`: of these, P +
ahead exist after P positions, so that a piece holds the elements P + ahead to P + T + ahead. `before` are the first `ahead` elements, which
no piece holds: they do not depend on the input. Padding in front adds to both numbers, a window takes its span away. A result whose `ahead`
is below 0 depends on inputs that come later. The elements between `ahead` and `over` are its `tail`: which of them there are depends on
where the sequence ends. After strides, T and P are the lengths of that tensor, and both numbers count its elements.
"""

from __future__ import annotations

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..errors.problem import Problem
from ..ir.graph_values import Value

Number = int | float | bool


class Fixed(Record):
    """A tensor that is the same in each step. A `constant` depends on no input: it is `step` in the step. Any other is computed once,
    before the first step; `start` is it there."""

    step: Value | None
    start: Value

    @property
    def constant(self) -> bool:
        return self.step is not None


class Blame(Record):
    """An operator because of which the last `count` elements depend on where the sequence ends; `late`: it does not look ahead, but begins
    at the first element, so that what is in front of the sequence makes its results late."""

    operator: str
    span: Span
    count: int
    late: bool = False


class Piece(Record):
    """A tensor with an element for each position, along `axis`. `history`: the axis that has an element for each position so far, those of
    earlier pieces in front. `later`: of scores with both, what is known of those of positions that come later."""

    value: Value
    axis: int
    ahead: int = 0
    over: int = 0
    before: Value | Number | None = None
    tail: tuple[Blame, ...] = ()
    history: int | None = None
    later: Number | None = None

    @property
    def rank(self) -> int:
        return self.value.type.rank

    def shifted(self, by: int, over: int) -> Piece:
        """The same elements, which are now `by` further ahead."""
        return replace(self, ahead=self.ahead + by, over=over)

    def blamed(self, before: tuple[Blame, ...], operator: str, span: Span, late: bool) -> Piece:
        """The same, made of a piece with the tail `before` by that operator: what it adds is its own, what it cuts off was added last."""
        wanted, tail = max(self.over - self.ahead, 0), list(before)
        while tail and sum(one.count for one in tail) > wanted:
            last = tail.pop()
            left = wanted - sum(one.count for one in tail)
            tail += [replace(last, count=left)] if left > 0 else []
        missing = wanted - sum(one.count for one in tail)
        return replace(self, tail=(*tail, *([Blame(operator, span, missing, late)] if missing else [])))


class Withheld(Record):
    """A result that is not known before the end of the stream; `so_far` is what it would be if the stream ended here. `has_positions`: it
    has an element for each position, which may be known earlier, but no rule says how."""

    operator: str
    span: Span
    so_far: Value | None = None
    has_positions: bool = False


Item = Fixed | Piece | Withheld


class Refused(Exception):
    """What cannot be streamed, and where."""

    def __init__(self, problem: Problem, span: Span) -> None:
        super().__init__(problem.message())
        self.problem, self.span = problem, span
