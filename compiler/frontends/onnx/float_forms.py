"""What quantized operators are on floats.

In: the graph that is made, and a node of the old one. Out: nodes of the new one. Always: each operator is one short function,
registered by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import onnx

from ...types.numpy_types import Array
from .onnx_files import attributes


class FloatGraph(Protocol):
    """What is used of the rewriter; see dequantize.py."""

    floats: set[str]
    scaled: dict[str, str]
    takers: dict[str, list[onnx.NodeProto]]
    original: dict[str, onnx.NodeProto]

    def known(self, name: str) -> Array | None: ...

    def needed(self, name: str, what: str) -> Array: ...

    def name(self, wanted: str) -> str: ...

    def new(self, numbers: Array, wanted: str) -> str: ...

    def store(self, numbers: Array, name: str) -> None: ...

    def real(self, name: str, scale: str, zero: str, axis: int = 0) -> str: ...

    def settled(self, made: str, node: onnx.NodeProto, zero: str) -> None: ...

    def keep(self, node: onnx.NodeProto) -> None: ...

    def add(self, op: str, inputs: Sequence[str], output: str, like: onnx.NodeProto, **attributes: Any) -> None: ...


Form = Callable[[FloatGraph, onnx.NodeProto], None]
FORMS: dict[str, Form] = {}
BECOMES: dict[str, str] = {}
"""What each is on floats, for the reference."""


class NotRewritten(Exception):
    """What cannot be rewritten; the text completes the name of an operator."""


def form(*names: str, to: str) -> Callable[[Form], Form]:
    """Registers what quantized operators are on floats; `to` names it for the reference."""

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(names, function))
        BECOMES.update(dict.fromkeys(names, to))
        return function

    return register


def _given(node: onnx.NodeProto, count: int) -> list[str]:
    return [*node.input, *[""] * count][:count]


# --- between floats and integers ---------------------------------------------------------------------------------------------


@form("QuantizeLinear", to="nothing, or relu")
def quantize(q: FloatGraph, node: onnx.NodeProto) -> None:
    x, _, zero = _given(node, 3)
    if q.known(x) is None:
        q.settled(x, node, zero)
    else:
        q.add("Identity", [x], node.output[0], node)
        q.floats.add(node.output[0])


@form("DequantizeLinear", to="the floats of a constant, or nothing")
def dequantize(q: FloatGraph, node: onnx.NodeProto) -> None:
    if node.input[0] in q.floats:
        q.add("Identity", node.input[:1], node.output[0], node)
    else:
        q.keep(node)


@form("DynamicQuantizeLinear", to="nothing")
def dynamic(q: FloatGraph, node: onnx.NodeProto) -> None:
    """The scale is 1: what is multiplied with it is that of the weight alone."""
    y, scale, zero = _given_outputs(node)
    q.add("Identity", node.input[:1], y, node)
    q.floats.add(y)
    for name, number in ((scale, np.float32(1)), (zero, np.uint8(0))):
        if name:
            q.store(np.asarray(number), name)


def _given_outputs(node: onnx.NodeProto) -> list[str]:
    return [*node.output, "", ""][:3]


# --- products ----------------------------------------------------------------------------------------------------------------


@form("QLinearConv", to="conv")
def conv(q: FloatGraph, node: onnx.NodeProto) -> None:
    x, xs, xz, w, ws, wz, _, yz, b = _given(node, 9)
    inputs = [q.real(x, xs, xz), q.real(w, ws, wz)]
    if b:
        scale = q.needed(xs, "a scale").reshape(()).astype(np.float64) * q.needed(ws, "a scale").reshape(-1)
        inputs.append(q.new((q.needed(b, "a bias") * scale).astype(np.float32), b))
    _product(q, node, "Conv", inputs, yz)


@form("QLinearMatMul", to="dense, matmul")
def matmul(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, s, z, b, bs, bz, _, yz = _given(node, 8)
    _product(q, node, "MatMul", [q.real(a, s, z, -2), q.real(b, bs, bz, -1)], yz)


@form("QGemm", to="dense")
def gemm(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, s, z, b, bs, bz, c, ys, yz = _given(node, 9)
    found = attributes(node)
    inputs = [q.real(a, s, z), q.real(b, bs, bz, 0 if found.get("transB") else 1)]
    if c:
        scale = q.needed(s, "a scale").reshape(()).astype(np.float64) * q.needed(bs, "a scale").reshape(-1)
        inputs.append(q.new((q.needed(c, "a bias") * scale * found.get("alpha", 1.0)).astype(np.float32), c))
    if ys:
        _product(q, node, "Gemm", inputs, yz)
    else:
        q.add("Gemm", inputs, node.output[0], node, **found)


def _product(q: FloatGraph, node: onnx.NodeProto, op: str, inputs: Sequence[str], zero: str) -> None:
    made = q.name(f"{node.output[0]}_real")
    q.add(op, inputs, made, node, **attributes(node))
    q.settled(made, node, zero)


@form("MatMulInteger", to="dense")
@form("ConvInteger", to="conv")
def integers(q: FloatGraph, node: onnx.NodeProto) -> None:
    """With the scale that the result is multiplied with in the weight."""
    x, w, xz, wz = _given(node, 4)
    is_conv = node.op_type == "ConvInteger"
    stored = q.needed(w, "a weight")
    scale, times = _scale_after(q, node)
    if x not in q.floats:
        own = _own_scale(q, node) if times is not None else ""
        scale = scale / q.needed(own, "a scale").astype(np.float64) if own else scale
        x = _rows(q, x, own, xz) or q.real(x, own or q.new(np.ones((), np.float32), f"{x}_scale"), xz)
    zero = q.needed(wz, "a zero point").astype(np.int64) if wz else np.zeros((), np.int64)
    columns = (-1, *[1] * (stored.ndim - 1)) if is_conv else (-1,)
    numbers = stored.astype(np.int64) - (zero.reshape(columns) if zero.size > 1 else zero.reshape(()))
    by = scale.reshape(columns) if scale.size > 1 else scale.reshape(())
    weight = q.new((numbers * by).astype(np.float32), w.removesuffix("_quantized"))
    q.add("Conv" if is_conv else "MatMul", [x, weight], node.output[0], node, **attributes(node))
    q.floats.add(node.output[0])
    if times is not None:
        q.scaled[times] = q.takers[node.output[0]][0].output[0]


def _scale_after(q: FloatGraph, node: onnx.NodeProto) -> tuple[Array, str | None]:
    """The constant that the floats of the result are multiplied with, and the result of that; 1 if that is not all that is done."""
    one = np.ones((), np.float64)
    cast = _only(q, node.output[0])
    times = None if cast is None or cast.op_type != "Cast" else _only(q, cast.output[0])
    if cast is None or times is None or times.op_type != "Mul":
        return one, None
    other = next((name for name in times.input if name != cast.output[0]), "")
    found = _constant(q, other)
    width = q.needed(node.input[1], "a weight").shape[0 if node.op_type == "ConvInteger" else -1]
    if found is None or found.size not in (1, width):
        return one, None
    return found.astype(np.float64).reshape(-1), times.output[0]


def _own_scale(q: FloatGraph, node: onnx.NodeProto) -> str:
    """The scale of the first input, where the product with that of the weight is a node of its own."""
    cast = q.takers[node.output[0]][0].output[0]
    other = next(name for name in q.takers[cast][0].input if name != cast)
    maker = q.original.get(other)
    found = None if maker is None or maker.op_type != "Mul" else q.known(maker.input[0])
    return maker.input[0] if maker is not None and found is not None and found.size == 1 else ""


def _rows(q: FloatGraph, x: str, scale: str, zero: str) -> str:
    """Rows of a table that is stored as integers, as rows of floats; empty if it is something else."""
    maker = q.original.get(x)
    if not scale or maker is None or maker.op_type != "Gather" or q.known(maker.input[0]) is None:
        return ""
    made = q.name(f"{x}_real")
    q.add("Gather", [q.real(maker.input[0], scale, zero), maker.input[1]], made, maker, **attributes(maker))
    return made


def _only(q: FloatGraph, name: str) -> onnx.NodeProto | None:
    takers = q.takers.get(name, [])
    return takers[0] if len(takers) == 1 else None


def _constant(q: FloatGraph, name: str) -> Array | None:
    """A constant, or a product of constants, which may come later in the file."""
    found = q.known(name)
    if found is not None:
        return found
    maker = q.original.get(name)
    if maker is None or maker.op_type != "Mul":
        return None
    a, b = (q.known(n) for n in maker.input)
    return None if a is None or b is None else a * b


@form("DynamicQuantizeMatMul", to="dense")
def dynamic_matmul(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, b, bs, bz, bias = _given(node, 5)
    _with_bias(q, node, [a, q.real(b, bs, bz, -1)], bias)


@form("MatMulIntegerToFloat", to="dense")
def to_float(q: FloatGraph, node: onnx.NodeProto) -> None:
    a, b, s, bs, az, bz, bias = _given(node, 7)
    _with_bias(q, node, [q.real(a, s, az), q.real(b, bs, bz, -1)], bias)


def _with_bias(q: FloatGraph, node: onnx.NodeProto, inputs: Sequence[str], bias: str) -> None:
    if not bias:
        q.add("MatMul", inputs, node.output[0], node)
        return
    made = q.name(f"{node.output[0]}_product")
    q.add("MatMul", inputs, made, node)
    q.add("Add", [made, bias], node.output[0], node)


@form("MatMulNBits", to="dense")
def few_bits(q: FloatGraph, node: onnx.NodeProto) -> None:
    """Blocks of numbers of a few bits, several in a byte, with a scale and a zero point for each block."""
    x, b, s, z, order, bias = _given(node, 6)
    found = attributes(node)
    rows, columns, bits, block = int(found["N"]), int(found["K"]), int(found.get("bits", 4)), int(found.get("block_size", 32))
    if bits not in (2, 4, 8) or order or block < 1:
        raise NotRewritten(f"has {bits} bits in blocks of {block}" + (" in an order of their own" if order else ""))
    blocks = -(-columns // block)
    numbers = unpacked(q.needed(b, "a weight").reshape(rows, blocks, -1), bits)[..., :block].astype(np.float64)
    scales = q.needed(s, "a list of scales")
    offsets: Any = float(2 ** (bits - 1))
    if z:
        zero = q.needed(z, "a list of zero points")
        offsets = zero.reshape(rows, blocks, 1) if zero.dtype.kind == "f" else unpacked(zero.reshape(rows, -1), bits)[:, :blocks, None]
    whole = ((numbers - offsets) * scales.reshape(rows, blocks, 1).astype(np.float64)).reshape(rows, blocks * block)[:, :columns]
    weight = q.new(np.ascontiguousarray(whole.T).astype(scales.dtype), b.removesuffix("_Q4").removesuffix("_Q8"))
    _with_bias(q, node, [x, weight], bias)


def unpacked(stored: Array, bits: int) -> Array:
    """The numbers in bytes, the lowest bits first, along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    apart: Array = (stored.astype(np.uint8)[..., None] >> shifts) & np.uint8(2**bits - 1)
    return apart.reshape(*stored.shape[:-1], -1)


