"""Decides the restrictions of TensorRT's parser that depend on attributes, on the number of axes, and on which inputs are constants.

Always: the rules are the column "Restrictions" of docs/operators.md of onnx/onnx-tensorrt, for TensorRT 10.15. Restrictions that depend on
the numbers of large tensors, or on names, are not decided.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit, require_constant, require_rank
from .typed_nodes import TypedNode

_MOST_K = 3840
"""TopK takes a smaller K."""
_COORDINATES = (b"half_pixel", b"pytorch_half_pixel", b"tf_half_pixel_for_nn", b"asymmetric", b"align_corners")


def _limit_pool(node: TypedNode) -> str | None:
    value = node.find_input(0)
    if value is not None and value.rank not in (None, 4, 5) and node.op_type != "LpPool":
        return "in two or three dimensions"
    if any(size != 1 for size in node.attributes.get("dilations", ())):
        return "without dilation"
    if node.op_type == "MaxPool" and len(node.outputs) > 1:
        return "without indices"
    return None


def _limit_attention(node: TypedNode) -> str | None:
    if any(value is not None and value.rank not in (None, 4) for value in node.inputs[:4]):
        return "with 4 axes"
    if any(node.find_input(index) is not None for index in (4, 5, 6)) or len(node.outputs) > 1:
        return "without a cache"
    return "without `softcap`" if node.attributes.get("softcap", 0.0) else None


def _limit_recurrence(node: TypedNode) -> str | None:
    names = list(node.attributes.get("activations", ()))
    half = len(names) // 2
    if node.attributes.get("direction") == b"bidirectional" and names[:half] != names[half:]:
        return "with the same activations in both directions"
    if node.op_type == "LSTM" and (node.attributes.get("input_forget", 0) or node.attributes.get("layout", 0)):
        return "without coupled gates, and with the sequence first"
    return None


def _limit_resize(node: TypedNode) -> str | None:
    if node.attributes.get("mode", b"nearest") not in (b"nearest", b"linear"):
        return "with the modes nearest and linear"
    if node.attributes.get("antialias", 0):
        return "without antialiasing"
    if node.attributes.get("coordinate_transformation_mode", b"half_pixel") not in _COORDINATES:
        return "without cropping"
    return "that stretches" if node.attributes.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" else None


def _limit_top_k(node: TypedNode) -> str | None:
    if node.attributes.get("sorted", 1) != 1:
        return "with sorted results"
    value = node.find_input(1)
    is_large = value is not None and value.numbers is not None and int(value.numbers.max()) >= _MOST_K
    return f"of fewer than {_MOST_K} elements" if is_large else None


def _limit_scatter(node: TypedNode) -> str | None:
    return "without a reduction" if node.attributes.get("reduction", b"none") != b"none" else None


def _limit_layer_norm(node: TypedNode) -> str | None:
    return "with one result" if len(node.outputs) > 1 else None


def _limit_deform_conv(node: TypedNode) -> str | None:
    pads = list(node.attributes.get("pads", ()))
    if pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
        return "with the same padding on both sides"
    return require_rank(3, 4)(node)


def _limit_stft(node: TypedNode) -> str | None:
    return require_constant(1, "steps")(node) or require_constant(2, "window")(node)


_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

TENSORRT_LIMITS: Mapping[str, Limit] = {
    "Attention": _limit_attention,
    "AveragePool": _limit_pool,
    "CumSum": require_constant(1, "axis"),
    "DeformConv": _limit_deform_conv,
    "GRU": _limit_recurrence,
    "GridSample": require_rank(4),
    "LSTM": _limit_recurrence,
    "LayerNormalization": _limit_layer_norm,
    "LpPool": _limit_pool,
    "MaxPool": _limit_pool,
    "OneHot": require_constant(1, "depth"),
    "RNN": _limit_recurrence,
    "Resize": _limit_resize,
    "STFT": _limit_stft,
    "ScatterND": _limit_scatter,
    "Squeeze": require_constant(1, "axes"),
    "TopK": _limit_top_k,
    "Unsqueeze": require_constant(1, "axes"),
    **{f"Reduce{name}": require_constant(1, "axes") for name in _REDUCTIONS},
}
"""The rules by operator."""
