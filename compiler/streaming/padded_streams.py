"""Streams whose samples are of different lengths: a mask says which positions are there.

In: the mask of all positions so far, true where there is an element of the sample. Out: for each position its number among those that are
there, and for each query the keys that it sees. Always: a position that is not there is seen by no other, wherever it is; what depends on
the distance of positions, or on a state that all of them change, is refused.
"""

from __future__ import annotations

from ..dims import Dim
from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.arithmetic import Maximum, NumberOrTensor, Pair, Sub
from ..ops.comparison import LogicalAnd, Lt
from ..ops.constants import TableOperator
from ..ops.dense import Dense, Embedding
from ..ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ..ops.normalization import _LastAxesNormalization
from ..ops.operator import Operator
from ..ops.pointwise import Pointwise
from ..ops.reduction import Cumsum
from ..ops.regularization import Dropping, Identity
from ..ops.rotary import Rotary
from ..ops.shape import Cast, Unsqueeze
from ..ops.slicing import Slice
from ..types.tensor_types import BOOL
from .items import Item, Piece
from .step_builder import Building
from .stream_lengths import Length

KEY, VALUE = "key", "value"
"""What may be remembered: each element belongs to one position, which the mask hides."""
_ROWS = (Embedding, Dense, Pointwise, NumberOrTensor, Pair, Cast, Identity, Dropping, _LastAxesNormalization, Rotary)
"""What takes positions of each sample where the whole has the same for all: it counts axes from the end."""


class Padding:
    """The mask of a step, `[N, P + T]`, and what follows from it, made when it is first needed."""

    def __init__(self, mask: Value, length: Length, step: Building) -> None:
        self.mask = mask
        self._length = length
        self._step = step
        self._numbers: Value | None = None
        self._positions: Value | None = None
        self._seen: dict[int | None, Value] = {}

    def positions(self) -> Value:
        """Of each position of the piece, how many there are before it in its sample: `[N, T]`."""
        if self._positions is None:
            length = self._length
            self._positions = self._put(Slice(axis=1, start=length.past, stop=length.past + length.piece), self._all())
        return self._positions

    def seen(self, window: int | None) -> Value:
        """The mask `[N, 1, T, P + T]` of causal attention, perhaps to the last `window` keys only."""
        if window not in self._seen:
            self._seen[window] = self._mask(window)
        return self._seen[window]

    def _all(self) -> Value:
        if self._numbers is None:
            after = self._put(Sub(), self._put(Cumsum(axis=1), self.mask), self._table((1,), Const(1)))
            self._numbers = self._put(Maximum(), after, self._table((1,), Const(0)))
        return self._numbers

    def _mask(self, window: int | None) -> Value:
        length = self._length
        last = BinaryFormula("+", IndexFormula(0), Const(length.past))
        causal = self._table((length.piece, length.past + length.piece), BinaryFormula("<=", IndexFormula(1), last))
        mask = self._put(LogicalAnd(), causal, self._with_axes(self._put(Cast(dtype=BOOL), self.mask), 1, 1))
        if window is None:
            return mask
        query, key = self._with_axes(self.positions(), 1, 3), self._with_axes(self._all(), 1, 1)
        near = self._put(Lt(), self._put(Sub(), query, key), self._table((1,), Const(window)))
        return self._put(LogicalAnd(), mask, near)

    def _with_axes(self, x: Value, *axes: int) -> Value:
        for axis in axes:
            x = self._put(Unsqueeze(axis=axis), x)
        return x

    def _table(self, shape: tuple[Dim, ...], formula: Formula) -> Value:
        return self._put(TableOperator(indices=tuple(f"i{i}" for i in range(len(shape))), shape=shape, formula=formula))

    def _put(self, op: Operator, *inputs: Value) -> Value:
        return self._step.put(op, inputs, self.mask.span)[0]


def refuse_rows(node: OpNode, items: list[Item]) -> str:
    """Why an operator cannot take positions that each sample has for itself; empty if it can."""
    widened = any(isinstance(x, Piece) and x.value.type.rank > v.type.rank for x, v in zip(items, node.inputs, strict=True))
    return (
        "with padding, samples have positions of their own, for which netc has no rule"
        if widened and not isinstance(node.op, _ROWS)
        else ""
    )
