"""Nodes between those that ONNX Runtime would join. What it computes of them is compared in tests/differential/found."""

from __future__ import annotations

import tracemalloc

import numpy as np

from netc.compiler.backends.onnx.fusion_barriers import insert_barriers
from netc.compiler.backends.onnx.onnx_builder import BuilderNode, GraphBuilder
from netc.compiler.weights.lazy_tensors import stored_tensor


def scaled_again(times: int) -> GraphBuilder:
    """A tensor that is scaled again and again, with a product of each result."""
    builder = GraphBuilder()
    builder.stored["two"] = stored_tensor(np.array(2, np.float32))
    for at in range(times):
        builder.nodes.append(BuilderNode("Mul", f"scale{at}", [f"y{at}", "two"], (f"y{at + 1}",), {}))
        builder.nodes.append(BuilderNode("MatMul", f"product{at}", [f"y{at + 1}", "weight"], (f"z{at}",), {}))
    return builder


def test_each_but_the_last_is_kept_apart_from_its_product() -> None:
    builder = scaled_again(4)
    insert_barriers(builder)
    assert [node.inputs for node in builder.nodes if node.op_type == "Concat"] == [["y1"], ["y2"], ["y3"]]


def test_many_take_little_memory() -> None:
    """Numbers for every pair of 1000 would take 30 MB."""
    builder = scaled_again(1000)
    tracemalloc.start()
    insert_barriers(builder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6
