"""Convolutions in PyTorch."""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ...python.code.python_expressions import Code, Default, call_function, construct_module, to_code
from ..torch_emitters import TorchSite, given, module
from ..torch_framework import dtype_keyword
from ..window_names import ranked, sizes


@module(Conv, target="torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d")
def conv(op: Conv, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    padding = "same" if op.padding == "same" else sizes(tuple(w.before for w in windows))
    return construct_module(
        ranked("nn.Conv", x),
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=to_code(sizes(tuple(w.taps for w in windows)), "kernel_size"),
        stride=Default(sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(padding, 0),
        dilation=Default(sizes(tuple(w.dilation for w in windows)), 1),
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        padding_mode=Default(op.padding_mode, "zeros"),
        dtype=dtype_keyword(x.dtype),
    )


@given(Conv)
def conv_of(op: Conv, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    padded: Code = site.x
    padding: object = "same" if op.padding == "same" else sizes(tuple(w.before for w in windows))
    if op.padding_mode != "zeros":
        amounts = tuple(size for w in reversed(windows) for size in (w.before, w.after))
        padded, padding = call_function("F.pad", site.x, amounts, mode=op.padding_mode), 0
    return call_function(
        ranked("F.conv", x),
        padded,
        site.weight,
        *site.present("bias"),
        stride=Default(sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(padding, 0),
        dilation=Default(sizes(tuple(w.dilation for w in windows)), 1),
        groups=Default(op.groups, 1),
    )


@module(ConvTranspose, target="torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d")
def conv_transpose(op: ConvTranspose, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return construct_module(
        ranked("nn.ConvTranspose", x),
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=to_code(sizes(tuple(w.taps for w in windows)), "kernel_size"),
        stride=Default(sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(sizes(tuple(w.before for w in windows)), 0),
        output_padding=Default(sizes(op.output_paddings(x)), 0),
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        dilation=Default(sizes(tuple(w.dilation for w in windows)), 1),
        dtype=dtype_keyword(x.dtype),
    )


@given(ConvTranspose)
def conv_transpose_of(op: ConvTranspose, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return call_function(
        ranked("F.conv_transpose", x),
        site.x,
        site.weight,
        *site.present("bias"),
        stride=Default(sizes(tuple(w.stride for w in windows)), 1),
        padding=Default(sizes(tuple(w.before for w in windows)), 0),
        output_padding=Default(sizes(op.output_paddings(x)), 0),
        groups=Default(op.groups, 1),
        dilation=Default(sizes(tuple(w.dilation for w in windows)), 1),
    )
