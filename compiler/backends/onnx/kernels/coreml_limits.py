"""Decides which nodes ONNX Runtime's Core ML provider leaves to the CPU although its ML Program has the operator.

Always: the rules are the checks of the op builders in onnxruntime/core/providers/coreml/builders/impl. Rules about the memory of one
tensor, and about the node before, are not decided. The faults are where a builder writes another operation than ONNX defines.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node_limits import Limit, join_limits, require_constant, require_few_axes, require_rank
from .typed_nodes import TypedNode

_CAST_TYPES = ("float32", "float16", "int64", "int32")


def _require_sizes(node: TypedNode) -> str | None:
    value = node.find_input(0)
    is_open = value is not None and value.shape is not None and None in value.shape
    return "with sizes that are numbers (`--dim`)" if is_open else None


def _limit_shapes(node: TypedNode) -> str | None:
    values = [value for value in node.inputs if value is not None]
    if any(value.shape is None for value in values):
        return "with a known number of axes"
    is_empty = any(value.shape is not None and 0 in value.shape for value in values)
    return "of tensors that are not empty" if is_empty and node.op_type != "Resize" else None


def _limit_clip(node: TypedNode) -> str | None:
    value, bounds = node.find_input(0), [bound for bound in node.inputs[1:3] if bound is not None]
    if bounds and value is not None and value.dtype not in (None, "float32", "float16"):
        return "of float32, float16"
    numbers = [bound.numbers.item() for bound in bounds if bound.numbers is not None]
    return "with different bounds" if len(numbers) == 2 and numbers[0] == numbers[1] else None


def _limit_prelu(node: TypedNode) -> str | None:
    value, slopes = node.find_input(0), node.find_input(1)
    if value is None or value.shape is None or slopes is None or slopes.shape is None:
        return None
    channels = value.shape[-3]
    if channels is None:
        return "with a number of channels (`--dim`)"
    if all(size == 1 for size in slopes.shape):
        return "of several channels" if channels == 1 else None
    return None if len(slopes.shape) == 3 and slopes.shape[1:] == (1, 1) else "with one slope, or one for each channel"


def _limit_split(node: TypedNode) -> str | None:
    if len(node.outputs) < 2:
        return "into two parts or more"
    value, sizes = node.find_input(0), node.find_input(1)
    if sizes is None:
        return None
    if sizes.numbers is not None and 0 in sizes.numbers:
        return "into parts that are not empty"
    is_open = value is not None and value.shape is not None and value.shape[node.attributes.get("axis", 0)] is None
    return "along an axis whose size is a number (`--dim`)" if is_open else None


def _limit_reshape(node: TypedNode) -> str | None:
    value, shape = node.find_input(0), node.find_input(1)
    is_scalar = (value is not None and value.rank == 0) or (shape is not None and shape.shape == (0,))
    return "of tensors that have axes" if is_scalar else None


def _limit_pow(node: TypedNode) -> str | None:
    dtypes = {value.dtype for value in node.inputs if value is not None and value.dtype is not None}
    return "of one element type" if len(dtypes) > 1 else None


def _find_reciprocal_fault(node: TypedNode) -> str | None:
    """The builder passes the epsilon of Core ML's `inverse`, 1e-4."""
    return "as `1 / (x + 0.0001)`"


def _find_div_fault(node: TypedNode) -> str | None:
    """The builder writes `floor_div`, but ONNX rounds towards 0."""
    value = node.find_input(0)
    return "of integers rounded down" if value is not None and value.dtype == "int64" else None


def _limit_pool(node: TypedNode) -> str | None:
    if any(size != 1 for size in node.attributes.get("dilations", ())):
        return "without dilation"
    return "without indices" if len(node.outputs) > 1 else None


def _limit_conv(node: TypedNode) -> str | None:
    weight = node.find_input(1)
    return "in one or two dimensions" if weight is not None and weight.rank not in (None, 3, 4) else None


def _limit_conv_transpose(node: TypedNode) -> str | None:
    if len(set(node.attributes.get("pads", ()))) > 1 or node.attributes.get("auto_pad", b"NOTSET").startswith(b"SAME"):
        return "with the same padding on all sides"
    if any(node.attributes.get("output_padding", ())) or "output_shape" in node.attributes:
        return "without padding of the result"
    return None


def _limit_gather(node: TypedNode) -> str | None:
    indices = node.find_input(1)
    return "with indices that have an axis" if indices is not None and indices.rank == 0 else None


def _limit_gemm(node: TypedNode) -> str | None:
    attributes = node.attributes
    if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
        return "without `transA`, `alpha` and `beta`"
    bias = node.find_input(2)
    if bias is not None and bias.shape is not None and len(bias.shape) == 2 and bias.shape[0] != 1:
        return "with one row of biases"
    return None


def _limit_matmul(node: TypedNode) -> str | None:
    ranks = [value.rank for value in node.inputs[:2] if value is not None]
    return "of matrices" if ranks.count(1) == 1 and None not in ranks else None


