"""Decides which nodes ONNX Runtime keeps off CUDA although there is a kernel: cuDNN lacks some of their attributes.

Always: the rules are ONNX Runtime's own, from `GetCapability` in onnxruntime/core/providers/cuda/cuda_execution_provider.cc.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit
from .typed_nodes import TypedNode


def _limit_recurrence(*activations: str) -> Limit:
    """Return the rule for a recurrence whose kernel has these activations, for both directions."""

    def find_limit(node: TypedNode) -> str | None:
        if any(name in node.attributes for name in ("activation_alpha", "activation_beta", "clip")):
            return "without parameters of activations"
        found = [name.decode().lower() for name in node.attributes.get("activations", ())]
        if any(name != known for name, known in zip(found, activations * 2, strict=False)):
            return f"with {' and '.join(activations)}"
        if node.op_type == "LSTM" and (node.attributes.get("input_forget", 0) or node.find_input(7) is not None):
            return "without coupled gates and peepholes"
        if node.op_type == "GRU" and node.attributes.get("linear_before_reset", 1) != 1:
            return "with the reset after the product (`linear_before_reset`)"
        return None

    return find_limit


def _limit_conv_transpose(node: TypedNode) -> str | None:
    pads = list(node.attributes.get("pads", ()))
    half = len(pads) // 2
    is_automatic = node.attributes.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")
    return "with the same padding on both sides" if is_automatic or pads[:half] != pads[half:] else None


def _limit_arg_max(node: TypedNode) -> str | None:
    return "with the first of equal elements (`select_last_index=0`)" if node.attributes.get("select_last_index", 0) else None


CUDA_LIMITS: Mapping[str, Limit] = {
    "ArgMax": _limit_arg_max,
    "ArgMin": _limit_arg_max,
    "ConvTranspose": _limit_conv_transpose,
    "GRU": _limit_recurrence("sigmoid", "tanh"),
    "LSTM": _limit_recurrence("sigmoid", "tanh", "tanh"),
    "RNN": _limit_recurrence("tanh"),
}
"""The rules by operator."""
