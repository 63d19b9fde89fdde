"""Writes operators that look between pixels, in PyTorch. torchvision has them; the emitted source defines them, and does not need it."""

from __future__ import annotations

from ....ops.vision import DeformConv, RoiAlign
from ...python.code.python_expressions import Code, Default, TupleCode, call_function, construct_module, to_code
from ..torch_emitters import TorchSite, function, module
from ..torch_framework import make_dtype_keyword


@module(DeformConv, target="torchvision.ops.DeformConv2d")
def emit_deform_conv(op: DeformConv, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)

    def pair(*numbers: int) -> Code:
        return TupleCode(tuple(to_code(number) for number in numbers))

    rest = {
        "stride": tuple(w.stride for w in windows),
        "padding": tuple(w.before for w in windows),
        "dilation": tuple(w.dilation for w in windows),
    }
    # The defaults of `DeformConv` in library/torch_deformation.py, which takes pairs only.
    usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    return construct_module(
        "DeformConv",
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=pair(*(w.taps for w in windows)),
        **{name: pair(*numbers) for name, numbers in rest.items() if numbers != usual[name]},
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        dtype=make_dtype_keyword(x.dtype),
    )


@function(RoiAlign, target="torchvision.ops.roi_align")
def emit_roi_align(op: RoiAlign, site: TorchSite) -> Code:
    size = TupleCode(tuple(to_code(number, "size") for number in op.result_sizes(site.given.x)))
    options = {"scale": op.scale, "points": op.sampling_ratio, "aligned": op.aligned}
    return call_function("roi_align", site.x, site.boxes, size, **options)
