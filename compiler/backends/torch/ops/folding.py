"""Space to channels and back in PyTorch. Each has the form of a module and that of a function."""

from __future__ import annotations

from ....dims import Dim
from ....ops.folding import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, SlidingWindow, Unfold
from ...python.code.python_expressions import Code, Default, call, construct, lit, method
from ..torch_emitters import TorchSite, function, module
from ..window_names import sizes


@module(PixelShuffle, target="torch.nn.PixelShuffle")
def pixel_shuffle_module(op: PixelShuffle, site: TorchSite) -> Code:
    return construct("nn.PixelShuffle", {"upscale_factor": op.r})


@function(PixelShuffle)
def pixel_shuffle(op: PixelShuffle, site: TorchSite) -> Code:
    return call("F.pixel_shuffle", site.x, lit(op.r, "upscale_factor"))


@module(PixelUnshuffle, target="torch.nn.PixelUnshuffle")
def pixel_unshuffle_module(op: PixelUnshuffle, site: TorchSite) -> Code:
    return construct("nn.PixelUnshuffle", {"downscale_factor": op.r})


@function(PixelUnshuffle)
def pixel_unshuffle(op: PixelUnshuffle, site: TorchSite) -> Code:
    return call("F.pixel_unshuffle", site.x, lit(op.r, "downscale_factor"))


@module(ChannelShuffle, target="torch.nn.ChannelShuffle")
def channel_shuffle_module(op: ChannelShuffle, site: TorchSite) -> Code:
    return construct("nn.ChannelShuffle", {"groups": op.groups})


@function(ChannelShuffle)
def channel_shuffle(op: ChannelShuffle, site: TorchSite) -> Code:
    return call("F.channel_shuffle", site.x, lit(op.groups, "groups"))


def _kernel(op: Unfold | Fold) -> Code:
    return lit(sizes(op.expand_pair("kernel")), "kernel_size")


def _image(op: Fold) -> Code:
    image: tuple[Dim, ...] = op.image_size()
    return lit(image[0] if image[0] == image[1] else image, "output_size")


def _options(op: Unfold | Fold) -> dict[str, object]:
    defaults = {"dilation": 1, "padding": 0, "stride": 1}
    return {name: Default(sizes(op.expand_pair(name)), default) for name, default in defaults.items()}


@module(Unfold, target="torch.nn.Unfold")
def unfold_module(op: Unfold, site: TorchSite) -> Code:
    return construct("nn.Unfold", {"kernel_size": _kernel(op)}, **_options(op))


@function(Unfold)
def unfold(op: Unfold, site: TorchSite) -> Code:
    return call("F.unfold", site.x, _kernel(op), **_options(op))


@module(Fold, target="torch.nn.Fold")
def fold_module(op: Fold, site: TorchSite) -> Code:
    return construct("nn.Fold", {"output_size": _image(op), "kernel_size": _kernel(op)}, **_options(op))


@function(Fold)
def fold(op: Fold, site: TorchSite) -> Code:
    return call("F.fold", site.x, _image(op), _kernel(op), **_options(op))


@function(SlidingWindow, target="torch.Tensor.unfold")
def sliding_window(op: SlidingWindow, site: TorchSite) -> Code:
    return method(site.x, "unfold", op.axis, lit(op.size, "size"), lit(op.step, "step"))
