"""Optimizes an ONNX graph before it is written.

In: a builder and the names of its outputs. Out: the builder, with its nodes and stored tensors changed: no BatchNormalization after a
Conv. Always: names of inputs and outputs stay. No parameter is read here; its new values are computed when the file is written.

    >>> import netc
    >>> model = netc.compile("input 3x8x8 -> conv 4 3x3 -> batch_norm -> relu")
    >>> [node.op_type for node in model.onnx().graph.node], [node.op_type for node in model.onnx(optimize=False).graph.node]
    (['Conv', 'Relu'], ['Conv', 'BatchNormalization', 'Relu'])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ....types.tensor_types import TensorType
from ..onnx_builder import GraphBuilder
from .fold_affine import fold_batch_normalization, fold_normalization, fold_scales
from .fold_constants import fold_constants
from .fuse_attention import fuse_split_heads
from .norm_sums import keep_sums
from .open_graph import OpenGraph
from .past import fuse_past

PASSES: tuple[tuple[str, Callable[[OpenGraph], None]], ...] = (
    # First, since the patterns below look for stored tensors: a transposed weight is one only after folding.
    ("", fold_constants),
    ("BatchNormalization", fold_batch_normalization),
    ("Mul", fold_scales),
    ("LayerNormalization", fold_normalization),
    # `past` is joined before the heads are merged: a fused Attention has three axes, where the join is no longer recognized.
    ("Attention", fuse_past),
    ("Attention", fuse_split_heads),
    ("LayerNormalization", keep_sums),
)
"""The passes in order, since each sees the results of those before it. Each has the type of the node that it is about: a graph without
such nodes is left unchanged."""


def optimize_graph(builder: GraphBuilder, outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
    """Run all passes, each on a graph without unused nodes. `outputs` are provisional names, `types` the types of values outside of
    loops."""
    for op_type, run in PASSES:
        if not op_type or any(node.op_type == op_type for node in builder.nodes):
            run(OpenGraph(builder, outputs, types))
