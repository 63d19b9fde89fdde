"""Writes space to channels and back in PyTorch. Each operator has a module form and a function form.

For example, `pixel_shuffle 2` becomes `nn.PixelShuffle(2)` in a row of modules and `F.pixel_shuffle(x, 2)` elsewhere.
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.folding import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, SlidingWindow, Unfold
from ...python.code.python_expressions import Code, Default, call_function, call_method, construct_module, to_code
from ...python.layer_arguments import collapse_sizes
from ..torch_emitters import TorchSite, function, module


@module(PixelShuffle, target="torch.nn.PixelShuffle")
def emit_pixel_shuffle_module(op: PixelShuffle, site: TorchSite) -> Code:
    return construct_module("nn.PixelShuffle", {"upscale_factor": op.r})


@function(PixelShuffle)
def emit_pixel_shuffle(op: PixelShuffle, site: TorchSite) -> Code:
    return call_function("F.pixel_shuffle", site.x, to_code(op.r, "upscale_factor"))


@module(PixelUnshuffle, target="torch.nn.PixelUnshuffle")
def emit_pixel_unshuffle_module(op: PixelUnshuffle, site: TorchSite) -> Code:
    return construct_module("nn.PixelUnshuffle", {"downscale_factor": op.r})


@function(PixelUnshuffle)
def emit_pixel_unshuffle(op: PixelUnshuffle, site: TorchSite) -> Code:
    return call_function("F.pixel_unshuffle", site.x, to_code(op.r, "downscale_factor"))


@module(ChannelShuffle, target="torch.nn.ChannelShuffle")
def emit_channel_shuffle_module(op: ChannelShuffle, site: TorchSite) -> Code:
    return construct_module("nn.ChannelShuffle", {"groups": op.groups})


@function(ChannelShuffle)
def emit_channel_shuffle(op: ChannelShuffle, site: TorchSite) -> Code:
    return call_function("F.channel_shuffle", site.x, to_code(op.groups, "groups"))


def _emit_kernel_size(op: Unfold | Fold) -> Code:
    return to_code(collapse_sizes(op.expand_pair("kernel")), "kernel_size")


def _emit_output_size(op: Fold) -> Code:
    image: tuple[Dim, ...] = op.image_size()
    return to_code(image[0] if image[0] == image[1] else image, "output_size")


def _list_options(op: Unfold | Fold) -> dict[str, object]:
    defaults = {"dilation": 1, "padding": 0, "stride": 1}
    return {name: Default(collapse_sizes(op.expand_pair(name)), default) for name, default in defaults.items()}


@module(Unfold, target="torch.nn.Unfold")
def emit_unfold_module(op: Unfold, site: TorchSite) -> Code:
    return construct_module("nn.Unfold", {"kernel_size": _emit_kernel_size(op)}, **_list_options(op))


@function(Unfold)
def emit_unfold(op: Unfold, site: TorchSite) -> Code:
    return call_function("F.unfold", site.x, _emit_kernel_size(op), **_list_options(op))


@module(Fold, target="torch.nn.Fold")
def emit_fold_module(op: Fold, site: TorchSite) -> Code:
    return construct_module("nn.Fold", {"output_size": _emit_output_size(op), "kernel_size": _emit_kernel_size(op)}, **_list_options(op))


@function(Fold)
def emit_fold(op: Fold, site: TorchSite) -> Code:
    return call_function("F.fold", site.x, _emit_output_size(op), _emit_kernel_size(op), **_list_options(op))


@function(SlidingWindow, target="torch.Tensor.unfold")
def emit_sliding_window(op: SlidingWindow, site: TorchSite) -> Code:
    return call_method(site.x, "unfold", op.axis, to_code(op.size, "size"), to_code(op.step, "step"))
