"""Protects sums before normalizations from a fusion of ONNX Runtime.

In: a graph. Out: the same function, with `Sum` of two tensors in place of an `Add` that a LayerNormalization takes. Always: only in
float32, for which ONNX Runtime's CPU provider has Sum, and not for a device that has none. ONNX Runtime would fuse Add and
LayerNormalization into SkipLayerNormalization, which takes ten times as long as LayerNormalization.

    >>> import netc
    >>> [node.op_type for node in netc.compile("x = input 8; y = input 8; x + y -> layer_norm").onnx().graph.node]
    ['Sum', 'LayerNormalization']
"""

from __future__ import annotations

from ....types.tensor_types import FLOAT32
from .open_graph import OpenGraph


def keep_sums(graph: OpenGraph) -> None:
    lowering = graph.builder.lowering
    if lowering is not None and not lowering.has_kernel("Sum"):
        return
    # ONNX Runtime's CPU fuses Add and LayerNormalization into SkipLayerNormalization, which is ten times as slow; Sum is in no fusion.
    for norm in graph.nodes:
        if norm.op_type != "LayerNormalization":
            continue
        add = graph.producers.get(norm.inputs[0])
        type_ = graph.types.get(norm.inputs[0])
        if add is not None and add.op_type == "Add" and type_ is not None and type_.dtype == FLOAT32:
            add.op_type = "Sum"
