"""Writes convolutions in PyTorch: `nn.Conv2d(3, 64, kernel_size=7)`."""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ...python.code.python_expressions import Code, Default, call_function, construct_module, to_code
from ..torch_emitters import TorchSite, given, module
from ..torch_framework import make_dtype_keyword
from ..window_names import add_rank, collapse_sizes


@module(Conv, target="torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d")
def emit_conv_module(op: Conv, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    padding = "same" if op.padding == "same" else collapse_sizes(tuple(w.before for w in windows))
    return construct_module(
        add_rank("nn.Conv", x),
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=to_code(collapse_sizes(tuple(w.taps for w in windows)), "kernel_size"),
        stride=Default(collapse_sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(padding, 0),
        dilation=Default(collapse_sizes(tuple(w.dilation for w in windows)), 1),
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        padding_mode=Default(op.padding_mode, "zeros"),
        dtype=make_dtype_keyword(x.dtype),
    )


@given(Conv)
def emit_conv_function(op: Conv, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    padded: Code = site.x
    padding: object = "same" if op.padding == "same" else collapse_sizes(tuple(w.before for w in windows))
    # `F.conv` pads with zeros only, so other modes pad first, as PyTorch's modules do.
    if op.padding_mode != "zeros":
        amounts = tuple(size for w in reversed(windows) for size in (w.before, w.after))
        padded, padding = call_function("F.pad", site.x, amounts, mode=op.padding_mode), 0
    return call_function(
        add_rank("F.conv", x),
        padded,
        site.weight,
        *site.present("bias"),
        stride=Default(collapse_sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(padding, 0),
        dilation=Default(collapse_sizes(tuple(w.dilation for w in windows)), 1),
        groups=Default(op.groups, 1),
    )


@module(ConvTranspose, target="torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d")
def emit_conv_transpose_module(op: ConvTranspose, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return construct_module(
        add_rank("nn.ConvTranspose", x),
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=to_code(collapse_sizes(tuple(w.taps for w in windows)), "kernel_size"),
        stride=Default(collapse_sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(collapse_sizes(tuple(w.before for w in windows)), 0),
        output_padding=Default(collapse_sizes(op.output_paddings(x)), 0),
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        dilation=Default(collapse_sizes(tuple(w.dilation for w in windows)), 1),
        dtype=make_dtype_keyword(x.dtype),
    )


@given(ConvTranspose)
def emit_conv_transpose_function(op: ConvTranspose, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return call_function(
        add_rank("F.conv_transpose", x),
        site.x,
        site.weight,
        *site.present("bias"),
        stride=Default(collapse_sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(collapse_sizes(tuple(w.before for w in windows)), 0),
        output_padding=Default(collapse_sizes(op.output_paddings(x)), 0),
        groups=Default(op.groups, 1),
        dilation=Default(collapse_sizes(tuple(w.dilation for w in windows)), 1),
    )