# --- the same on floats ------------------------------------------------------------------------------------------------------


def _pairs(name: str, op: str) -> None:
    @form(name, to=op.lower())
    def pair(q: FloatGraph, node: onnx.NodeProto) -> None:
        a, s, z, b, bs, bz, _, yz = _given(node, 8)
        _product(q, node, op, [q.real(a, s, z), q.real(b, bs, bz)], yz)


def _ones(name: str, op: str, to: str, *kept: str) -> None:
    @form(name, to=to)
    def one(q: FloatGraph, node: onnx.NodeProto) -> None:
        x, s, z, _, yz = _given(node, 5)
        found = attributes(node)
        if found.get("channels_last"):
            raise NotRewritten("has its channels last")
        made = q.name(f"{node.output[0]}_real")
        q.add(op, [q.real(x, s, z)], made, node, **{key: value for key, value in found.items() if key in kept})
        q.settled(made, node, yz)


_pairs("QLinearAdd", "Add")
_pairs("QLinearMul", "Mul")
_ones("QLinearSigmoid", "Sigmoid", "sigmoid")
_ones("QLinearLeakyRelu", "LeakyRelu", "leaky_relu", "alpha")
_ones("QLinearSoftmax", "Softmax", "softmax", "axis")
_ones("QLinearGlobalAveragePool", "GlobalAveragePool", "adaptive_avg_pool")
_ones("QLinearAveragePool", "AveragePool", "avg_pool", "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")


