"""Folds constants: computes nodes whose inputs are all known.

    >>> fold_node(helper.make_node("Add", ["a", "b"], ["c"]), [np.array([1, 2]), np.array([10])], 17)
    [array([11, 12])]

In: a node and arrays. Out: arrays, or None for operators that are not folded. Always: size and time are bounded. Slow operators, such as
convolutions, stay in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from ...types.numpy_types import Array
from ..graph_builder import ImportRefused

LARGEST = 2**26
"""The number of elements of the largest result, unless an input is larger."""
_MOVING = (
    "Identity Reshape Squeeze Unsqueeze Transpose Flatten Slice Concat Split Gather GatherElements GatherND Expand Tile Cast CastLike "
    "Pad ConstantOfShape Range Shape Size Where Trilu EyeLike OneHot DepthToSpace SpaceToDepth ScatterND ScatterElements NonZero Compress "
    "ReverseSequence TopK Unique"
)
_ELEMENTS = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitShift Ceil Clip Cos Cosh Div Equal Erf Exp "
    "Floor Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Log Max Mean Min Mod Mul Neg Not Or Pow Reciprocal Relu Round Sigmoid Sign "
    "Sin Sinh Sqrt Sub Sum Tan Tanh Xor Softplus LeakyRelu Elu HardSigmoid"
)
_OTHERS = (
    "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin "
    "CumSum Softmax LogSoftmax DequantizeLinear HannWindow HammingWindow BlackmanWindow MelWeightMatrix"
)
FOLDED = frozenset((_MOVING + " " + _ELEMENTS + " " + _OTHERS).split())
MOVED = frozenset(_MOVING.split()) - {"Gather", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "Where", "OneHot"}
ELEMENTWISE = frozenset(_ELEMENTS.split())


_OTHER_NUMBERS = ("bfloat16", "int4", "uint4", "int2", "uint2")
"""Types of numbers that NumPy itself does not have."""


def fold_node(node: onnx.NodeProto, arrays: Sequence[Array | None], version: int) -> list[Array] | None:
    """Compute a node of the standard operators. None if its operator is not folded."""
    # Strings and complex numbers are left to the importer, which refuses them.
    if node.op_type not in FOLDED or any(
        a is not None and a.dtype.kind not in "iufb" and a.dtype.name not in _OTHER_NUMBERS for a in arrays
    ):
        return None
    most = max([LARGEST, *(2 * a.size for a in arrays if a is not None)])
    # The file may be anybody's: a ConstantOfShape of a few bytes can ask for terabytes.
    if _count_elements(node, arrays) > most:
        raise ImportRefused(f"its result has more than {most} elements")
    quick = _QUICK.get(node.op_type)
    if quick is not None and all(a is not None for a in arrays):
        return [quick(node, [a for a in arrays if a is not None])]
    return _run_reference(node, arrays, version)


def _count_elements(node: onnx.NodeProto, arrays: Sequence[Array | None]) -> int:
    """Estimate the number of elements of the result, for operators whose result can be larger than their inputs."""
    known = [a for a in arrays if a is not None]
    match node.op_type:
        case "Expand" | "ConstantOfShape" if known:
            # NumPy has at most 64 axes.
            shape = [max(1, int(v)) for v in known[-1].reshape(-1)[:64]]
            return (
                prod(shape) * (known[0].size if node.op_type == "Expand" and len(known) > 1 else 1)
                if len(known[-1].reshape(-1)) <= 64
                else 0
            )
        case "Tile" if len(known) == 2:
            return known[0].size * prod(max(1, int(v)) for v in known[1].reshape(-1))
        case "Range" if len(known) == 3:
            start, limit, delta = (float(a.reshape(-1)[0]) for a in known)
            # A step of 0 is refused by the evaluator.
            return int(abs((limit - start) / delta)) if delta else 0
        case "Pad" if len(known) > 1:
            return prod(d + 2 * int(np.abs(known[1]).max(initial=0)) for d in known[0].shape)
        case "OneHot" if len(known) == 3:
            return known[0].size * max(1, int(known[1].reshape(-1)[0]))
        case "HannWindow" | "HammingWindow" | "BlackmanWindow" | "EyeLike" if known:
            return int(known[0].reshape(-1)[0]) if known[0].size == 1 else known[0].size
        case "MelWeightMatrix" if len(known) > 1:
            return int(known[0].reshape(-1)[0]) * int(known[1].reshape(-1)[0])
        case op if op in ELEMENTWISE or op in ("Where", "Mod"):
            try:
                return prod(np.broadcast_shapes(*(a.shape for a in known)))
            except ValueError:
                return 0
        case "GatherND" | "Gather" if len(known) == 2:
            return known[0].size * known[1].size if known[0].size * known[1].size < LARGEST else known[1].size * prod(known[0].shape[1:])
    return 0


def make_slice(start: int, end: int, step: int, size: int) -> slice:
    """Return the slice that takes in Python what ONNX's takes. ONNX moves a start in front of the axis to the first element, and Python
    takes nothing from there if the step is negative."""
    return slice(max(start, -size) if step < 0 else start, end, step)


def slice_array(array: Array, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> Array:
    """Slice some axes. Raises IndexError for an axis that is not there, and ValueError for a step of 0 or lists of different lengths."""
    kept = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        kept[axis] = make_slice(start, end, step, array.shape[axis])
    return array[tuple(kept)]


def _fold_slice(node: onnx.NodeProto, arrays: list[Array]) -> Array:
    """Slice an array. The reference evaluator of the onnx package slices as Python does."""
    given: dict[str, Any] = {a.name: list(a.ints) for a in node.attribute}
    given |= zip(("starts", "ends", "axes", "steps"), (array.reshape(-1).tolist() for array in arrays[1:]), strict=False)
    count = len(given["starts"])
    return slice_array(arrays[0], given["starts"], given["ends"], given.get("axes", range(count)), given.get("steps", [1] * count))


def _fold_transpose(node: onnx.NodeProto, arrays: list[Array]) -> Array:
    order = {a.name: list(a.ints) for a in node.attribute}.get("perm")
    return arrays[0].transpose(order)


def _gather_elements(node: onnx.NodeProto, arrays: list[Array]) -> Array:
    """Gather elements. The reference evaluator of the onnx package is wrong if the first axis has one element."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    data, index = arrays
    region = tuple(slice(0, n) if a != axis % data.ndim else slice(None) for a, n in enumerate(index.shape))
    return np.take_along_axis(data[region], index, axis)


