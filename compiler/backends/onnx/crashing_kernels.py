"""Find kernels of ONNX Runtime that end the process, rather than raise an error, on an input without elements.

In: a model, and the shapes of its inputs. Out: the operator that would get such an input, if there is one. Always: what ONNX's inference
does not find is found by running the model up to there; where that is not possible, the answer is that it would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import onnxruntime
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, inliner, shape_inference

from .runtime_failures import is_runtime_error

Shapes = Mapping[str, tuple[int, ...]]
Sizes = tuple[int | None, ...]
_UNKNOWN: Sizes = (None,) * 64
"""Of a tensor with as many axes as there may be."""


def _find_batch_axes(node: NodeProto) -> tuple[int, ...]:
    """The axes that all terms of an equation have, and the result: some orders of the others are a division by their number."""
    equation = next(attribute.s.decode() for attribute in node.attribute if attribute.name == "equation")
    operands, _, result = equation.replace(" ", "").partition("->")
    first, *others = operands.split(",")
    return tuple(
        axis for axis, letter in enumerate(first) if others and "." not in operands and all(letter in t for t in (*others, result))
    )


KERNELS: Mapping[str, Callable[[NodeProto], tuple[int, ...]]] = {
    "GRU": lambda _: (0, 1),
    "LSTM": lambda _: (1,),
    "Einsum": _find_batch_axes,
    "TopK": lambda _: (0,),
}
"""The axes of their first input that must not be empty, up to ONNX Runtime 1.31 at least; for TopK up to 1.30."""


def find_crashing_kernel(skeleton: ModelProto, build: Callable[[], ModelProto], shapes: Shapes) -> str | None:
    """`skeleton` has the nodes of the model, `build` makes one with its initializers too, or with their types."""
    if all(0 not in shape for shape in shapes.values()) or not any(node.op_type in KERNELS for node in _iter_nodes(skeleton)):
        return None
    model = ModelProto()
    model.CopyFrom(inliner.inline_local_functions(build()))
    for given in model.graph.input:
        for axis, size in zip(given.type.tensor_type.shape.dim, shapes.get(given.name, ()), strict=False):
            axis.dim_value = size
    del model.graph.value_info[:]
    for result in model.graph.output:
        result.type.tensor_type.ClearField("shape")
    return _find_empty_input(shape_inference.infer_shapes(model, data_prop=True).graph, lambda index: _run_up_to(model, index, shapes))


def _iter_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Those of functions and of the bodies of others too."""
    stack = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while stack:
        node = stack.pop()
        yield node
        for body in _list_bodies(node):
            stack += body.node


def _list_bodies(node: NodeProto) -> Iterable[GraphProto]:
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]


def _find_empty_input(graph: GraphProto, compute: Callable[[int], Sizes]) -> str | None:
    """The first kernel that gets no elements. `compute` gives the shape of what the node of a number gets; those before it get some."""
    sizes_by_value: dict[str, Sizes] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    sizes_by_value |= {value.name: _read_sizes(value) for value in (*graph.input, *graph.value_info)}
    for index, node in enumerate(graph.node):
        if node.op_type in KERNELS:
            axes, sizes = KERNELS[node.op_type](node), sizes_by_value.get(node.input[0], ())
            if not all(axis < len(sizes) and sizes[axis] is not None for axis in axes):
                sizes = compute(index)
            if any(not sizes[axis] for axis in axes):
                return str(node.op_type)
        inner = next(filter(None, (_find_empty_input(body, lambda _: _UNKNOWN) for body in _list_bodies(node))), None)
        if inner is not None:
            return inner
    return None


def _read_sizes(value: ValueInfoProto) -> Sizes:
    return tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in value.type.tensor_type.shape.dim)


def _run_up_to(model: ModelProto, index: int, shapes: Shapes) -> Sizes:
    """The shape of what a node of the main graph gets. Sizes do not depend on numbers, so that any will do."""
    part = ModelProto()
    part.CopyFrom(model)
    name = part.graph.node[index].input[0]
    del part.graph.node[index:], part.graph.output[:]  # ONNX Runtime also runs nodes that nothing needs
    part.graph.output.add(name=name)
    feeds = {i.name: np.zeros(shapes[i.name], helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)) for i in part.graph.input}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # failures are expected here, and need no log
    try:
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # such as that of weights in a file of their own
        return _UNKNOWN
    try:
        return tuple(session.run([name], feeds)[0].shape)
    except Exception as error:  # what fails before the kernel does not reach it
        return (1,) * len(_UNKNOWN) if is_runtime_error(error) else _UNKNOWN
