"""Emit short-time Fourier transforms as windows by Gather, then DFT in float64. ONNX's STFT has no padding, and no float64 for float32.

>>> import netc
>>> [node.op_type for node in netc.compile("input 64 -> stft 16").onnx().graph.node]
['Pad', 'Gather', 'Cast', 'Unsqueeze', 'DFT', 'Cast', 'Transpose']
"""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.short_time import Istft, ShortTime, Stft
from ....types.tensor_types import FLOAT32, INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr
from ..transforms import invert_real_transform, transform_axis
from .shape import transpose_tensor

_MODES = {"reflect": "reflect", "constant": "constant", "replicate": "edge", "circular": "wrap"}
_END = 2**63 - 1


def _make_window_weights(op: ShortTime, site: Site) -> TensorExpr | None:
    """Make the weights, with zeros around them up to the size of a window. None if all are 1."""
    size, missing = op.window_size(), op.n_fft - op.window_size()
    before = missing // 2
    if "window" not in site.given:
        ones = np.zeros(op.n_fft)
        # A rectangular window shorter than the transform is ones with zeros around it.
        ones[before : before + size] = 1
        return TensorExpr(site, site.constant(ones), FLOAT64) if missing else None
    window = site.window.cast(FLOAT64)
    return window.op("Pad", TensorExpr(site, site.ints([before, missing - before]), INT64)) if missing else window


def _find_window_positions(site: Site, op: ShortTime, count: Dim) -> TensorExpr:
    """Make the matrix [count, n_fft] of the positions of each window's elements."""
    ends = [site.scalar(number, INT64) for number in (0, count * op.hop_size(), op.hop_size())]
    starts = TensorExpr(site, site.add("Unsqueeze", [site.add("Range", ends), site.ints([1])]), INT64)
    return starts + TensorExpr(site, site.constant(np.arange(op.n_fft)), INT64)


def _unsqueeze_axes(x: TensorExpr, *axes: int) -> TensorExpr:
    return TensorExpr(x.site, x.site.add("Unsqueeze", [x.name, x.site.ints(axes)]), x.dtype)


@emits(Stft, onnx="Pad, Gather, Mul and DFT")
def emit_stft(op: Stft, site: Site) -> str:
    x_type, result = site.given.x, site.results[0]
    x, edge = site.x, op.edge_size()
    if edge:
        pads = TensorExpr(site, site.ints([edge, edge]), INT64)
        y = site.add("Pad", [x.name, pads.name, "", site.ints([-1])], mode=_MODES[op.pad_mode])
        x = TensorExpr(site, y, x.dtype)
    windows = x.op("Gather", _find_window_positions(site, op, result.shape[-2]), axis=x_type.rank - 1).cast(FLOAT64)
    weights = _make_window_weights(op, site)
    if weights is not None:
        windows = windows * weights
    spectrum = transform_axis(_unsqueeze_axes(windows, x_type.rank + 1), x_type.rank, op.n_fft, onesided=op.onesided)
    if op.normalized:
        spectrum = spectrum * op.n_fft**-0.5
    # The spec has [..., frequency, window, 2], the DFT gives the windows first.
    order = [*range(x_type.rank - 1), x_type.rank, x_type.rank - 1, x_type.rank + 1]
    return transpose_tensor(site, spectrum.cast(result.dtype).name, order)


@emits(Istft, onnx="DFT, Mul, Col2Im and Div")
def emit_istft(op: Istft, site: Site) -> str:
    """Add up the windows, and divide by the sum of the squares of their weights."""
    x_type = site.given.x
    batched = x_type.rank == 4
    x = site.x.cast(FLOAT64)
    # Col2Im needs an axis for the batch.
    x = x if batched else _unsqueeze_axes(x, 0)
    size = op.n_fft
    windows = invert_real_transform(x, 1, 4, size) * (size**-0.5 if op.normalized else 1 / size)
    # The window weighs the signal in both directions, so its square is divided out.
    weights = _make_window_weights(op, site)
    # Without weights, each window counts 1 in the sum that divides.
    squares = TensorExpr(site, site.constant(np.ones((size, 1))), FLOAT64)
    if weights is not None:
        column = _unsqueeze_axes(weights, 1)
        windows, squares = windows * column, column * column
    frames = TensorExpr(site, site.ints([1, size, x_type.shape[-2]]), INT64)
    total, scale = (_overlap_add(op, site, part) for part in (windows, squares.op("Expand", frames)))
    end = _END if op.length is None and not op.edge_size() else _find_output_end(op, site)
    kept = [_slice_time(part, op.edge_size(), end) for part in (total, scale)]
    y = _pad_to_length(op, site, (kept[0] / kept[1]).cast(x_type.dtype))
    return (y if batched else y.op("Squeeze", TensorExpr(site, site.ints([0]), INT64))).name


def _find_output_end(op: Istft, site: Site) -> Dim:
    length = op.padded_length(site.given.x)
    return length - op.edge_size() if op.length is None else op.edge_size() + op.length


def _overlap_add(op: Istft, site: Site, windows: TensorExpr) -> TensorExpr:
    """Add up windows, [N, n_fft, windows] -> [N, T], by Col2Im, which ONNX Runtime has for float32 and float64."""
    image = [TensorExpr(site, site.ints(sizes), INT64) for sizes in ((1, op.padded_length(site.given.x)), (1, op.n_fft))]
    via = FLOAT32 if site.given.x.dtype == FLOAT32 else FLOAT64
    added = windows.cast(via).op("Col2Im", *image, strides=[1, op.hop_size()])
    return added.op("Squeeze", TensorExpr(site, site.ints([1, 2]), INT64))


def _slice_time(x: TensorExpr, start: Dim, stop: Dim) -> TensorExpr:
    return TensorExpr(x.site, x.site.add("Slice", [x.name, *(x.site.ints([n]) for n in (start, stop, 1))]), x.dtype)


def _pad_to_length(op: Istft, site: Site, y: TensorExpr) -> TensorExpr:
    """Pad with zeros up to the requested length, if there is one."""
    if op.length is None:
        return y
    size = site.add("Shape", [y.name], start=1, end=2)
    missing = site.add("Concat", [site.ints([0]), site.add("Sub", [site.ints([op.length]), size])], axis=0)
    return TensorExpr(site, site.add("Pad", [y.name, missing, "", site.ints([1])]), y.dtype)
