"""Emit normalizations. ONNX's operators need scales and shifts where PyTorch's modules may have none.

>>> import netc
>>> [node.op_type for node in netc.compile("input 8 -> layer_norm -> rms_norm").onnx().graph.node]
['LayerNormalization', 'RMSNormalization']
"""

from __future__ import annotations

from typing import cast

import numpy as np

from ....dims import Dim
from ....ops.axes import normalize_axis
from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm, SpectralNormalize, Standardize
from ....ops.operator import numel
from ....ops.windows import Window
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import FLOAT32, INT64, Shape, TensorType
from ..norms import average_axes, reduce_axes, subtract_mean
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, multiply_vector
from ..window_sums import SlidingAxis, sum_windows

_EPSILON = {"float64": 2.0**-52}
"""The default `eps` of the type in which PyTorch computes a root mean square, where that type is not float32."""


def _make_full_constant(site: Site, shape: Shape, value: float, x: TensorType) -> str:
    """Make a constant of a known shape. The operators' rules require known sizes here."""
    return site.constant(np.full(cast("tuple[int, ...]", shape), value, dtype=numpy_dtype(x.dtype)))


def _scale_and_shift(op: BatchNorm | InstanceNorm, site: Site) -> list[str]:
    x = site.given.x
    channels = x.shape[1:2]
    scale = site.parameter("weight") if op.affine else _make_full_constant(site, channels, 1, x)
    return [scale, site.parameter("bias") if op.affine and op.has_bias(site.given) else _make_full_constant(site, channels, 0, x)]


def _emit_running_norm(op: BatchNorm | InstanceNorm, site: Site) -> str:
    """Normalize by the statistics that training has kept."""
    terms = [site.x.name, *_scale_and_shift(op, site), site.parameter("running_mean"), site.parameter("running_var")]
    return site.add("BatchNormalization", terms, epsilon=float(op.eps))


@emits(BatchNorm, onnx="BatchNormalization")
def emit_batch_norm(op: BatchNorm, site: Site) -> str:
    # With the statistics of the batch, BatchNormalization needs its training mode, which runtimes leave out.
    return _emit_running_norm(op, site) if op.track_running_stats else _emit_in_steps(op, site, [0, *range(2, site.given.x.rank)])


def _emit_in_steps(op: BatchNorm | InstanceNorm, site: Site, axes: list[int]) -> str:
    """Normalize by the mean and deviation over the axes. PyTorch gives 0 where the deviation is 0, even without `eps`."""
    centered = subtract_mean(site.x, axes)
    variance = average_axes(centered * centered, axes)
    y = centered / (variance + float(op.eps)).op("Sqrt")
    return _scale_channels(op, site, y if op.eps else variance.equal(0.0).choose(y.like(0.0), y)).name


def _scale_channels(op: BatchNorm | InstanceNorm | GroupNorm, site: Site, y: TensorExpr) -> TensorExpr:
    """Apply the scale and the shift of each channel."""
    if op.affine:
        y = y * _unsqueeze_parameter(site, "weight")
    if op.affine and op.has_bias(site.given):
        y = y + _unsqueeze_parameter(site, "bias")
    return y


@emits(Standardize, onnx="Sub and Div")
def emit_standardize(op: Standardize, site: Site) -> str:
    x = site.given.x
    trailing = x.rank - 1 - op.feature_axis(x)
    mean, std = (TensorExpr(site, site.parameter(name), x.dtype) for name in ("mean", "std"))
    if trailing:
        sizes = TensorExpr(site, site.ints([-1, *[1] * trailing]), INT64)
        mean, std = mean.op("Reshape", sizes), std.op("Reshape", sizes)
    return ((site.x - mean) / std).name


@emits(InstanceNorm, onnx="Reshape and LayerNormalization, or BatchNormalization")
def emit_instance_norm(op: InstanceNorm, site: Site) -> str:
    # ONNX Runtime's InstanceNormalization sums a plane in one float32: for 512x512 pixels of 100.3 it gives 0.99, and 0 is right.
    x = site.given.x
    if op.track_running_stats:
        return _emit_running_norm(op, site)
    # LayerNormalization with `epsilon=0` would give NaN for a constant plane, PyTorch gives 0.
    if not op.eps:
        return _emit_in_steps(op, site, list(range(2, x.rank)))
    return _normalize_groups(op, site, x.shape[1])


@emits(GroupNorm, onnx="Reshape and LayerNormalization")
def emit_group_norm(op: GroupNorm, site: Site) -> str:
    # ONNX Runtime has no kernel for GroupNormalization and expands it with the variance as E[x^2] - E[x]^2. If the mean is large compared
    # with the deviation, that cancels, and may fall below 0.
    return _normalize_groups(op, site, op.groups)


