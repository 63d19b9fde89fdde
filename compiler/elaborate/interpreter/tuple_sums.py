"""Sizes that the tensors of a tuple have together: `(x, others...) -> concat axis=1`.

`sum_sizes` takes tensors, some of them as parts of tuples, and the graph that is being elaborated, and returns the sum of their sizes along
an axis. A tuple that the body gets, or that an `if` gives, has one symbol for the sum, however many tensors it has and if it has none, so
that bodies that differ in the length of a tuple have the same formulas.

For example, both uses of `block join(xs...) { xs -> concat axis=1 }`, with two tensors and with five, are the same class: the size of the
result is one symbol of the graph, whose value each call gives.
"""

from __future__ import annotations

from ...dims import Dim
from ...ir.graph_values import JoinedTuple, Part, Parts, Value, ValueTuple
from ...ir.traced_floats import trace_argument
from ...types.traced_ints import Origin, is_integer
from ..scopes.scope import GraphFrame


def sum_sizes(parts: Parts, axis: int, frame: GraphFrame) -> Dim:
    """The sizes of all tensors along the axis, counted from the front."""
    total: Dim = 0
    for part in parts:
        total = total + _part_size(part, axis, frame)
    return total


def _part_size(part: Part, axis: int, frame: GraphFrame) -> Dim:
    if isinstance(part, Value):
        return part.type.shape[axis]
    name = _tuple_symbol(part.of, frame) if part.is_whole and frame.owner else ""
    total = sum_sizes(part.of.parts if isinstance(part.of, JoinedTuple) and part.is_whole else part.values, axis, frame)
    if not name or not is_integer(total):
        return total
    symbol = f"{frame.owner}[{name}...].{axis}"
    value = total if isinstance(part.of, JoinedTuple) else int(total)
    frame.graph.origins.setdefault(symbol, Origin("", value, None, None, part.of, axis))
    size: int = trace_argument(int(total), symbol)
    return size


def _tuple_symbol(of: ValueTuple, frame: GraphFrame) -> str:
    """Return the name for the symbols of a tuple; empty for a tuple without symbols."""
    if isinstance(of, JoinedTuple):
        return "if{}.{}".format(*of.key)
    if of not in frame.graph.tuples:
        return ""
    return "in" if frame.lead is not None and of is frame.graph.tuples[0] else of.name
