"""Emit convolutions as Conv and ConvTranspose.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3x8x8 -> conv 4 3 padding=1 padding_mode=circular").onnx().graph.node]
['Pad', 'Conv']
"""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ....ops.windows import Window
from ..onnx_emitters import Site, emits

_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""The `mode` of ONNX's Pad by PyTorch's `padding_mode`."""


def _make_attributes(windows: tuple[Window, ...]) -> dict[str, list[int]]:
    return {
        "kernel_shape": [w.taps for w in windows],
        "strides": [w.stride for w in windows],
        "dilations": [w.dilation for w in windows],
    }


def _flatten_pads(windows: tuple[Window, ...]) -> list[int]:
    return [w.before for w in windows] + [w.after for w in windows]


def _list_inputs(x: str, site: Site, bias: bool) -> list[str]:
    return [x, site.parameter("weight"), *([site.parameter("bias")] if bias else [])]


@emits(Conv, onnx="Conv")
def emit_conv(op: Conv, site: Site) -> str:
    windows = op.make_windows(site.given.x)
    x, pads = site.x.name, _flatten_pads(windows)
    # Conv itself pads with zeros only.
    if op.padding_mode in _PAD_MODES:
        x, pads = _pad_input(x, site, pads, _PAD_MODES[op.padding_mode]), [0] * len(pads)
    return site.add("Conv", _list_inputs(x, site, op.has_bias(site.given)), **_make_attributes(windows), pads=pads, group=op.groups)


def _pad_input(x: str, site: Site, pads: list[int], mode: str) -> str:
    """Pad the spatial axes; a negative amount crops."""
    axes = len(pads) // 2
    # Only Pad's constant mode is known to crop, so negative amounts get a node of their own.
    for amounts, known in (([max(p, 0) for p in pads], mode), ([min(p, 0) for p in pads], "constant")):
        if any(amounts):
            x = site.add("Pad", [x, site.ints([0, 0, *amounts[:axes], 0, 0, *amounts[axes:]])], mode=known)
    return x


@emits(ConvTranspose, onnx="ConvTranspose")
def emit_conv_transpose(op: ConvTranspose, site: Site) -> str:
    x = site.given.x
    windows = op.make_windows(x)
    extra = op.output_paddings(x)
    y = site.x.name
    # Runtimes accept less than a stride of output padding. A zero after the input adds a full stride.
    zeros = [e // w.stride for e, w in zip(extra, windows, strict=True)]
    if any(zeros):
        y = site.add("Pad", [y, site.ints([0] * (2 + len(zeros)) + [0, 0, *zeros])])
    rest = [e % w.stride for e, w in zip(extra, windows, strict=True)]
    terms = _list_inputs(y, site, op.has_bias(site.given))
    return site.add("ConvTranspose", terms, **_make_attributes(windows), pads=_flatten_pads(windows), output_padding=rest, group=op.groups)