def _normalize_groups(op: GroupNorm | InstanceNorm, site: Site, groups: Dim) -> str:
    """Normalize each group of channels by its own mean and deviation."""
    x = site.given.x
    size = numel(x.shape[1:]) // groups
    rows = site.add("Reshape", [site.x.name, site.ints([0, groups, size])])
    ones = site.add("Expand", [site.scalar(1.0, x.dtype), site.ints([size])])
    normal = site.add("LayerNormalization", [rows, ones], epsilon=float(op.eps), stash_type=_choose_stash_type(x))
    return _scale_channels(op, site, TensorExpr(site, site.add("Reshape", [normal, site.shape(x.shape)]), x.dtype)).name


def _unsqueeze_parameter(site: Site, name: str) -> TensorExpr:
    """Reshape a parameter [C] to [C, 1, ...]."""
    x, parameter = site.given.x, site.parameter(name)
    axes = range(1, x.rank - 1)
    return TensorExpr(site, site.add("Unsqueeze", [parameter, site.ints(axes)]) if axes else parameter, x.dtype)


def _choose_stash_type(x: TensorType) -> int | None:
    """Return the type for computing statistics: float32, unless the input is more precise."""
    return 11 if x.dtype.name == "float64" else None


@emits(LayerNorm, onnx="LayerNormalization")
def emit_layer_norm(op: LayerNorm, site: Site) -> str:
    x = site.given.x
    shape = op.normalized_shape(x)
    scale = site.parameter("weight") if op.affine else _make_full_constant(site, shape, 1, x)
    terms = [site.x.name, scale, *([site.parameter("bias")] if op.affine and op.has_bias(site.given) else [])]
    return site.add("LayerNormalization", terms, axis=-len(shape), epsilon=float(op.eps))


@emits(RMSNorm, onnx="RMSNormalization")
def emit_rms_norm(op: RMSNorm, site: Site) -> str | None:
    if not site.has("RMSNormalization"):
        return None
    x = site.given.x
    shape = op.normalized_shape(x)
    scale = site.parameter("weight") if op.affine else _make_full_constant(site, shape, 1, x)
    eps = _EPSILON.get(x.dtype.name, 2.0**-23) if op.eps is None else op.eps
    return site.add("RMSNormalization", [site.x.name, scale], axis=-len(shape), epsilon=float(eps))


@emits(LocalResponseNorm, onnx="Mul, AveragePool, Pow and Div")
def emit_local_response_norm(op: LocalResponseNorm, site: Site) -> str:
    # Not LRN: ONNX Runtime slides a running sum over the channels, so one channel that is not finite spoils all that follow.
    # It also takes images only, and an even size reaches further forwards there, but backwards in PyTorch.
    number, means = site.x.cast(site.results[0].dtype), _average_squares(op, site)
    return (number / (means * op.alpha + op.k).op("Pow", op.beta)).name


@emits(SpectralNormalize, onnx="Transpose, Reshape, MatMul, ReduceSum and Div")
def emit_spectral_normalize(op: SpectralNormalize, site: Site) -> str:
    weight = site.given.weight
    axis = normalize_axis(op.name, op.axis, weight)
    rows, columns = op.matrix_shape(weight)
    order = [axis, *(n for n in range(weight.rank) if n != axis)]
    matrix = (site.weight.op("Transpose", perm=order) if axis else site.weight).op(
        "Reshape", TensorExpr(site, site.ints([rows, columns]), INT64)
    )
    u, v = (TensorExpr(site, site.parameter(name), weight.dtype) for name in ("_u", "_v"))
    return (site.weight / reduce_axes(u * multiply_vector(matrix, v), "ReduceSum")).name


def _average_squares(op: LocalResponseNorm, site: Site) -> TensorExpr:
    """Average the squares of the neighboring channels of each channel."""
    x, squares = site.given.x, site.x * site.x
    before, after = op.size // 2, (op.size - 1) // 2
    # AveragePool takes no integers.
    if not x.dtype.is_float:
        slide = SlidingAxis(site, Window(op.size, before=before, after=after), x.shape[1], x.shape[1])
        return (sum_windows(site, squares.name, x.rank, [(1, slide)]) / op.size).cast(FLOAT32)
    rows = site.add("Reshape", [squares.name, site.ints([0, 1, x.shape[1], -1])])
    means = site.add("AveragePool", [rows], kernel_shape=[op.size, 1], pads=[before, 0, after, 0], count_include_pad=1)
    return TensorExpr(site, site.add("Reshape", [means, site.shape(x.shape)]), x.dtype)
