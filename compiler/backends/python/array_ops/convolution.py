"""Writes convolutions with a given weight: `conv(x, weight, stride=2)`."""

from __future__ import annotations

from ....ops.convolution import Conv, ConvTranspose
from ..code.python_expressions import Code, Default, call_function
from ..layer_arguments import list_conv_options, list_transpose_options
from .array_emitters import ARRAY, ArraySite


@ARRAY.given(Conv)
def emit_conv_function(op: Conv, site: ArraySite) -> Code:
    options = {**list_conv_options(op, site.given.x), "padding_mode": Default(op.padding_mode, "zeros")}
    return call_function("conv", site.x, site.weight, *site.present("bias"), **options)


@ARRAY.given(ConvTranspose)
def emit_conv_transpose_function(op: ConvTranspose, site: ArraySite) -> Code:
    return call_function("conv_transpose", site.x, site.weight, *site.present("bias"), **list_transpose_options(op, site.given.x))
