"""Rewrites quantized operators as operators on floats.

In: the graph that is being built, and a node of the quantized graph. Out: nodes of the float graph: `QLinearConv` becomes `Conv`. Always:
each operator has one short function, registered under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import onnx

from ...types.numpy_types import Array
from .onnx_files import read_attributes


class FloatGraph(Protocol):
    """The methods of the rewriter that the forms use; see dequantize.py."""

    floats: set[str]
    scaled: dict[str, str]
    takers: dict[str, list[onnx.NodeProto]]
    original: dict[str, onnx.NodeProto]

    def get_constant(self, name: str) -> Array | None: ...

    def require_constant(self, name: str, what: str) -> Array: ...

    def make_name(self, wanted: str) -> str: ...

    def add_constant(self, numbers: Array, wanted: str) -> str: ...

    def store_constant(self, numbers: Array, name: str) -> None: ...

    def to_float(self, name: str, scale: str, zero: str, axis: int = 0) -> str: ...

    def finish_output(self, name: str, node: onnx.NodeProto, zero: str) -> None: ...

    def append_node(self, node: onnx.NodeProto) -> None: ...

    def add_node(self, op: str, inputs: Sequence[str], output: str, like: onnx.NodeProto, **attributes: Any) -> None: ...


Form = Callable[[FloatGraph, onnx.NodeProto], None]
FORMS: dict[str, Form] = {}
BECOMES: dict[str, str] = {}
"""The float operator that each becomes, for the reference pages."""


class NotRewritten(Exception):
    """The operator cannot be rewritten. The text completes its name."""


def register_form(*names: str, to: str) -> Callable[[Form], Form]:
    """Register the float form of quantized operators. `to` names it in the reference."""

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(names, function))
        BECOMES.update(dict.fromkeys(names, to))
        return function

    return register


def _pad_inputs(node: onnx.NodeProto, count: int) -> list[str]:
    return [*node.input, *[""] * count][:count]


# --- between floats and integers ---------------------------------------------------------------------------------------------


@register_form("QuantizeLinear", to="nothing, or relu")
def rewrite_quantize_linear(q: FloatGraph, node: onnx.NodeProto) -> None:
    x, _, zero = _pad_inputs(node, 3)
    # A constant that is quantized at run time stays the float that it is.
    if q.get_constant(x) is None:
        q.finish_output(x, node, zero)
    else:
        q.add_node("Identity", [x], node.output[0], node)
        q.floats.add(node.output[0])


@register_form("DequantizeLinear", to="the floats of a constant, or nothing")
def rewrite_dequantize_linear(q: FloatGraph, node: onnx.NodeProto) -> None:
    if node.input[0] in q.floats:
        q.add_node("Identity", node.input[:1], node.output[0], node)
    else:
        q.append_node(node)


@register_form("DynamicQuantizeLinear", to="nothing")
def rewrite_dynamic_quantize(q: FloatGraph, node: onnx.NodeProto) -> None:
    """Drop a dynamic quantization. Its scale becomes 1, so later products with it have the scale of the weight alone."""
    y, scale, zero = _pad_outputs(node)
    q.add_node("Identity", node.input[:1], y, node)
    q.floats.add(y)
    for name, number in ((scale, np.float32(1)), (zero, np.uint8(0))):
        if name:
            q.store_constant(np.asarray(number), name)


def _pad_outputs(node: onnx.NodeProto) -> list[str]:
    return [*node.output, "", ""][:3]


# --- products ----------------------------------------------------------------------------------------------------------------


@register_form("QLinearConv", to="conv")
def rewrite_conv(q: FloatGraph, node: onnx.NodeProto) -> None:
    # The bias of a quantized product is stored as an integer with the scale of input times weight.
    x, xs, xz, w, ws, wz, _, yz, b = _pad_inputs(node, 9)
    inputs = [q.to_float(x, xs, xz), q.to_float(w, ws, wz)]
    if b:
        scale = q.require_constant(xs, "a scale").reshape(()).astype(np.float64) * q.require_constant(ws, "a scale").reshape(-1)
        inputs.append(q.add_constant((q.require_constant(b, "a bias") * scale).astype(np.float32), b))
    _add_float_node(q, node, "Conv", inputs, yz)


@register_form("QLinearMatMul", to="dense, matmul")
def rewrite_matmul(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, s, z, b, bs, bz, _, yz = _pad_inputs(node, 8)
    _add_float_node(q, node, "MatMul", [q.to_float(a, s, z, -2), q.to_float(b, bs, bz, -1)], yz)


@register_form("QGemm", to="dense")
def rewrite_gemm(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, s, z, b, bs, bz, c, ys, yz = _pad_inputs(node, 9)
    attributes = read_attributes(node)
    inputs = [q.to_float(a, s, z), q.to_float(b, bs, bz, 0 if attributes.get("transB") else 1)]
    if c:
        scale = q.require_constant(s, "a scale").reshape(()).astype(np.float64) * q.require_constant(bs, "a scale").reshape(-1)
        inputs.append(q.add_constant((q.require_constant(c, "a bias") * scale * attributes.get("alpha", 1.0)).astype(np.float32), c))
    if ys:
        _add_float_node(q, node, "Gemm", inputs, yz)
    else:
        q.add_node("Gemm", inputs, node.output[0], node, **attributes)


def _add_float_node(q: FloatGraph, node: onnx.NodeProto, op: str, inputs: Sequence[str], zero: str) -> None:
    result = q.make_name(f"{node.output[0]}_real")
    q.add_node(op, inputs, result, node, **read_attributes(node))
    q.finish_output(result, node, zero)


@register_form("MatMulInteger", to="dense")
@register_form("ConvInteger", to="conv")
def rewrite_integer_product(q: FloatGraph, node: onnx.NodeProto) -> None:
    """Fold the scale that multiplies the result into the weight."""
    x, w, xz, wz = _pad_inputs(node, 4)
    is_conv = node.op_type == "ConvInteger"
    stored = q.require_constant(w, "a weight")
    scale, times = _find_following_scale(q, node)
    # An input that is stored as integers has a scale of its own, which the following product contains.
    if x not in q.floats:
        input_scale = _find_input_scale(q, node) if times is not None else ""
        scale = scale / q.require_constant(input_scale, "a scale").astype(np.float64) if input_scale else scale
        x = _gather_float_rows(q, x, input_scale, xz) or q.to_float(
            x, input_scale or q.add_constant(np.ones((), np.float32), f"{x}_scale"), xz
        )
    zero = q.require_constant(wz, "a zero point").astype(np.int64) if wz else np.zeros((), np.int64)
    # A convolution has its output channels first, and a matrix last.
    columns = (-1, *[1] * (stored.ndim - 1)) if is_conv else (-1,)
    numbers = stored.astype(np.int64) - (zero.reshape(columns) if zero.size > 1 else zero.reshape(()))
    by = scale.reshape(columns) if scale.size > 1 else scale.reshape(())
    # The product is computed in float64 and rounded once.
    weight = q.add_constant((numbers * by).astype(np.float32), w.removesuffix("_quantized"))
    q.add_node("Conv" if is_conv else "MatMul", [x, weight], node.output[0], node, **read_attributes(node))
    q.floats.add(node.output[0])
    # The product with the scale is an identity now, and its readers get the result of the float operator.
    if times is not None:
        q.scaled[times] = q.takers[node.output[0]][0].output[0]


def _find_following_scale(q: FloatGraph, node: onnx.NodeProto) -> tuple[Array, str | None]:
    """Return the constant that multiplies the floats of the result, and the name of the product. Returns 1 if more than that follows."""
    no_scale = np.ones((), np.float64)
    cast = _find_only_user(q, node.output[0])
    times = None if cast is None or cast.op_type != "Cast" else _find_only_user(q, cast.output[0])
    if cast is None or times is None or times.op_type != "Mul":
        return no_scale, None
    other = next((name for name in times.input if name != cast.output[0]), "")
    constant = _find_constant(q, other)
    # A scale is folded only if it is one number, or one for each output channel.
    width = q.require_constant(node.input[1], "a weight").shape[0 if node.op_type == "ConvInteger" else -1]
    if constant is None or constant.size not in (1, width):
        return no_scale, None
    return constant.astype(np.float64).reshape(-1), times.output[0]


def _find_input_scale(q: FloatGraph, node: onnx.NodeProto) -> str:
    """Return the name of the first input's scale, if its product with the weight's scale is a node of its own."""
    cast = q.takers[node.output[0]][0].output[0]
    other = next(name for name in q.takers[cast][0].input if name != cast)
    maker = q.original.get(other)
    constant = None if maker is None or maker.op_type != "Mul" else q.get_constant(maker.input[0])
    return maker.input[0] if maker is not None and constant is not None and constant.size == 1 else ""


def _gather_float_rows(q: FloatGraph, x: str, scale: str, zero: str) -> str:
    """Look up rows of floats in a table that is stored as integers. Returns an empty name for anything else."""
    maker = q.original.get(x)
    if not scale or maker is None or maker.op_type != "Gather" or q.get_constant(maker.input[0]) is None:
        return ""
    result = q.make_name(f"{x}_real")
    q.add_node("Gather", [q.to_float(maker.input[0], scale, zero), maker.input[1]], result, maker, **read_attributes(maker))
    return result


def _find_only_user(q: FloatGraph, name: str) -> onnx.NodeProto | None:
    takers = q.takers.get(name, [])
    return takers[0] if len(takers) == 1 else None


def _find_constant(q: FloatGraph, name: str) -> Array | None:
    """Return a constant, or a product of two constants, which may come later in the file."""
    result = q.get_constant(name)
    if result is not None:
        return result
    maker = q.original.get(name)
    if maker is None or maker.op_type != "Mul":
        return None
    a, b = (q.get_constant(n) for n in maker.input)
    return None if a is None or b is None else a * b


@register_form("DynamicQuantizeMatMul", to="dense")
def rewrite_dynamic_matmul(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, b, bs, bz, bias = _pad_inputs(node, 5)
    _add_matmul(q, node, [a, q.to_float(b, bs, bz, -1)], bias)


@register_form("MatMulIntegerToFloat", to="dense")
def rewrite_matmul_to_float(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, b, s, bs, az, bz, bias = _pad_inputs(node, 7)
    _add_matmul(q, node, [q.to_float(a, s, az), q.to_float(b, bs, bz, -1)], bias)


def _add_matmul(q: FloatGraph, node: onnx.NodeProto, inputs: Sequence[str], bias: str) -> None:
    if not bias:
        q.add_node("MatMul", inputs, node.output[0], node)
        return
    product = q.make_name(f"{node.output[0]}_product")
    q.add_node("MatMul", inputs, product, node)
    q.add_node("Add", [product, bias], node.output[0], node)


@register_form("MatMulNBits", to="dense")
def rewrite_matmul_nbits(q: FloatGraph, node: onnx.NodeProto) -> None:
    """Unpack a weight of a few bits per number, with a scale and a zero point for each block."""
    x, b, s, z, order, bias = _pad_inputs(node, 6)
    attributes = read_attributes(node)
    rows, columns, bits, block = (
        int(attributes["N"]),
        int(attributes["K"]),
        int(attributes.get("bits", 4)),
        int(attributes.get("block_size", 32)),
    )
    if bits not in (2, 4, 8) or order or block < 1:
        raise NotRewritten(f"has {bits} bits in blocks of {block}" + (" in an order of their own" if order else ""))
    blocks = -(-columns // block)
    numbers = unpack_bits(q.require_constant(b, "a weight").reshape(rows, blocks, -1), bits)[..., :block].astype(np.float64)
    scales = q.require_constant(s, "a list of scales")
    # Without zero points, the middle of the range represents 0.
    offsets: Any = float(2 ** (bits - 1))
    if z:
        zero = q.require_constant(z, "a list of zero points")
        offsets = zero.reshape(rows, blocks, 1) if zero.dtype.kind == "f" else unpack_bits(zero.reshape(rows, -1), bits)[:, :blocks, None]
    rows_of_floats = ((numbers - offsets) * scales.reshape(rows, blocks, 1).astype(np.float64)).reshape(rows, blocks * block)[:, :columns]
    weight = q.add_constant(np.ascontiguousarray(rows_of_floats.T).astype(scales.dtype), b.removesuffix("_Q4").removesuffix("_Q8"))
    _add_matmul(q, node, [x, weight], bias)


def unpack_bits(stored: Array, bits: int) -> Array:
    """Unpack the numbers in bytes, the lowest bits first, along the last axis.

    >>> unpack_bits(np.array([0x21], np.uint8), 4).tolist()
    [1, 2]
    """
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    apart: Array = (stored.astype(np.uint8)[..., None] >> shifts) & np.uint8(2**bits - 1)
    return apart.reshape(*stored.shape[:-1], -1)


# --- the same on floats ------------------------------------------------------------------------------------------------------


def _register_binary(name: str, op: str) -> None:
    @register_form(name, to=op.lower())
    def pair(q: FloatGraph, node: onnx.NodeProto) -> None:
        a, s, z, b, bs, bz, _, yz = _pad_inputs(node, 8)
        _add_float_node(q, node, op, [q.to_float(a, s, z), q.to_float(b, bs, bz)], yz)


def _register_unary(name: str, op: str, to: str, *kept: str) -> None:
    @register_form(name, to=to)
    def one(q: FloatGraph, node: onnx.NodeProto) -> None:
        x, s, z, _, yz = _pad_inputs(node, 5)
        attributes = read_attributes(node)
        # ONNX Runtime's NHWC layout, which the standard operators do not have.
        if attributes.get("channels_last"):
            raise NotRewritten("has its channels last")
        result = q.make_name(f"{node.output[0]}_real")
        q.add_node(op, [q.to_float(x, s, z)], result, node, **{key: value for key, value in attributes.items() if key in kept})
        q.finish_output(result, node, yz)


_register_binary("QLinearAdd", "Add")
_register_binary("QLinearMul", "Mul")
_register_unary("QLinearSigmoid", "Sigmoid", "sigmoid")
_register_unary("QLinearLeakyRelu", "LeakyRelu", "leaky_relu", "alpha")
_register_unary("QLinearSoftmax", "Softmax", "softmax", "axis")
_register_unary("QLinearGlobalAveragePool", "GlobalAveragePool", "adaptive_avg_pool")
_register_unary(
    "QLinearAveragePool", "AveragePool", "avg_pool", "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"
)


@register_form("QLinearConcat", to="concat")
def rewrite_concat(q: FloatGraph, node: onnx.NodeProto) -> None:
    _, yz, *rest = node.input
    parts = [q.to_float(*rest[n : n + 3]) for n in range(0, len(rest), 3)]
    _add_float_node(q, node, "Concat", parts, yz)


# --- what moves integers moves floats ----------------------------------------------------------------------------------------


def _keep_node(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    return node


def _rewrite_pad(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    """Pad with 0. Quantizers write the padding as the integer that represents 0."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if len(node.input) > 2 and node.input[2]:
        copy.input[2] = q.add_constant(np.zeros((), np.float32), f"{node.output[0]}_zero")
    return copy


def _check_cast(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    """Keep a cast to floats, which the tensor is already, and refuse others."""
    if read_attributes(node).get("to") not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
        raise NotRewritten("makes other integers of quantized numbers")
    return node


KEEPING: dict[str, Callable[[FloatGraph, onnx.NodeProto], onnx.NodeProto]] = {
    **dict.fromkeys(
        [
            *("Reshape", "Transpose", "MaxPool", "Concat", "Slice", "Gather", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Split"),
            *("Expand", "Tile", "Resize", "DepthToSpace", "SpaceToDepth", "Relu", "GatherElements"),
        ],
        _keep_node,
    ),
    "Pad": _rewrite_pad,
    "Cast": _check_cast,
}
"""The operators that do the same to quantized numbers as to floats, so they may be between quantizing operators."""
