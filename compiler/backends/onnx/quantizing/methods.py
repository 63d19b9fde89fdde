"""Calls `onnxruntime.quantization` on files, with the options that netc needs.

In: the path of a model in float32. Out: the model with integers for weights, in memory. Always: the source file stays unchanged. Temporary
files are in a folder of the caller.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from ....types.numpy_types import Array

_BLOCK = 32
"""The number of weights of a column that share a scale, for four bits. With 128, the default, the error is about a third larger."""
_PRODUCTS = ["MatMul", "Gemm", "Conv"]
"""The operators that become integer products. By default, ONNX Runtime takes ONNX's Attention for its own operator of that name, and
writes a model that it cannot load. It also rounds the tables of embeddings and the sums of residual connections."""


class NotInstalled(Exception):
    """ONNX Runtime needs a package for a method that is not installed. The text is the package's name."""


class NotFiniteScale(Exception):
    """A scale would be NaN or infinite, because its tensor is."""


Batches = Iterable[Mapping[str, Array]]


def quantize_model(source: Path, folder: Path, method: str, calibration: Batches | None, is_large: bool) -> ModelProto:
    """Return the model at `source`, quantized by `int8` or `int4`. `folder` is for temporary files. `is_large`: the model exceeds one
    protobuf message. Raises `NotFiniteScale`."""
    target = folder / "quantized.onnx"
    with _silence_logs(), np.errstate(all="ignore"):
        try:
            _choose_method(method, calibration)(source, target, is_large)
        except AssertionError:  # ONNX Runtime asserts that a range is not NaN
            raise NotFiniteScale from None
    model = onnx.load(target)
    _check_scales(model)
    _forget_steps(model)
    return model


QuantizeFile = Callable[[Path, Path, bool], None]


def _choose_method(method: str, calibration: Batches | None) -> QuantizeFile:
    if method == "int4":
        return _quantize_four_bits
    if calibration is None:
        return _quantize_dynamic
    return _make_static_method(calibration)


def _quantize_dynamic(source: Path, target: Path, is_large: bool) -> None:
    """Quantize weights. The scales of activations are computed while the model runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize = partial(quantize_dynamic, op_types_to_quantize=_PRODUCTS, weight_type=QuantType.QInt8, use_external_data_format=is_large)
    stacked = _find_stacked_weights(source)
    if not stacked:
        quantize(source, target, per_channel=True)
        return
    # The quantizer takes one kind of scale for all nodes of a call, so the stacked weights are left for a second one.
    between = target.with_name(f"between_{target.name}")
    quantize(source, between, per_channel=True, nodes_to_exclude=list(stacked))
    quantize(between, target, per_channel=False, nodes_to_quantize=list(stacked))


def _find_stacked_weights(source: Path) -> dict[str, str]:
    """Find the products with several matrices as their weight, such as one of shape `[3, 8, 4]`. Return the weight by the product's name.

    Such a weight gets a single scale, because a kernel takes a scale for each output only if the weight is one matrix."""
    model = onnx.load(source, load_external_data=False)
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    return {node.name: node.input[1] for node in products if ranks.get(node.input[1], 0) > 2}


def _find_grouped_weights(source: Path) -> set[str]:
    """Find the weights of transposed convolutions with groups.

    Such a weight gets a single scale. The quantizer makes one for each output of a group, and the bias has all outputs of all groups."""
    nodes = onnx.load(source, load_external_data=False).graph.node
    return {n.input[1] for n in nodes if n.op_type == "ConvTranspose" and any(a.name == "group" and a.i > 1 for a in n.attribute)}


def _make_static_method(batches: Batches) -> QuantizeFile:
    """Make a method that takes the scales of activations from calibration data."""

    def quantize_static_on(source: Path, target: Path, is_large: bool) -> None:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._left = iter(batches)

            def get_next(self) -> dict[str, Any] | None:
                batch = next(self._left, None)
                return None if batch is None else dict(batch)

        # Activations are unsigned: with signed ones, ONNX Runtime moves a QuantizeLinear through a Reshape, and gives it another type
        # than its zero point.
        of_one_scale = sorted({*_find_stacked_weights(source).values(), *_find_grouped_weights(source)})
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_PRODUCTS, "ConvTranspose"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            use_external_data_format=is_large,
            extra_options={
                "MatMulConstBOnly": True,
                "TensorQuantOverrides": {name: [{"quant_type": QuantType.QInt8}] for name in of_one_scale},
            },
        )

    return quantize_static_on


def _quantize_four_bits(source: Path, target: Path, is_large: bool) -> None:
    """Quantize only weights, in blocks. Activations stay unchanged."""
    try:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    except ImportError as error:
        raise NotInstalled(error.name or "onnx_ir") from None
    quantizer = MatMulNBitsQuantizer(onnx.load(source), bits=4, block_size=_BLOCK, op_types_to_quantize=("MatMul",))
    # The quantizer handles MatMul only.
    quantizer.model.replace_gemm_with_matmul()
    quantizer.process()
    quantizer.model.save_model_to_file(str(target), is_large)


def _check_scales(model: ModelProto) -> None:
    """Raise `NotFiniteScale` for a scale that is NaN or infinite."""
    # ONNX Runtime writes an infinite scale without a warning.
    scales = {node.input[1] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")}
    scale_arrays = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name in scales)
    if not all(np.isfinite(scale).all() for scale in scale_arrays):
        raise NotFiniteScale


def _forget_steps(model: ModelProto) -> None:
    """Remove ONNX Runtime's notes on its own steps, and types of tensors that no longer exist."""
    kept = [(prop.key, prop.value) for prop in model.metadata_props if not prop.key.startswith("onnx.")]
    del model.metadata_props[:]
    for key, value in kept:
        model.metadata_props.add(key=key, value=value)
    del model.graph.value_info[:]


@contextmanager
def _silence_logs() -> Iterator[None]:
    """Silence advice on steps that do nothing for netc's graphs, and warnings of NaN, which is reported as an error."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        logging.disable(before)