def _dequantize_array(node: onnx.NodeProto, arrays: list[Array]) -> Array:
    """Return `(x - zero) * scale`, for the whole tensor or along an axis."""
    x, scale = arrays[0], arrays[1]
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    # Operator set 21 added scales for blocks of elements.
    block = next((a.i for a in node.attribute if a.name == "block_size"), 0)
    if block:
        return _dequantize_blocks(arrays, axis, block)
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    zero = arrays[2].reshape(shape) if len(arrays) > 2 else np.zeros((), x.dtype)
    # The difference of two 8-bit integers does not fit into 8 bits.
    apart = x.astype(np.int64) - zero.astype(np.int64)
    result: Array = apart.astype(scale.dtype) * scale.reshape(shape)
    return result


def _dequantize_blocks(arrays: list[Array], axis: int, block: int) -> Array:
    """Dequantize with one scale for each block of elements along an axis."""
    x = arrays[0]
    scale, *zero = (np.repeat(a, block, axis)[(slice(None),) * (axis % x.ndim) + (slice(0, x.shape[axis]),)] for a in arrays[1:])
    if scale.shape != x.shape:
        raise ImportRefused(f"its scales are not for blocks of {block} elements")
    apart = x.astype(np.int64) - (zero[0].astype(np.int64) if zero else 0)
    result: Array = apart.astype(scale.dtype) * scale
    return result


_QUICK: dict[str, Callable[[onnx.NodeProto, list[Array]], Array]] = {
    "Slice": _fold_slice,
    "Transpose": _fold_transpose,
    "Identity": lambda node, arrays: arrays[0],
    "GatherElements": _gather_elements,
    "DequantizeLinear": _dequantize_array,
}


def _run_reference(node: onnx.NodeProto, arrays: Sequence[Array | None], version: int) -> list[Array]:
    """Compute a node with the reference evaluator of the onnx package."""
    names = [f"i{n}" if a is not None else "" for n, a in enumerate(arrays)]
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.input[:]
    copy.input.extend(names)
    outputs = [f"o{n}" for n in range(len(node.output))]
    del copy.output[:]
    copy.output.extend(outputs)
    # The standard domain has two names, an empty one and `ai.onnx`. The model below declares the empty one.
    copy.domain = ""
    feeds: Mapping[str, Any] = {name: a for name, a in zip(names, arrays, strict=True) if a is not None}
    inputs = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()]
    graph = helper.make_graph([copy], "folded", inputs, [onnx.ValueInfoProto(name=name) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    try:
        # Overflow and NaN are results as ONNX defines them, not errors.
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, dict(feeds))
    except ImportRefused:
        raise
    except Exception as error:
        raise ImportRefused(f"its inputs are constants that it cannot be computed of: {str(error)[:200]}") from None
    return [np.asarray(m) for m in results]


def fold_numbers(op_type: str, numbers: Sequence[np.generic], attributes: Mapping[str, Any], version: int) -> np.generic | None:
    """Compute an operator on single numbers."""
    names = [f"i{n}" for n in range(len(numbers))]
    node = helper.make_node(op_type, names, ["o"], **{name: value for name, value in attributes.items() if value is not None})
    results = fold_node(node, [np.asarray(n) for n in numbers], version)
    if results is None:
        return None
    result: np.generic = results[0].reshape(-1)[0]
    return result
