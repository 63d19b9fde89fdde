"""Writes convolutions: `Conv(3, 64, kernel_size=(7, 7), rngs=rngs)`."""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ....ops.windows import Window
from ..code.python_expressions import Code, Default, call_function, construct_module, to_code
from .array_emitters import ARRAY, ArraySite, collapse_sizes


def _list_conv_keywords(op: Conv, windows: tuple[Window, ...]) -> dict[str, object]:
    return {
        "stride": Default(collapse_sizes(w.stride for w in windows), 1),
        "padding": Default("same" if op.padding == "same" else collapse_sizes(w.before for w in windows), 0),
        "dilation": Default(collapse_sizes(w.dilation for w in windows), 1),
        "groups": Default(op.groups, 1),
        "padding_mode": Default(op.padding_mode, "zeros"),
    }


def _list_transpose_keywords(op: ConvTranspose, site: ArraySite) -> dict[str, object]:
    windows = op.make_windows(site.given.x)
    return {
        "stride": Default(collapse_sizes(w.stride for w in windows), 1),
        "padding": Default(collapse_sizes(w.before for w in windows), 0),
        "output_padding": Default(collapse_sizes(op.output_paddings(site.given.x)), 0),
        "groups": Default(op.groups, 1),
        "dilation": Default(collapse_sizes(w.dilation for w in windows), 1),
    }


def _construct(name: str, op: Conv | ConvTranspose, site: ArraySite, keywords: dict[str, object]) -> Code:
    x = site.given.x
    return construct_module(
        name,
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=to_code(tuple(w.taps for w in op.make_windows(x)), "kernel_size"),
        **keywords,
        bias=Default(op.bias, True),
        dtype=site.words.make_dtype_keyword(x.dtype),
        **site.words.draws,
    )


@ARRAY.module(Conv, target="{array}.conv_general")
def emit_conv(op: Conv, site: ArraySite) -> Code:
    return _construct("Conv", op, site, _list_conv_keywords(op, op.make_windows(site.given.x)))


@ARRAY.given(Conv)
def emit_conv_function(op: Conv, site: ArraySite) -> Code:
    keywords = _list_conv_keywords(op, op.make_windows(site.given.x))
    return call_function("conv", site.x, site.weight, *site.present("bias"), **keywords)


@ARRAY.module(ConvTranspose, target="{array}.conv_general")
def emit_conv_transpose(op: ConvTranspose, site: ArraySite) -> Code:
    return _construct("ConvTranspose", op, site, _list_transpose_keywords(op, site))


@ARRAY.given(ConvTranspose)
def emit_conv_transpose_function(op: ConvTranspose, site: ArraySite) -> Code:
    return call_function("conv_transpose", site.x, site.weight, *site.present("bias"), **_list_transpose_keywords(op, site))
