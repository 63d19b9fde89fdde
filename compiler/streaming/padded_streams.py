"""Stream samples of different lengths, with a mask that marks the padding.

In: the mask of all positions so far, true where the sample has an element. Out: for each position its number among the sample's elements,
and for each query the keys that it sees. Always: no query sees a padding position, wherever that is. Operators that depend on the distance
of positions, or on a state that every position changes, are refused.

For example, the mask `[0, 1, 1]` numbers the positions 0, 0 and 1, and the query of the last position sees the last two keys.
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
from ..ops.regularization import Dropping, PassingOn
from ..ops.rotary import Rotary
from ..ops.shape import Cast, Unsqueeze
from ..ops.slicing import Slice
from ..types.tensor_types import BOOL
from .items import Chunk, Item
from .step_builder import FlatBuilder
from .stream_lengths import StreamLength

KEY, VALUE = "key", "value"
"""The states that are allowed: each of their elements belongs to one position, which the mask can hide."""
_ROW_OPERATORS = (Embedding, Dense, Pointwise, NumberOrTensor, Pair, Cast, PassingOn, Dropping, _LastAxesNormalization, Rotary)
"""The operators that take different positions for each sample where the model has the same for all: they count axes from the end."""


class PaddingMask:
    """The mask of a step, `[N, P + T]`, and tensors derived from it, each made when it is first needed."""

    def __init__(self, mask: Value, length: StreamLength, step: FlatBuilder) -> None:
        self.mask = mask
        self._length = length
        self._step = step
        self._numbers: Value | None = None
        self._positions: Value | None = None
        self._seen: dict[int | None, Value] = {}

    def number_positions(self) -> Value:
        """Number the positions of the chunk by the elements of the sample before them: `[N, T]`."""
        if self._positions is None:
            length = self._length
            self._positions = self._add_operator(Slice(axis=1, start=length.past, stop=length.past + length.chunk), self._number_all())
        return self._positions

    def make_causal_mask(self, window: int | None) -> Value:
        """Make the mask `[N, 1, T, P + T]` of causal attention, to the last `window` keys only if a window is set."""
        if window not in self._seen:
            self._seen[window] = self._build_mask(window)
        return self._seen[window]

    def _number_all(self) -> Value:
        if self._numbers is None:
            after = self._add_operator(Sub(), self._add_operator(Cumsum(axis=1), self.mask), self._add_table((1,), Const(1)))
            # A position of padding in front has no element before it: without the maximum, its number would be -1.
            self._numbers = self._add_operator(Maximum(), after, self._add_table((1,), Const(0)))
        return self._numbers

    def _build_mask(self, window: int | None) -> Value:
        length = self._length
        last = BinaryFormula("+", IndexFormula(0), Const(length.past))
        causal = self._add_table((length.chunk, length.past + length.chunk), BinaryFormula("<=", IndexFormula(1), last))
        mask = self._add_operator(LogicalAnd(), causal, self._unsqueeze_axes(self._add_operator(Cast(dtype=BOOL), self.mask), 1, 1))
        if window is None:
            return mask
        query, key = self._unsqueeze_axes(self.number_positions(), 1, 3), self._unsqueeze_axes(self._number_all(), 1, 1)
        # A window counts the elements of the sample, not the padding between them.
        near = self._add_operator(Lt(), self._add_operator(Sub(), query, key), self._add_table((1,), Const(window)))
        return self._add_operator(LogicalAnd(), mask, near)

    def _unsqueeze_axes(self, x: Value, *axes: int) -> Value:
        for axis in axes:
            x = self._add_operator(Unsqueeze(axis=axis), x)
        return x

    def _add_table(self, shape: tuple[Dim, ...], formula: Formula) -> Value:
        return self._add_operator(TableOperator(indices=tuple(f"i{i}" for i in range(len(shape))), shape=shape, formula=formula))

    def _add_operator(self, op: Operator, *inputs: Value) -> Value:
        return self._step.add_operator(op, inputs, self.mask.span)[0]


def explain_refused_rows(node: OpNode, items: list[Item]) -> str:
    """Explain why an operator cannot take different positions for each sample. Empty if it can."""
    # The chunk has an axis more than the model's tensor: the batch, in front.
    widened = any(isinstance(x, Chunk) and x.value.type.rank > v.type.rank for x, v in zip(items, node.inputs, strict=True))
    return (
        "with padding, samples have positions of their own, for which netc has no rule"
        if widened and not isinstance(node.op, _ROW_OPERATORS)
        else ""
    )
