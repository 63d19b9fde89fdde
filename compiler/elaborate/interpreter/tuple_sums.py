"""Sizes that the tensors of a tuple have together: `(x, others...) -> concat axis=1`.

In: tensors, some of them as parts of tuples, and the graph that is being elaborated. Out: the sum of their sizes along an axis. Always: a
tuple that the body gets has one symbol for the sum, however many tensors it has and if it has none, so that bodies that differ in the length
of a tuple have the same formulas.
"""

from __future__ import annotations

from ...dims import Dim
from ...ir.origins import Origin, is_integer, named
from ...ir.values import Part, Parts, TupleSlice, Value, ValueTuple
from ..scopes.scope import GraphFrame


def summed(parts: Parts, axis: int, frame: GraphFrame) -> Dim:
    """The sizes of all tensors along the axis, counted from the front."""
    total: Dim = 0
    for part in parts:
        total = total + _size(part, axis, frame)
    return total


def _size(part: Part, axis: int, frame: GraphFrame) -> Dim:
    if isinstance(part, Value):
        return part.type.shape[axis]
    if part.is_whole and part.of.made:
        return summed(part.of.made, axis, frame)
    sizes = [v.type.shape[axis] for v in part.values]
    if part.is_whole and frame.owner and part.of in frame.graph.tuples and all(map(is_integer, sizes)):
        return _symbol(part.of, axis, sum(map(int, sizes)), frame)
    return summed(part.values, axis, frame)


def _symbol(of: ValueTuple, axis: int, total: int, frame: GraphFrame) -> int:
    """The sum as a symbol of the graph."""
    own = frame.lead is not None and of is frame.graph.tuples[0]
    name = f"{frame.owner}[{'' if own else of.name}...].{axis}"
    frame.graph.origins.setdefault(name, Origin("", total, None, None, of, axis))
    made: int = named(total, name)
    return made
