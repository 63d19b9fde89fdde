"""Decides which nodes the WebGPU kernels of ONNX Runtime Web cannot run, although there is a kernel for their types.

Always: the limits are from the comments in docs/webgpu-operators.md of onnxruntime-web. The faults are of kernels that ONNX Runtime Web
uses, and that end with an error: see js/web/lib/wasm/jsep/webgpu/ops/pool.ts and onnxruntime/core/providers/js/operators/split.h.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit
from .typed_nodes import TypedNode


def _limit_conv(node: TypedNode) -> str | None:
    value = node.find_input(0)
    return "in one or two dimensions" if value is not None and value.rank == 5 else None


def _find_pool_fault(node: TypedNode) -> str | None:
    return "without `ceil_mode`" if node.attributes.get("ceil_mode", 0) else None


def _find_split_fault(node: TypedNode) -> str | None:
    axis = node.attributes.get("axis", 0)
    sizes = [None if value is None or value.shape is None else value.shape[axis] for value in node.outputs]
    if 0 in sizes:
        return "into parts that are not empty"
    # Without sizes as an input, the kernel reads them from the shapes of the results, at the axis as it was given.
    if node.find_input(1) is None and (axis < 0 or None in sizes):
        return "with sizes of the parts, or along a positive axis whose size is a number"
    return None


WEB_LIMITS: Mapping[str, Limit] = {"Conv": _limit_conv, "ConvTranspose": _limit_conv}
"""The rules by operator."""
WEB_FAULTS: Mapping[str, Limit] = {"AveragePool": _find_pool_fault, "MaxPool": _find_pool_fault, "Split": _find_split_fault}
"""The rules by operator for nodes whose kernel fails when it runs."""
