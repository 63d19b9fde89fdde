"""Writes convolutions with a given weight in PyTorch: `F.conv2d(x, weight, stride=2)`."""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ...python.code.python_expressions import Code, call_function
from ...python.layer_arguments import list_conv_options, list_transpose_options
from ..torch_emitters import TorchSite, given
from ..window_names import add_rank


@given(Conv)
def emit_conv_function(op: Conv, site: TorchSite) -> Code:
    x = site.given.x
    padded: Code = site.x
    options = list_conv_options(op, x)
    # `F.conv` pads with zeros only, so other modes pad first, as PyTorch's modules do.
    if op.padding_mode != "zeros":
        amounts = tuple(size for w in reversed(op.make_windows(x)) for size in (w.before, w.after))
        padded = call_function("F.pad", site.x, amounts, mode=op.padding_mode)
        del options["padding"]
    return call_function(add_rank("F.conv", x), padded, site.weight, *site.present("bias"), **options)


@given(ConvTranspose)
def emit_conv_transpose_function(op: ConvTranspose, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(add_rank("F.conv_transpose", x), site.x, site.weight, *site.present("bias"), **list_transpose_options(op, x))