@form("QLinearConcat", to="concat")
def concat(q: FloatGraph, node: onnx.NodeProto) -> None:
    _, yz, *rest = node.input
    parts = [q.real(*rest[n : n + 3]) for n in range(0, len(rest), 3)]
    _product(q, node, "Concat", parts, yz)


# --- what moves integers moves floats ----------------------------------------------------------------------------------------


def _same(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    return node


def _padded(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    """The number that it pads with is taken for 0, which quantizers give by its integer."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if len(node.input) > 2 and node.input[2]:
        copy.input[2] = q.new(np.zeros((), np.float32), f"{node.output[0]}_zero")
    return copy


def _cast(q: FloatGraph, node: onnx.NodeProto) -> onnx.NodeProto:
    """To floats: they are."""
    if attributes(node).get("to") not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
        raise NotRewritten("makes other integers of quantized numbers")
    return node


KEEPING: dict[str, Callable[[FloatGraph, onnx.NodeProto], onnx.NodeProto]] = {
    **dict.fromkeys(
        [
            *("Reshape", "Transpose", "MaxPool", "Concat", "Slice", "Gather", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Split"),
            *("Expand", "Tile", "Resize", "DepthToSpace", "SpaceToDepth", "Relu", "GatherElements"),
        ],
        _same,
    ),
    "Pad": _padded,
    "Cast": _cast,
}
"""What may be done with quantized numbers between the operators that quantize: it is the same on floats."""
