"""Emit the joining and dividing of tensors as Concat and Split.

>>> import netc
>>> [node.op_type for node in netc.compile("input 6 -> chunk 3 axis=1 -> concat axis=1").onnx().graph.node]
['Split', 'Concat']
"""

from __future__ import annotations

from ....dims import SymDim
from ....ops.axes import normalize_axis
from ....ops.joining import Chunk, Concat, Split, Stack
from ..onnx_emitters import Site, emits


def _cast_inputs(site: Site) -> list[str]:
    """Return the inputs, all cast to the result's type: Concat takes one type only."""
    dtype = site.results[0].dtype
    return [name if x.dtype == dtype else site.cast(name, dtype) for name, x in zip(site.inputs, site.given, strict=True)]


@emits(Concat, onnx="Concat")
def emit_concat(op: Concat, site: Site) -> str:
    return site.add("Concat", _cast_inputs(site), axis=normalize_axis(op.name, op.axis, site.given.types[0]))


@emits(Stack, onnx="Unsqueeze and Concat")
def emit_stack(op: Stack, site: Site) -> str:
    axis = op.new_axis(site.given.types[0])
    axes = site.ints([axis])
    return site.add("Concat", [site.add("Unsqueeze", [name, axes]) for name in _cast_inputs(site)], axis=axis)


@emits(Split, Chunk, onnx="Split")
def emit_split(op: Split | Chunk, site: Site) -> str | tuple[str, ...]:
    x = site.given.x
    axis = normalize_axis(op.name, op.axis, x)
    sizes = op.piece_sizes(axis, site.given)
    # Split into one part would be a node that copies.
    if len(sizes) == 1:
        return site.x.name
    # `num_outputs` needs no size, so a symbolic one need not be computed.
    if len(set(sizes)) == 1 and isinstance(sizes[0], SymDim) and site.runs_attribute("Split", "num_outputs"):
        return site.add_many("Split", [site.x.name], len(sizes), axis=axis, num_outputs=len(sizes))
    return site.add_many("Split", [site.x.name, site.ints(sizes)], len(sizes), axis=axis)
