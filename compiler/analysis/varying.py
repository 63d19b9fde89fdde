"""Which tensors of a graph depend on the samples, and which are the same for any batch.

In: the main graph of a program, whose inputs are data. Out: the ids of its own values that depend on an input, or on the number of samples.
Always: calls are opened, so that a model's learned scale and the scores that the same call gives are distinct; of a loop that takes
anything that depends on the samples, all results do.
"""

from __future__ import annotations

from ..dims import SymDim, symbols
from ..ir.flat import FlatGraph, FlatNode, FlatScan
from ..ir.graph import Graph, OpNode
from ..ir.types import BATCH, Shape


def varying(main: Graph) -> set[int]:
    """The ids of the values that differ between samples, or between batches."""
    flat = FlatGraph(main)
    found = set(range(len(main.inputs)))
    loops: list[bool] = []
    for item in flat:
        if isinstance(item, FlatNode):
            if any(key in found for key in item.inputs) or _of_size(item.node):
                found.update(item.outputs)
                loops = [True] * len(loops)
        elif isinstance(item, FlatScan):
            loops.append(any(key in found for key in item.inputs))
            found.update(item.given if loops[-1] else ())
        elif loops.pop():
            found.update(item.outputs)
            loops = [True] * len(loops)
    return flat.ids(found)


def batches(shape: Shape) -> int:
    """The number of axes that are the batch, or have it as a factor."""
    return sum(BATCH in sizes_in(size) for size in shape)


def sizes_in(value: object) -> set[str]:
    """The dimensions, known at run time only, in a number or a list of numbers."""
    if isinstance(value, tuple):
        return set().union(*map(sizes_in, value))
    return set(map(str, symbols(value))) if isinstance(value, SymDim) else set()


def has_sizes(node: OpNode) -> bool:
    """Whether an operator's numbers, or the shapes of its results, are known at run time only."""
    return any(sizes_in(value) for value in (*node.op.numbers, *(v.type.shape for v in node.outputs)))


def _of_size(node: OpNode) -> bool:
    return any(BATCH in sizes_in(value) for value in (*node.op.numbers, *(v.type.shape for v in node.outputs)))
