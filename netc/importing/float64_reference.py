"""Evaluates an ONNX file in float64, by the reference implementation of the onnx package.

In: a model in float32, float16 or bfloat16. Out: its outputs, with rounding errors that do not matter. Always: the file is computed
operator by operator, with fixes for a few operators of the reference. Neither netc nor ONNX Runtime takes part. This is slow, and only for
files on which these two disagree.

With a `seed`, rounding errors are added: all numbers of the file and of its inputs except integers move up or down by half a digit of their
type, and the results of its operators are rounded to float32 at random. The outputs then move as far as rounding errors move them.
`run_reference` is the same in the file's own types, for files that ONNX Runtime cannot run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from netc.compiler.types.numpy_types import is_float

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

_FLOATS = {TensorProto.FLOAT: 2.0**-24, TensorProto.FLOAT16: 2.0**-11, TensorProto.BFLOAT16: 2.0**-8}
"""The relative size of half of the last digit, for each type."""
_TYPED = ("to", "dtype")
"""Attributes that are element types."""


class BatchNormalization(OpRun):
    """Batch normalization. The onnx package's own takes the mean of the batch before operator set 14."""

    op_domain = ""

    def _run(self, x: Array, scale: Array, bias: Array, mean: Array, var: Array, epsilon: float = 1e-5, **_: Any) -> tuple[Array, ...]:
        shape = (-1, *(1 for _ in x.shape[2:]))
        factor = scale / np.sqrt(var + epsilon)
        return ((x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape),)


class GlobalMaxPool(OpRun):
    """Global max pooling. The onnx package's own loses an axis if there is one spatial axis."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array, ...]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


class STFT(OpRun):
    """Short-time Fourier transform. The onnx package's own fails for real signals without a last axis, which ONNX Runtime accepts."""

    op_domain = ""

    def _run(self, x: Array, step: Array, window: Array | None = None, length: Array | None = None, onesided: int = 1) -> tuple[Array, ...]:
        signal = x if x.ndim == 2 else x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]
        size = int(length) if length is not None else signal.shape[1] if window is None else window.size
        frames = np.lib.stride_tricks.sliding_window_view(signal, size, axis=1)[:, :: int(step)]
        transform = np.fft.rfft if onesided else np.fft.fft
        spectrum = transform(frames if window is None else frames * window)
        return (np.stack([spectrum.real, spectrum.imag], axis=-1).astype(x.dtype),)


class NotEvaluated(Exception):
    """The reference implementation cannot evaluate the model. The text is the reason."""


def evaluate_float64(model: onnx.ModelProto, inputs: Mapping[str, Array], seed: int | None = None) -> list[Array]:
    """Evaluate a model in float64, and return its outputs. Raises `NotEvaluated`."""
    double = onnx.ModelProto()
    double.CopyFrom(model)
    converter = Float64Converter(seed)
    converter.convert_graph(double.graph)
    for function in double.functions:
        for node in function.node:
            converter.convert_node(node)
    return run_reference(double, {name: converter.convert_array(array) for name, array in inputs.items()}, seed)


def run_reference(model: onnx.ModelProto, inputs: Mapping[str, Array], seed: int | None = None) -> list[Array]:
    """Evaluate a model in its own types, and return its outputs. With a seed, results in float64 are rounded. Raises `NotEvaluated`."""
    try:
        evaluator = ReferenceEvaluator(model, new_ops=[BatchNormalization, GlobalMaxPool, STFT])
        if seed is not None:
            generator = np.random.default_rng(seed)
            for node in evaluator.rt_nodes_:
                node.run = partial(_run_rounded, node.run, generator)
        with np.errstate(all="ignore"):
            outputs = evaluator.run(None, dict(inputs))
    except Exception as error:  # it raises whatever its operators do
        raise NotEvaluated(f"{type(error).__name__}: {str(error)[:200]}") from None
    return [np.asarray(array) for array in outputs]


def _run_rounded(run: Callable[..., tuple[Any, ...]], generator: np.random.Generator, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    from .rounding import round_at_random  # and PyTorch

    results = run(*args, **kwargs)
    return tuple(round_at_random(r, generator) if isinstance(r, np.ndarray) and r.dtype == np.float64 else r for r in results)


def find_defect(model: onnx.ModelProto) -> str:
    """Return the first error of ONNX's checker, shortened, or an empty text. Missing shapes do not count, because no runtime needs them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graphs = [copy.graph]
    for graph in graphs:
        graphs += [inner for node in graph.node for a in node.attribute for inner in (a.g, *a.graphs) if a.type in (a.GRAPH, a.GRAPHS)]
        for info in (*graph.input, *graph.output, *graph.value_info):
            info.type.tensor_type.shape.SetInParent()  # the checker requires a shape, even an empty one
    try:
        onnx.checker.check_model(copy)
    except onnx.checker.ValidationError as error:
        return " ".join(str(error).split())[:300]
    except ValueError:  # protobuf does not write more than 2 GiB
        return ""
    return ""


class Float64Converter:
    """Converts floats to float64, in arrays, and in a model in place. With a seed, it moves them by half a digit."""

    def __init__(self, seed: int | None) -> None:
        self._signs = None if seed is None else np.random.default_rng(seed)

    def convert_array(self, array: Array) -> Array:
        """Convert an array of floats. Other arrays stay as they are."""
        if not is_float(array):
            return array
        exact = array.astype(np.float64)
        half = _FLOATS.get(helper.np_dtype_to_tensor_dtype(array.dtype), 0.0)
        if self._signs is None:
            return exact
        # Integers such as 0 and 1 are exact in every type, so rounding did not make them.
        return np.where(np.mod(exact, 1) == 0, exact, exact * (1 + half * self._signs.choice((-1.0, 1.0), exact.shape)))

    def convert_graph(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            self._convert_tensor(tensor)
        for info in (*graph.input, *graph.output, *graph.value_info):
            if info.type.tensor_type.elem_type in _FLOATS:
                info.type.tensor_type.elem_type = TensorProto.DOUBLE
        for node in graph.node:
            self.convert_node(node)

    def convert_node(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                self._convert_tensor(attribute.t)
            # A cast to float32 inside of the model becomes a cast to float64.
            if attribute.name in _TYPED and attribute.i in _FLOATS:
                attribute.i = TensorProto.DOUBLE
            for graph in (attribute.g, *attribute.graphs):
                self.convert_graph(graph)
        # such an attribute is float32 in every file, so the constant becomes a tensor of float64
        if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name in ("value_float", "value_floats"):
            number: Any = helper.get_attribute_value(node.attribute[0])
            node.attribute[0].CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.array(number, np.float64))))

    def _convert_tensor(self, tensor: onnx.TensorProto) -> None:
        if tensor.data_type in _FLOATS:
            array = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(self.convert_array(array)), tensor.name))
