"""Decides which nodes the WebGPU kernels of ONNX Runtime Web cannot run, although there is a kernel for their types.

Always: the rules are from the comments in docs/webgpu-operators.md of onnxruntime-web.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit
from .typed_nodes import TypedNode


def _limit_conv(node: TypedNode) -> str | None:
    value = node.find_input(0)
    return "in one or two dimensions" if value is not None and value.rank == 5 else None


WEB_LIMITS: Mapping[str, Limit] = {"Conv": _limit_conv, "ConvTranspose": _limit_conv}
"""The rules by operator."""