def _limit_grid_sample(node: TypedNode) -> str | None:
    if node.attributes.get("mode", b"linear") not in (b"linear", b"bilinear"):
        return "with the mode linear"
    is_reflected = node.attributes.get("padding_mode") == b"reflection" and not node.attributes.get("align_corners", 0)
    return "that aligns the corners where it reflects" if is_reflected else None


def _limit_norm(node: TypedNode) -> str | None:
    return "with one result" if len(node.outputs) > 1 else None


def _limit_resize(node: TypedNode) -> str | None:
    attributes = node.attributes
    mode, coordinates = attributes.get("mode", b"nearest"), attributes.get("coordinate_transformation_mode", b"half_pixel")
    if mode not in (b"nearest", b"linear") or attributes.get("antialias", 0) or attributes.get("exclude_outside", 0):
        return "with the modes nearest and linear, without antialiasing"
    if mode == b"nearest":
        is_taken = attributes.get("nearest_mode", b"round_prefer_floor") == b"floor" and coordinates == b"asymmetric"
        return None if is_taken else "to the nearest smaller index, of asymmetric coordinates"
    has_sizes = node.find_input(3) is not None
    is_taken = coordinates in (b"half_pixel", b"align_corners", b"pytorch_half_pixel") or (has_sizes and coordinates == b"asymmetric")
    return None if is_taken else "with half pixels or aligned corners"


def _limit_arg_max(node: TypedNode) -> str | None:
    return "with the first of equal elements (`select_last_index=0`)" if node.attributes.get("select_last_index", 0) else None


def _limit_cast(node: TypedNode) -> str | None:
    dtype = node.outputs[0].dtype if node.outputs and node.outputs[0] is not None else None
    return None if dtype is None or dtype in _CAST_TYPES else f"to {', '.join(_CAST_TYPES)}"


def _limit_concat(node: TypedNode) -> str | None:
    return "of two inputs or more" if len(node.inputs) < 2 else None


def _limit_depth_to_space(node: TypedNode) -> str | None:
    return _require_sizes(node) if node.attributes.get("mode", b"DCR") == b"CRD" else None


_CONSTANT_SLICE = tuple(require_constant(index, name) for index, name in enumerate(("starts", "ends", "axes", "steps"), start=1))
_NORM = join_limits(require_constant(1, "scale"), require_constant(2, "bias"), _limit_norm)
_REDUCTIONS = ("Max", "Mean", "Min", "Prod", "Sum")

COREML_LIMITS: Mapping[str, Limit] = {
    "": join_limits(_limit_shapes, require_few_axes(5)),
    "ArgMax": _limit_arg_max,
    "AveragePool": join_limits(require_rank(4), _limit_pool),
    "BatchNormalization": join_limits(require_rank(4), *(require_constant(index, "statistics") for index in (1, 2, 3, 4)), _limit_norm),
    "Cast": _limit_cast,
    "Clip": join_limits(require_constant(1, "bounds"), require_constant(2, "bounds"), _limit_clip),
    "Concat": _limit_concat,
    "Conv": join_limits(_limit_conv, require_constant(2, "bias")),
    "ConvTranspose": join_limits(require_constant(1, "weight"), require_constant(2, "bias"), _limit_conv_transpose),
    "DepthToSpace": _limit_depth_to_space,
    "Gather": _limit_gather,
    "Gemm": join_limits(require_constant(1, "weight"), require_constant(2, "bias"), _limit_gemm),
    "GlobalAveragePool": require_rank(4),
    "GlobalMaxPool": require_rank(4),
    "GridSample": join_limits(require_rank(4), _limit_grid_sample),
    "GroupNormalization": _NORM,
    "InstanceNormalization": _NORM,
    "LayerNormalization": _NORM,
    "MatMul": _limit_matmul,
    "MaxPool": join_limits(require_rank(4), _limit_pool),
    "PRelu": join_limits(require_rank(3, 4), require_constant(1, "slopes"), _limit_prelu),
    "Pow": _limit_pow,
    "Reshape": join_limits(_require_sizes, require_constant(1, "shape"), _limit_reshape),
    "Resize": join_limits(require_rank(3, 4, 5), require_constant(2, "scales"), require_constant(3, "sizes"), _limit_resize),
    "Slice": join_limits(_require_sizes, *_CONSTANT_SLICE),
    "Split": join_limits(require_constant(1, "sizes"), _limit_split),
    "Squeeze": require_constant(1, "axes"),
    "Unsqueeze": require_constant(1, "axes"),
    **{f"Reduce{name}": require_constant(1, "axes") for name in _REDUCTIONS},
}
"""The rules by operator. The one of the empty name is for all operators."""

COREML_FAULTS: Mapping[str, Limit] = {"Div": _find_div_fault, "Reciprocal": _find_reciprocal_fault}
"""The rules by operator for nodes that Core ML computes otherwise than ONNX."""
