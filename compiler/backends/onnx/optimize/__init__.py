"""Optimize an ONNX graph before it is written.

In: a builder and the names of its outputs. Out: the builder, with its nodes and stored tensors changed. Always: names of inputs and outputs
stay; no parameter is read here, its new values are computed when the file is written.
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
    ("", fold_constants),
    ("BatchNormalization", fold_batch_normalization),
    ("Mul", fold_scales),
    ("LayerNormalization", fold_normalization),
    ("Attention", fuse_past),
    ("Attention", fuse_split_heads),
    ("LayerNormalization", keep_sums),
)
"""In order: each sees what those before it have made. With the type of the nodes that it is about: a graph without any is left as it is."""


def optimize_graph(builder: GraphBuilder, outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
    """All passes, each on a graph without unused nodes. `outputs` are provisional names, `types` those of values that are in no loop."""
    for op_type, run in PASSES:
        if not op_type or any(node.op_type == op_type for node in builder.nodes):
            run(OpenGraph(builder, outputs, types))
