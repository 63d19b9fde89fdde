"""Find the tensors of a graph that depend on the samples. All others are the same for any batch.

In: the main graph of a program, whose inputs are data. Out: the ids of its values that depend on an input of samples, or on the number of
samples. Always: an input without a batch axis, such as the weights of classes, is the same for all batches. The analysis looks into calls,
so that it separates a learned scale from the scores that the same call returns. All results of a loop depend on the samples if any of its
inputs does.

>>> import netc
>>> main = netc.compile("x = input 8; scale = param [8] as scale; x * (scale -> exp)").program.main
>>> varying = find_varying(main)
>>> [(node.op.name, id(node.outputs[0]) in varying) for node in main.nodes]
[('param', False), ('exp', False), ('mul', True)]
"""

from __future__ import annotations

from ..dims import SymDim, free_symbols
from ..ir.flat_graph import FlatGraph, FlatNode, FlatScan
from ..ir.graph import Graph, OpNode
from ..types.tensor_types import BATCH, Shape


def find_varying(main: Graph) -> set[int]:
    """The ids of the values that differ between samples, or between batches."""
    flat = FlatGraph(main)
    varying = {key for key, value in enumerate(main.inputs) if count_batch_axes(value.type.shape)}
    loops: list[bool] = []
    for item in flat:
        if isinstance(item, FlatNode):
            # `zeros [N, 3]` has no varying input, but another value for each batch.
            if any(key in varying for key in item.inputs) or _has_batch(item.node):
                varying.update(item.outputs)
                loops = [True] * len(loops)
        # One flag for each open loop: whether its results vary. States go round the loop, so one varying node makes
        # all of them vary.
        elif isinstance(item, FlatScan):
            loops.append(any(key in varying for key in item.inputs))
            varying.update(item.step_inputs if loops[-1] else ())
        elif loops.pop():
            varying.update(item.outputs)
            loops = [True] * len(loops)
    return flat.ids_of(varying)


def count_batch_axes(shape: Shape) -> int:
    """The number of axes that are the batch, or have it as a factor."""
    return sum(BATCH in collect_size_symbols(size) for size in shape)


def collect_size_symbols(value: object) -> set[str]:
    """The symbols in a size or a tuple of sizes."""
    if isinstance(value, tuple):
        return set().union(*map(collect_size_symbols, value))
    return set(map(str, free_symbols(value))) if isinstance(value, SymDim) else set()


def has_symbolic_sizes(node: OpNode) -> bool:
    """Whether an argument of the operator or the shape of a result is symbolic."""
    return any(collect_size_symbols(value) for value in (*node.op.numbers, *(v.type.shape for v in node.outputs)))


def _has_batch(node: OpNode) -> bool:
    """Whether an argument of the operator or the shape of a result depends on the number of samples."""
    return any(BATCH in collect_size_symbols(value) for value in (*node.op.numbers, *(v.type.shape for v in node.outputs)))
