"""Operators that no spec can use: parts of other operators that several operators, or several layers, have in common.

In: an operator's node. Out: nodes that compute the same: `rotary` becomes `RotaryAngles`, which gives cosines and sines, and `Rotate`.
Always: a part whose values depend on no tensor has no inputs but `x`, which gives type and device, and explicit positions. Equal parts have
equal operators, so that the next pass can hoist them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ....dims import Dim, Facts
from ....ir.graph import Graph, Node, OpNode
from ....ir.graph_labels import collect_labels
from ....ir.graph_values import Value
from ....ops.attention import Attention
from ....ops.constants import TableOperator
from ....ops.element_types import FLOATS, INTEGERS
from ....ops.kinds import COUNT, DIM, FLAG, NUMBER, SIZE, STRING
from ....ops.multihead import MultiheadAttention
from ....ops.operand import Input
from ....ops.operator import Arg, Operator
from ....ops.rotary import Rotary
from ....types.tensor_types import BOOL, FLOAT64, TensorType
from ..identifiers import make_unique


class LoweredOperator(Operator):
    """Not registered: it has no name in the language."""

    def __init_subclass__(cls) -> None:
        return None


class RotaryAngles(LoweredOperator):
    """The cosines and sines of the angles that rotate `length` positions, for each pair of the `dims` features. With `positions`, those
    are rotated, and `between` axes of size 1 follow the batch axis."""

    name = "rotary"
    x = Input(FLOATS)
    positions = Input(INTEGERS, optional=True)
    length = Arg(DIM)
    dims = Arg(SIZE)
    base = Arg(NUMBER)
    between = Arg(COUNT)


class OpenRotaryAngles(RotaryAngles):
    """The same for a number of features that only run time knows, or in float64."""


class Rotate(LoweredOperator):
    """Rotates pairs of features by cosines and sines."""

    name = "rotary"
    x = Input(FLOATS)
    cos = Input(FLOATS, like="x")
    sin = Input(FLOATS, like="x")
    dims = Arg(SIZE, default=None)
    interleaved = Arg(FLAG)


class WindowMask(LoweredOperator):
    """True where one of `length` queries may see one of `span` keys. The last query belongs to the last key. It sees that key and the keys
    before it, `window` keys in all if a window is set."""

    name = "window_mask"
    length = Arg(DIM)
    span = Arg(DIM)
    window = Arg(COUNT, default=None)


class CausalMask(LoweredOperator):
    """The mask that hides later keys in multi-head attention: -inf in the type of `x` or, without `x`, true where one of `length` queries
    may not see one of `span` keys. The first query belongs to key `offset`."""

    name = "causal_mask"
    x = Input(FLOATS, optional=True)
    length = Arg(DIM)
    span = Arg(DIM)
    offset = Arg(DIM, default=0)


class CausalMultiheadAttention(MultiheadAttention):
    """Multi-head attention whose last input is the mask that makes it causal."""

    def assign_operands(self, types: tuple[TensorType, ...]) -> tuple[str, ...]:
        return (*super().assign_operands(types[:-1]), "attn_mask")


class ToModelType(LoweredOperator):
    """Converts to the element type of the model: the type of `other`, or of the `parameter` of the stage at `path`."""

    name = "cast"
    x = Input()
    other = Input(FLOATS, optional=True)
    path = Arg(STRING)
    parameter = Arg(STRING)


class ConvertedTable(TableOperator):
    """A table that is computed at run time, then converted like `ToModelType`."""

    other = Input(FLOATS, optional=True)
    path = Arg(STRING)
    parameter = Arg(STRING)


class ExactTable(TableOperator):
    """A table whose values keep the precision in which they are computed."""


def lower_operators(order: Iterable[Graph], facts: Facts) -> None:
    """Replace operators by nodes for their parts."""
    for graph in order:
        writer = _OperatorLowering(graph, facts)
        graph.nodes = [lowered for node in graph.nodes for lowered in writer.lower_node(node)]


class _OperatorLowering:
    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.graph, self.facts = graph, facts

    @cached_property
    def labels(self) -> set[str]:
        return collect_labels(self.graph)

    def lower_node(self, node: Node) -> list[Node]:
        match node:
            case OpNode(op=Rotary() as op):
                return self._lower_rotary(op, node)
            case OpNode(op=Attention(causal=True) as op):
                return self._lower_attention(op, node)
            case OpNode(op=MultiheadAttention(causal=True) as op):
                return self._lower_multihead_attention(op, node)
        return [node]

    def _lower_rotary(self, op: Rotary, node: OpNode) -> list[Node]:
        x, *positions = node.inputs
        dims, length = op.rotated_size(x.type), x.type.shape[-2]
        # A buffer of angles has a fixed number of columns and float32 values; other cases compute the angles in `forward`.
        static = isinstance(dims, int) and x.type.dtype != FLOAT64
        angles, between = self._make_angles(x, positions, dims // 2)
        tables = (RotaryAngles if static else OpenRotaryAngles)(length=length, dims=dims, base=op.base, between=between)
        rotates_all = self.facts.are_equal(dims, x.type.shape[-1])
        # Rotating all features needs no split of them, so `dims` is None then.
        rotation = Rotate(dims=None if rotates_all else dims, interleaved=op.interleaved)
        return [
            OpNode(tables, (self._find_input_of_same_type(x), *positions), angles, self._make_label("rotary"), node.span, ()),
            OpNode(rotation, (x, *angles), node.outputs, node.label, node.span, ()),
        ]

    def _make_angles(self, x: Value, positions: list[Value], pairs: Dim) -> tuple[tuple[Value, ...], int]:
        """Return values for the cosines and sines, and the number of axes between the batch axis of positions and their own."""
        batch: tuple[Dim, ...] = ()
        if positions and positions[0].type.rank == 2:
            batch = (positions[0].type.shape[0], *(1,) * (x.type.rank - 3))
        angles_type = x.type.with_shape((*batch, x.type.shape[-2], pairs))
        return tuple(Value(angles_type, x.span, name) for name in ("cos", "sin")), max(len(batch) - 1, 0)

    def _lower_attention(self, op: Attention, node: OpNode) -> list[Node]:
        """Make a mask where kernels have no argument: their `is_causal` assumes that queries and keys start at the same position."""
        inputs = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        if op.window is None and not op.ends_together(inputs, "q", "k"):
            return [node]
        length, span = inputs.q.shape[-2], inputs.k.shape[-2]
        # One size for both axes where they are equal, so that layers with either spelling share one mask.
        span = length if self.facts.are_equal(length, span) else span
        mask = Value(TensorType(BOOL, (length, span)), node.span, "mask")
        masked = Attention(**{**op.args, "causal": False, "align": None, "window": None})
        return [
            OpNode(WindowMask(length=length, span=span, window=op.window), (), (mask,), self._make_label("mask"), node.span, ()),
            OpNode(masked, (*node.inputs, mask), node.outputs, node.label, node.span, node.specs, node.tie, node.shared),
        ]

    def _lower_multihead_attention(self, op: MultiheadAttention, node: OpNode) -> list[Node]:
        """Make the causal mask. It must be bool if the mask of padded keys is bool, because attention takes both."""
        inputs = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        query = node.inputs[0]
        length, span = query.type.shape[-2], inputs[op.key_input(inputs)].shape[-2]
        is_bool = not self.facts.are_equal(length, span) or ("padding" in inputs and inputs.padding.dtype == BOOL)
        mask = Value(TensorType(BOOL if is_bool else query.type.dtype, (length, span)), node.span, "mask")
        like = () if is_bool else (self._find_input_of_same_type(query),)
        attention = CausalMultiheadAttention(**op.args)
        offset = span - length if op.ends_together(inputs, "query", op.key_input(inputs)) else 0
        return [
            OpNode(CausalMask(length=length, span=span, offset=offset), like, (mask,), self._make_label("mask"), node.span, ()),
            OpNode(
                attention, (*node.inputs, mask), node.outputs, node.label, node.span, node.specs, node.tie, node.shared, frozen=node.frozen
            ),
        ]

    def _find_input_of_same_type(self, value: Value) -> Value:
        """Return an input of the same element type if there is one: a hoisted constant needs a tensor that exists outside the layer."""
        return next((v for v in self.graph.inputs if v.type.dtype == value.type.dtype), value)

    def _make_label(self, wanted: str) -> str:
        label = make_unique(wanted, self.labels)
        self.labels.add(label)
        return label
