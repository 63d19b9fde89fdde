"""Emit rearrangements between space and channels, and sliding windows, as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("input 4x4x4 -> channel_shuffle 2").onnx().graph.node]
['Reshape', 'Transpose', 'Reshape']
"""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.axes import normalize_axis
from ....ops.folding import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, SlidingWindow, Unfold
from ....ops.windows import Window
from ....types.numpy_types import Array
from ....types.tensor_types import FLOAT32, INT64, Shape
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr
from .shape import reshape_tensor, transpose_tensor

_BLOCKS = ("float32", "float16", "float64", "int8", "uint8")
"""The element types for which ONNX Runtime has DepthToSpace."""


@emits(PixelShuffle, onnx="DepthToSpace")
def emit_pixel_shuffle(op: PixelShuffle, site: Site) -> str:
    x, r = site.given.x, op.r
    if x.rank == 4 and x.dtype.name in _BLOCKS:
        return site.add("DepthToSpace", site.inputs, blocksize=r, mode="CRD")
    *before, _, height, width = x.shape
    channels = site.results[0].shape[-3]
    n = len(before)
    return _split_and_permute(site, (*before, channels, r, r, height, width), (*range(n + 1), n + 3, n + 1, n + 4, n + 2))


@emits(PixelUnshuffle, onnx="Reshape, Transpose, Reshape")
def emit_pixel_unshuffle(op: PixelUnshuffle, site: Site) -> str:
    # SpaceToDepth puts the positions within a block first, PyTorch the channels.
    *before, channels, _, _ = site.given.x.shape
    *_, high, wide = site.results[0].shape
    n = len(before)
    return _split_and_permute(site, (*before, channels, high, op.r, wide, op.r), (*range(n + 1), n + 2, n + 4, n + 1, n + 3))


@emits(ChannelShuffle, onnx="Reshape, Transpose, Reshape")
def emit_channel_shuffle(op: ChannelShuffle, site: Site) -> str:
    batch, _, *rest = site.given.x.shape
    split = (batch, op.groups, op.group_width(site.given), *rest)
    return _split_and_permute(site, split, (0, 2, 1, *range(3, len(split))))


def _split_and_permute(site: Site, split: Shape, order: tuple[int, ...]) -> str:
    y = transpose_tensor(site, reshape_tensor(site, site.x.name, site.given.x.shape, split), order)
    return reshape_tensor(site, y, tuple(split[axis] for axis in order), site.results[0].shape)


@emits(Unfold, onnx="Pad, Gather, Transpose and Reshape")
def emit_unfold(op: Unfold, site: Site) -> str:
    # Gather turns each axis of the image into two: the positions within a block, and the blocks.
    x, windows = site.given.x, op.make_windows()
    y = _pad_image(op, site)
    counts = op.count_blocks(site.given)
    first = x.rank - 2
    for axis, window, count in zip((first, first + 2), windows, counts, strict=True):
        y = site.add("Gather", [y, _find_tap_positions(site, window, count)], axis=axis)
    split = (*x.shape[:first], windows[0].taps, counts[0], windows[1].taps, counts[1])
    order = (*range(first + 1), first + 2, first + 1, first + 3)
    return reshape_tensor(site, transpose_tensor(site, y, order), tuple(split[axis] for axis in order), site.results[0].shape)


def _pad_image(op: Unfold, site: Site) -> str:
    before = [*[0] * (site.given.x.rank - 2), *op.expand_pair("padding")]
    if not any(before):
        return site.x.name
    # An amount for each axis: given a list of axes, ONNX Runtime miscounts them when it moves a Transpose past the Pad.
    return site.add("Pad", [site.x.name, site.ints([*before, *before])])


def _find_tap_positions(site: Site, window: Window, count: Dim) -> str:
    """Make the matrix [taps, count] of the positions of each tap of each block."""
    taps = (np.arange(window.taps) * window.dilation)[:, None]
    if isinstance(count, int):
        return site.constant(taps + np.arange(count) * window.stride)
    ends = [site.scalar(number, INT64) for number in (0, count * window.stride, window.stride)]
    return site.add("Add", [_make_int_constant(site, taps), site.add("Range", ends)])


def _make_int_constant(site: Site, array: Array) -> str:
    return site.constant(array.astype(np.int64))


@emits(Fold, onnx="Col2Im")
def emit_fold(op: Fold, site: Site) -> str:
    x = site.x
    # Col2Im takes no booleans.
    sums = x.cast(FLOAT32) if x.dtype.kind == "bool" else x
    alone, front = site.given.x.rank == 2, TensorExpr(site, site.ints([0]), INT64)
    sums = sums.op("Unsqueeze", front) if alone else sums
    sizes = [TensorExpr(site, site.ints(numbers), INT64) for numbers in (op.image_size(), op.expand_pair("kernel"))]
    dilations, pads, strides = list(op.expand_pair("dilation")), list(op.expand_pair("padding")) * 2, list(op.expand_pair("stride"))
    images = sums.op("Col2Im", *sizes, dilations=dilations, pads=pads, strides=strides)
    return (images.op("Squeeze", front) if alone else images).cast(x.dtype).name


@emits(SlidingWindow, onnx="Gather and Transpose")
def emit_sliding_window(op: SlidingWindow, site: Site) -> str:
    x, window = site.given.x, Window(op.size, op.step)
    axis = normalize_axis(op.name, op.axis, x)
    y = site.add("Gather", [site.x.name, _find_tap_positions(site, window, window.count_windows(x.shape[axis]))], axis=axis)
    return transpose_tensor(site, y, [*range(axis), *range(axis + 1, x.rank + 1), axis])
