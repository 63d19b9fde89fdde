"""Finds kernels of ONNX Runtime that end the process, rather than raise an error, on an input without elements.

In: a model, and the shapes of its inputs. Out: the operator that would get such an input, or None. Always: shapes that ONNX's inference
does not find are found by running the model up to there. Where that is impossible, the answer is that the kernel would crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnxruntime
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, inliner, shape_inference

from .runtime_failures import is_runtime_error

Shapes = Mapping[str, tuple[int, ...]]
Sizes = tuple[int | None, ...]
_UNKNOWN: Sizes = (None,) * 64
"""Unknown sizes, for as many axes as a tensor may have."""


Axes = tuple[int, ...] | slice


def _find_batch_axes(node: NodeProto) -> tuple[int, ...]:
    """Return the axes that all terms of an equation and its result have: for some orders of the others, the kernel divides by their
    number."""
    equation = next(attribute.s.decode() for attribute in node.attribute if attribute.name == "equation")
    operands, _, result = equation.replace(" ", "").partition("->")
    first, *others = operands.split(",")
    return tuple(
        axis for axis, letter in enumerate(first) if others and "." not in operands and all(letter in t for t in (*others, result))
    )


def _list_scanned_axes(node: NodeProto) -> Iterator[tuple[str, Axes]]:
    """Yield the axes of what a Scan transposes itself, because it does not scan along axis 0. Its transposition divides by the number of
    elements after the axis that moves. It takes an exchange of the axes 0 and 1 for a move of axis 0, and divides by that size too."""
    numbers = {attribute.name: attribute for attribute in node.attribute}
    scanned = numbers["num_scan_inputs"].i
    for name, axis in zip(node.input[len(node.input) - scanned :], _read_axes(numbers.get("scan_input_axes")), strict=False):
        if axis != 0:
            yield name, slice(axis + 1, None)
        if axis == 1:
            yield name, (0,)
    states = len(node.input) - scanned
    for name, axis in zip(node.output[states:], _read_axes(numbers.get("scan_output_axes")), strict=False):
        if axis != 0 and name:
            yield name, slice(axis + 1, None)


def _read_axes(attribute: AttributeProto | None) -> Sequence[int]:
    """Return the axes of an attribute. By default all of them are 0."""
    return () if attribute is None else attribute.ints


def _on_first(find_axes: Callable[[NodeProto], Axes]) -> Callable[[NodeProto], Iterable[tuple[str, Axes]]]:
    """Return a function for a kernel that needs elements in its first input alone."""
    return lambda node: [(node.input[0], find_axes(node))]


KERNELS: Mapping[str, Callable[[NodeProto], Iterable[tuple[str, Axes]]]] = {
    "GRU": _on_first(lambda _: (0, 1)),
    "LSTM": _on_first(lambda _: (1,)),
    "Einsum": _on_first(_find_batch_axes),
    "TopK": _on_first(lambda _: (0,)),
    "Scan": _list_scanned_axes,
}
"""The values of each kernel with the axes that must not be empty, up to ONNX Runtime 1.31 at least. For TopK, up to 1.30."""


def find_crashing_kernel(skeleton: ModelProto, build: Callable[[], ModelProto], shapes: Shapes) -> str | None:
    """Find the kernel. `skeleton` has the nodes of the model. `build` makes a model with its initializers too, or with their types."""
    if all(0 not in shape for shape in shapes.values()) or not any(node.op_type in KERNELS for node in iter_all_nodes(skeleton)):
        return None
    model = ModelProto()
    model.CopyFrom(inliner.inline_local_functions(build()))
    for graph_input in model.graph.input:
        for axis, size in zip(graph_input.type.tensor_type.shape.dim, shapes.get(graph_input.name, ()), strict=False):
            axis.dim_value = size
    # Shapes in the model are symbolic, and would hide what follows from the sizes of this call.
    del model.graph.value_info[:]
    for result in model.graph.output:
        result.type.tensor_type.ClearField("shape")
    return _find_empty_input(
        shape_inference.infer_shapes(model, data_prop=True).graph, lambda index, name: _run_up_to(model, index, name, shapes)
    )


def iter_all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Iterate over the nodes, including the nodes of functions and of bodies of loops."""
    stack = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while stack:
        node = stack.pop()
        yield node
        for body in _list_bodies(node):
            stack += body.node


def _list_bodies(node: NodeProto) -> Iterable[GraphProto]:
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]


def _find_empty_input(graph: GraphProto, compute: Callable[[int, str], Sizes]) -> str | None:
    """Return the first kernel that gets or makes no elements. `compute` returns the shape of a value that the node with a number reads."""
    sizes_by_value: dict[str, Sizes] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    sizes_by_value |= {value.name: _read_sizes(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    for index, node in enumerate(graph.node):
        for name, axes in KERNELS[node.op_type](node) if node.op_type in KERNELS else ():
            sizes = _select_sizes(sizes_by_value.get(name, ()), axes)
            if None in sizes and name in node.input:
                sizes = _select_sizes(compute(index, name), axes)
            # None, an unknown size, counts as 0: a refused call is better than a process that ends.
            if not all(sizes):
                return str(node.op_type)
        inner = next(filter(None, (_find_empty_input(body, lambda *_: _UNKNOWN) for body in _list_bodies(node))), None)
        if inner is not None:
            return inner
    return None


def _select_sizes(sizes: Sizes, axes: Axes) -> Sizes:
    """Return the sizes of the axes. Without any sizes, the rank is unknown, and each size is."""
    if isinstance(axes, slice):
        return sizes[axes] if sizes else (None,)
    return tuple(sizes[axis] if axis < len(sizes) else None for axis in axes)


def _read_sizes(value: ValueInfoProto) -> Sizes:
    return tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in value.type.tensor_type.shape.dim)


def _run_up_to(model: ModelProto, index: int, name: str, shapes: Shapes) -> Sizes:
    """Return the shape of a value that a node of the main graph reads. Sizes do not depend on values, so zeros are fed."""
    part = ModelProto()
    part.CopyFrom(model)
    del part.graph.node[index:], part.graph.output[:]  # ONNX Runtime also runs nodes that nothing needs
    part.graph.output.add(name=name)
    feeds = {i.name: np.zeros(shapes[i.name], helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)) for i in part.graph.input}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # failures are expected here, and need no log
    try:
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # for example, weights in a separate file
        return _UNKNOWN
    try:
        return tuple(session.run([name], feeds)[0].shape)
    except Exception as error:  # an error before the kernel means that the kernel is not reached
        return (1,) * len(_UNKNOWN) if is_runtime_error(error) else _UNKNOWN
