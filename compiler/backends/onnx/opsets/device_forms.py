"""The table of replacements for operators that a device or a runtime has no right kernel for, in any element type that holds the numbers.

In: the requested node. Out: nodes that the device has kernels for. Always: the results are the same, except for rounding. On the CPU the
requested node is faster, so these forms are for devices only.

>>> import netc
>>> from netc.compiler.backends.backend import BackendInput, GraphOptions
>>> from netc.compiler.backends.onnx import BACKEND
>>> given = BackendInput(netc.compile("input 3 int64 -> argmax axis=1").program, "net", options=GraphOptions(device="cuda"))
>>> [node.op_type for node in BACKEND.proto(given).graph.node]
['ReduceMax', 'Equal', 'Cast', 'ArgMax']
"""

from __future__ import annotations

from collections.abc import Mapping

from ....types.tensor_types import FLOAT32
from ..tensor_expressions import compute_precisely, softplus_by_parts
from .forms import Form, Names
from .node import RequestedNode


def _find_first_extreme(node: RequestedNode) -> Names | None:
    """Find the first element that equals the extreme: CUDA has ArgMax of floats only, which do not hold all integers."""
    x = node.make_expr(0)
    axis = node.attributes.get("axis", 0)
    if not x.dtype.is_integer or not isinstance(axis, int):
        return None
    extreme = node.add(node.op_type.replace("Arg", "Reduce"), [x.name, node.ints([axis])], keepdims=1)
    is_extreme = node.cast(node.add("Equal", [x.name, extreme]), FLOAT32)
    return (node.add("ArgMax", [is_extreme], **node.attributes),)


def _pad_integers(node: RequestedNode) -> Names | None:
    """Put constants before and after each axis by Concat."""
    x, amounts = node.make_expr(0), node.read_integers(1)
    is_constant = node.attributes.get("mode", "constant") == "constant"
    if amounts is None or len(node.inputs) > 3 or not is_constant or not x.dtype.is_integer or min(amounts, default=0) < 0:
        return None
    fill = node.inputs[2] if len(node.inputs) > 2 and node.inputs[2] else node.scalar(0, x.dtype)
    result, rank = x.name, len(amounts) // 2
    for axis, (before, after) in enumerate(zip(amounts[:rank], amounts[rank:], strict=True)):
        parts = [_fill_axis(node, result, axis, before, fill), result, _fill_axis(node, result, axis, after, fill)]
        kept = [part for part in parts if part]
        result = node.add("Concat", kept, axis=axis) if len(kept) > 1 else result
    return (result if result != x.name else node.add("Identity", [result]),)  # the result must be a new value


def _fill_axis(node: RequestedNode, x: str, axis: int, count: int, fill: str) -> str:
    """Make a tensor of constants with the shape of another one, but for the size of one axis. Empty for no elements."""
    if not count:
        return ""
    ahead = [node.add("Shape", [x], end=axis)] if axis else []
    shape = node.add("Concat", [*ahead, node.ints([count]), node.add("Shape", [x], start=axis + 1)], axis=0)
    return node.add("Expand", [fill, shape])


def _replace_tan(node: RequestedNode) -> Names:
    return (node.add("Div", [node.add("Sin", node.inputs), node.add("Cos", node.inputs)]),)


def _replace_celu(node: RequestedNode) -> Names:
    x, alpha = node.make_expr(0), node.attributes.get("alpha", 1.0)
    assert isinstance(alpha, float)
    scaled = node.add("Elu", [(x / alpha).name])
    return (node.add("Mul", [scaled, node.scalar(alpha, x.dtype)]),)


def _replace_log_softmax(node: RequestedNode) -> Names:
    x, axis = node.make_expr(0), node.attributes.get("axis", -1)
    assert isinstance(axis, int)
    shifted = x - x.op("ReduceMax", [axis], keepdims=1)  # else the exponentials overflow
    # A half type holds neither the sum of many exponentials nor its logarithm exactly.
    return ((shifted - compute_precisely(shifted, lambda y: y.exp().op("ReduceSum", [axis], keepdims=1).log())).name,)


def _divide_one(node: RequestedNode) -> Names:
    x = node.make_expr(0)
    return ((x.like(1.0) / x).name,)


def _replace_softplus(node: RequestedNode) -> Names:
    return (softplus_by_parts(node.make_expr(0)).name,)


DEVICE_FORMS: Mapping[str, Form] = {
    "ArgMax": _find_first_extreme,
    "ArgMin": _find_first_extreme,
    "Celu": _replace_celu,
    "LogSoftmax": _replace_log_softmax,
    "Pad": _pad_integers,
    "Softplus": _replace_softplus,
    "Tan": _replace_tan,
}
"""The replacements where the device has no kernel, by the requested operator."""

WRONG_KERNELS: Mapping[tuple[str, str], Form] = {("coreml", "Reciprocal"): _divide_one}
"""The replacements where the device has a kernel that computes something else, by device and operator. Core ML's adds 0.0001 to the
divisor: see onnxruntime/core/providers/coreml/builders/impl/unary_op_builder.cc."""

BROKEN_ATTRIBUTES = frozenset({("web", "MaxPool", "ceil_mode"), ("web", "AveragePool", "ceil_mode"), ("web", "Split", "num_outputs")})
"""The attributes that a device's kernel has no code for, or not for symbolic sizes, by device and operator. The faults in
`kernels/web_limits.py` are the nodes that have them nevertheless."""
