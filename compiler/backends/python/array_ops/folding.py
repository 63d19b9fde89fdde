"""Writes changes between space and channels, resampling, spectra and products, by the definitions of the framework's library."""

from __future__ import annotations

from ....dims import Dim
from ....ops.folding import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, SlidingWindow, Unfold
from ....ops.linear_algebra import Cdist, Cross, Einsum, Outer
from ....ops.resampling import GridSample, Upsample
from ....ops.short_time import Istft, Stft
from ....ops.spectral import Fft, Fourier, Ifft, Irfft, Rfft
from ....ops.vision import DeformConv
from ..code.python_expressions import Code, Default, TupleCode, call_function, construct_module, to_code
from ..layer_arguments import collapse_sizes
from ..operator_forms import list_short_time_options
from .array_emitters import ARRAY, ArraySite, shape_code


@ARRAY.layer_function(PixelShuffle, target="reshape and transpose")
def emit_pixel_shuffle(op: PixelShuffle, site: ArraySite) -> Code:
    return call_function("pixel_shuffle", site.x, upscale_factor=op.r)


@ARRAY.layer_function(PixelUnshuffle, target="reshape and transpose")
def emit_pixel_unshuffle(op: PixelUnshuffle, site: ArraySite) -> Code:
    return call_function("pixel_unshuffle", site.x, downscale_factor=op.r)


@ARRAY.layer_function(ChannelShuffle, target="reshape and swapaxes")
def emit_channel_shuffle(op: ChannelShuffle, site: ArraySite) -> Code:
    return call_function("channel_shuffle", site.x, groups=op.groups)


def _list_fold_keywords(op: Unfold | Fold) -> dict[str, object]:
    defaults = {"dilation": 1, "padding": 0, "stride": 1}
    rest = {name: Default(collapse_sizes(op.expand_pair(name)), usual) for name, usual in defaults.items()}
    return {"kernel_size": to_code(tuple(op.expand_pair("kernel")), "kernel_size"), **rest}


@ARRAY.layer_function(Unfold, target="{array}.take")
def emit_unfold(op: Unfold, site: ArraySite) -> Code:
    return call_function("unfold", site.x, **_list_fold_keywords(op))


@ARRAY.layer_function(Fold, target="the sum of windows")
def emit_fold(op: Fold, site: ArraySite) -> Code:
    image: tuple[Dim, ...] = op.image_size()
    return call_function("fold", site.x, output_size=shape_code(image), **_list_fold_keywords(op))


@ARRAY.function(SlidingWindow, target="{array}.take")
def emit_sliding_window(op: SlidingWindow, site: ArraySite) -> Code:
    return call_function("sliding_window", site.x, op.axis, to_code(op.size, "size"), to_code(op.step, "step"))


@ARRAY.function(Upsample, target="{array}.take")
def emit_upsample(op: Upsample, site: ArraySite) -> Code:
    x, size = site.given.x, shape_code(site.results[0].shape[2:])
    if op.mode == "area":
        return call_function("adaptive_avg_pool", site.x, output_size=size)
    stretches = op.make_stretches(x)
    uses_scale = op.scale is not None and not op.recompute_scale_factor and not op.align_corners
    ratios = tuple(1 / s.scale if uses_scale and s.scale is not None else None for s in stretches)
    return call_function(
        "interpolate",
        site.x,
        size,
        ratios,
        mode=Default({"nearest_exact": "nearest-exact"}.get(op.mode, op.mode), "nearest"),
        align_corners=Default(bool(op.align_corners), False),
        antialias=Default(op.antialias, False),
    )


@ARRAY.function(GridSample, target="{array}.ndarray.at")
def emit_grid_sample(op: GridSample, site: ArraySite) -> Code:
    keywords = {"mode": Default(op.mode, "bilinear"), "padding_mode": Default(op.padding_mode, "zeros")}
    return call_function("grid_sample", site.x, site.grid, **keywords, align_corners=Default(op.align_corners, False))


def _list_fourier_keywords(op: Fourier, axis: int) -> dict[str, object]:
    return {"n": Default(op.n, None), "axis": Default(axis, -1), "norm": Default(op.norm, "backward")}


@ARRAY.function(Rfft, target="{array}.fft.rfft")
def emit_rfft(op: Rfft, site: ArraySite) -> Code:
    return call_function("to_pairs", site.words.call("fft.rfft", site.x, **_list_fourier_keywords(op, op.axis)))


@ARRAY.function(Irfft, Fft, Ifft, target="{array}.fft.{}")
def emit_complex_transform(op: Irfft | Fft | Ifft, site: ArraySite) -> Code:
    axis = op.axis + 1 if op.axis < 0 else op.axis
    spectrum = site.words.call(f"fft.{op.name}", call_function("to_complex", site.x), **_list_fourier_keywords(op, axis))
    return spectrum if isinstance(op, Irfft) else call_function("to_pairs", spectrum)


@ARRAY.function(Stft, target="{array}.fft.rfft, of windows")
def emit_stft(op: Stft, site: ArraySite) -> Code:
    return call_function("stft", site.x, op.n_fft, **list_short_time_options(op, site), pad_mode=Default(op.pad_mode, "reflect"))


@ARRAY.function(Istft, target="{array}.fft.irfft, of windows")
def emit_istft(op: Istft, site: ArraySite) -> Code:
    return call_function("istft", site.x, op.n_fft, **list_short_time_options(op, site), length=Default(op.length, None))


@ARRAY.function(Einsum, target="{array}.einsum")
def emit_einsum(op: Einsum, site: ArraySite) -> Code:
    return site.words.call("einsum", op.equation, *site.inputs)


@ARRAY.function(Outer, target="{array}.outer")
def emit_outer(op: Outer, site: ArraySite) -> Code:
    return site.words.call("outer", site.x, site.other)


@ARRAY.function(Cross, target="{array}.cross")
def emit_cross(op: Cross, site: ArraySite) -> Code:
    return call_function(site.words.get_function(op), site.x, site.other, axis=Default(op.axis, -1))


@ARRAY.function(Cdist, target="{array}.linalg.vector_norm")
def emit_cdist(op: Cdist, site: ArraySite) -> Code:
    return call_function("cdist", site.x, site.other, p=Default(op.p, 2))


@ARRAY.module(DeformConv, target="{array}.take_along_axis")
def emit_deform_conv(op: DeformConv, site: ArraySite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return construct_module(
        "DeformConv",
        {"in_channels": x.shape[1], "out_channels": op.channels},
        kernel_size=TupleCode(tuple(to_code(w.taps) for w in windows)),
        stride=Default(collapse_sizes(w.stride for w in windows), 1),
        padding=Default(collapse_sizes(w.before for w in windows), 0),
        dilation=Default(collapse_sizes(w.dilation for w in windows), 1),
        groups=Default(op.groups, 1),
        bias=Default(op.bias, True),
        dtype=site.words.make_dtype_keyword(x.dtype),
        **site.words.draws,
    )
