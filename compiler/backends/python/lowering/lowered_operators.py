"""Operators that no spec can use: the parts of others that several of them, or several layers, have in common.

In: an operator's node. Out: the nodes that compute the same. Always: a part that no tensor decides has no inputs but `x`, a tensor whose
type and device it has, and the positions that are given; equal parts have equal operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ....dims import Dim, Facts
from ....ir.graph import Graph, Node, OpNode
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
from .graph_labels import collect_labels


class LoweredOperator(Operator):
    """Not registered: it has no name in the language."""

    def __init_subclass__(cls) -> None:
        return None


class RotaryAngles(LoweredOperator):
    """The cosines and sines of the angles by which `length` positions are rotated, for each pair of the `dims` features; of the positions
    given, with `between` axes of size 1 after the batch's."""

    name = "rotary"
    x = Input(FLOATS)
    positions = Input(INTEGERS, optional=True)
    length = Arg(DIM)
    dims = Arg(SIZE)
    base = Arg(NUMBER)
    between = Arg(COUNT)


class OpenRotaryAngles(RotaryAngles):
    """The same for a number of features that is known at run time only, or in float64."""


class Rotate(LoweredOperator):
    """Rotates pairs of features, given the cosines and sines."""

    name = "rotary"
    x = Input(FLOATS)
    cos = Input(FLOATS, like="x")
    sin = Input(FLOATS, like="x")
    dims = Arg(SIZE, default=None)
    interleaved = Arg(FLAG)


class WindowMask(LoweredOperator):
    """True where a query of `length` ones may see one of `span` keys, of which the last belongs to the last query: its own, and those
    before it, `window` in all if that is given."""

    name = "window_mask"
    length = Arg(DIM)
    span = Arg(DIM)
    window = Arg(COUNT, default=None)


class CausalMask(LoweredOperator):
    """What hides later keys in multi-head attention: -inf of the type of `x`, or, without it, true, where a query of `length`
    ones may not see one of `span` keys. The first query belongs to the key numbered `offset`."""

    name = "causal_mask"
    x = Input(FLOATS, optional=True)
    length = Arg(DIM)
    span = Arg(DIM)
    offset = Arg(DIM, default=0)


class CausalMultiheadAttention(MultiheadAttention):
    """Given the mask that makes it causal, as its last input."""

    def assign_operands(self, types: tuple[TensorType, ...]) -> tuple[str, ...]:
        return (*super().assign_operands(types[:-1]), "attn_mask")


class ToModelType(LoweredOperator):
    """Converts to the element type of the model: that of `other`, or of the `parameter` of the stage at `path`."""

    name = "cast"
    x = Input()
    other = Input(FLOATS, optional=True)
    path = Arg(STRING)
    parameter = Arg(STRING)


class ConvertedTable(TableOperator):
    """A table that is computed at run time, converted in the same way."""

    other = Input(FLOATS, optional=True)
    path = Arg(STRING)
    parameter = Arg(STRING)


class ExactTable(TableOperator):
    """A table whose values keep the precision that they are computed in."""


def lower_operators(order: Iterable[Graph], facts: Facts) -> None:
    """Writes operators in terms of their parts."""
    for graph in order:
        writer = _OperatorLowering(graph, facts)
        graph.nodes = [made for node in graph.nodes for made in writer.lower_node(node)]


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
        static = isinstance(dims, int) and x.type.dtype != FLOAT64
        angles, between = self._make_angles(x, positions, dims // 2)
        tables = (RotaryAngles if static else OpenRotaryAngles)(length=length, dims=dims, base=op.base, between=between)
        whole = self.facts.are_equal(dims, x.type.shape[-1])
        rotation = Rotate(dims=None if whole else dims, interleaved=op.interleaved)
        return [
            OpNode(tables, (self._find_like(x), *positions), angles, self._make_label("rotary"), node.span, ()),
            OpNode(rotation, (x, *angles), node.outputs, node.label, node.span, ()),
        ]

    def _make_angles(self, x: Value, positions: list[Value], pairs: Dim) -> tuple[tuple[Value, ...], int]:
        """The cosines and sines, and the number of axes between the batch, if positions have one, and their own."""
        batch: tuple[Dim, ...] = ()
        if positions and positions[0].type.rank == 2:
            batch = (positions[0].type.shape[0], *(1,) * (x.type.rank - 3))
        made = x.type.with_shape((*batch, x.type.shape[-2], pairs))
        return tuple(Value(made, x.span, name) for name in ("cos", "sin")), max(len(batch) - 1, 0)

    def _lower_attention(self, op: Attention, node: OpNode) -> list[Node]:
        """What kernels have no argument for: they know causal attention only that starts with the same position of queries and keys."""
        given = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        if op.window is None and not op.ends_together(given, "q", "k"):
            return [node]
        length, span = given.q.shape[-2], given.k.shape[-2]
        span = length if self.facts.are_equal(length, span) else span
        mask = Value(TensorType(BOOL, (length, span)), node.span, "mask")
        masked = Attention(**{**op.args, "causal": False, "align": None, "window": None})
        return [
            OpNode(WindowMask(length=length, span=span, window=op.window), (), (mask,), self._make_label("mask"), node.span, ()),
            OpNode(masked, (*node.inputs, mask), node.outputs, node.label, node.span, node.specs, node.tie, node.shared),
        ]

    def _lower_multihead_attention(self, op: MultiheadAttention, node: OpNode) -> list[Node]:
        """The mask of keys that attention takes as well must be bool if this one is."""
        given = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        query = node.inputs[0]
        length, span = query.type.shape[-2], given[op.key_input(given)].shape[-2]
        is_bool = not self.facts.are_equal(length, span) or ("padding" in given and given.padding.dtype == BOOL)
        mask = Value(TensorType(BOOL if is_bool else query.type.dtype, (length, span)), node.span, "mask")
        like = () if is_bool else (self._find_like(query),)
        attention = CausalMultiheadAttention(**op.args)
        offset = span - length if op.ends_together(given, "query", op.key_input(given)) else 0
        return [
            OpNode(CausalMask(length=length, span=span, offset=offset), like, (mask,), self._make_label("mask"), node.span, ()),
            OpNode(
                attention, (*node.inputs, mask), node.outputs, node.label, node.span, node.specs, node.tie, node.shared, frozen=node.frozen
            ),
        ]

    def _find_like(self, value: Value) -> Value:
        """A tensor of the same element type that is there from the start, if any."""
        return next((v for v in self.graph.inputs if v.type.dtype == value.type.dtype), value)

    def _make_label(self, wanted: str) -> str:
        label = make_unique(wanted, self.labels)
        self.labels.add(label)
        return label
