"""Rules for convolutions and pools of windows. The adjoint of a convolution is the transposed one with the same kernel.

>>> sorted(WINDOW_RULES)
['avg_pool', 'conv', 'conv_transpose']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..dims import Dim
from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.convolution import Conv, ConvTranspose
from ..ops.formula import Const
from ..ops.pooling import AvgPool
from ..ops.windows import Window
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule, read_weight


def _conv(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """By the input. `padding_mode` is in differentiable_forms.py."""
    x, weight = node.inputs[0], read_weight(s, node)
    if weight is None:
        return {}
    windows = cast(Conv, node.op).make_windows(x.type)
    gradients = {0: _spread(s, g, weight, windows, x, node.op.args["groups"])}
    if len(node.inputs) > 2:
        gradients[2] = s.apply("sum", g, axis=(0, *range(2, g.type.rank)))
    return gradients


def _spread(s: GraphStages, g: Value, weight: Value, windows: Sequence[Window], x: Value, groups: int) -> Value:
    """Add each element of a gradient, times the kernel, to the window of `x` that it came from."""
    sizes = x.type.shape[2:]
    shared = {
        "channels": x.type.shape[1],
        "kernel": tuple(w.taps for w in windows),
        "stride": tuple(w.stride for w in windows),
        "dilation": tuple(w.dilation for w in windows),
        "groups": groups,
    }
    # Elements that no window reaches, as the stride does not divide the size.
    reached = [(out - 1) * w.stride + w.span for out, w in zip(g.type.shape[2:], windows, strict=True)]
    missed = [size + w.before + w.after - end for size, w, end in zip(sizes, windows, reached, strict=True)]
    even = all(w.before == w.after >= 0 for w in windows)
    if even and all(isinstance(n, int) and 0 <= n < max(w.stride, w.dilation) for n, w in zip(missed, windows, strict=True)):
        padding = tuple(w.before for w in windows)
        return s.apply("conv_transpose", g, weight, padding=padding, output_padding=tuple(missed), **shared)
    full = s.apply("conv_transpose", g, weight, **shared)
    for axis, (size, window) in enumerate(zip(sizes, windows, strict=True), start=2):
        full = _crop(s, full, axis, window, size)
    return full


def _crop(s: GraphStages, full: Value, axis: int, window: Window, size: Dim) -> Value:
    """Keep the part of an axis that was not padding."""
    end = size + window.before - full.type.shape[axis]
    if s.facts.is_at_least(end, 0) is None and s.facts.is_at_least(-end, 0) is None:
        # How much the stride leaves over is known at run time only: less than itself.
        full = s.resize(full, axis, full.type.shape[axis] + window.stride - 1)
        end = size + window.before - full.type.shape[axis]
    return s.apply("pad", full, padding=(*(0, 0) * (full.type.rank - 1 - axis), -window.before, end))


def _conv_transpose(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, weight = node.inputs[0], read_weight(s, node)
    if weight is None:
        return {}
    windows = cast(ConvTranspose, node.op).make_windows(x.type)
    extra = cast(ConvTranspose, node.op).output_paddings(x.type)
    read = s.apply(
        "conv",
        g,
        weight,
        channels=x.type.shape[1],
        kernel=tuple(w.taps for w in windows),
        stride=tuple(w.stride for w in windows),
        dilation=tuple(w.dilation for w in windows),
        padding=tuple(w.before for w in windows),
        groups=node.op.args["groups"],
    )
    # With `output_padding` above the stride, there is room for further windows, which had no input.
    for axis, (size, window, more) in enumerate(zip(x.type.shape[2:], windows, extra, strict=True), start=2):
        read = s.resize(read, axis, size) if more >= window.stride else read
    gradients = {0: read}
    if len(node.inputs) > 2:
        gradients[2] = s.apply("sum", g, axis=(0, *range(2, g.type.rank)))
    return gradients


def _avg_pool(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """Divide by the number of elements that each window counts, and add the shares up, one channel at a time."""
    x = node.inputs[0]
    op = cast(AvgPool, node.op)
    windows = op.make_windows(x.type)
    one_channel = (x.type.shape[0] * x.type.shape[1], 1)
    pads = [_pad_to_windows(window, *sizes) for window, *sizes in zip(windows, x.type.shape[2:], g.type.shape[2:], strict=True)]
    padded = [Window(w.taps, w.stride, 1, before, after) for w, (before, after) in zip(windows, pads, strict=True)]
    kernel = s.expand(s.make_table(Const(1.0), (), like=x), (1, 1, *(w.taps for w in windows)))
    image = s.reshape(x, (*one_channel, *x.type.shape[2:]))
    ones = s.fill_like(image, 1.0)
    counted = s.apply("pad", ones, padding=tuple(n for pair in reversed(pads) for n in pair))
    strides = {"kernel": tuple(w.taps for w in windows), "stride": tuple(w.stride for w in windows)}
    elements = s.apply("conv", counted, kernel, channels=1, **strides)
    # The mean of ones says what each window divides by, whatever the arguments are: its elements over that number.
    means = s.apply_operator(type(op)(**op.args), ones)
    share = s.apply("mul", s.reshape(g, (*one_channel, *g.type.shape[2:])), s.apply("div", means, elements))
    return {0: s.reshape(_spread(s, share, kernel, padded, image, 1), x.type.shape)}


def _pad_to_windows(window: Window, size: Dim, count: Dim) -> tuple[int, int]:
    """The padding before and after an axis. With `ceil_mode`, the last window may reach beyond the usual padding."""
    beyond = (count - 1) * window.stride + window.taps - window.before - size
    return window.before, max(beyond, window.after) if isinstance(beyond, int) else window.after


WINDOW_RULES: dict[str, Rule] = {"conv": _conv, "conv_transpose": _conv_transpose, "avg_pool": _avg_pool}
