"""Pools."""

from __future__ import annotations

from typing import Any

from ....ir.graph import Value
from ...builder import ImportRefused
from ..site import Site
from ..table import imports
from ..values import Item
from ..windows import Frame, short
from .shape import padded


@imports("MaxPool", to="max_pool")
def max_pool(site: Site) -> list[Item]:
    x = site.x()
    frame = Frame(site, x)
    if len(site.used) > 1 and site.used[1]:
        raise ImportRefused("gives indices within the whole tensor; those of netc are within each channel")
    padding = frame.before
    if not _fits(frame):
        least = float("-inf") if x.type.dtype.is_float else int(x.type.dtype.limits[0])
        x, padding = padded(site, x, frame.sides(), value=least), (0,) * len(padding)
    arguments: dict[str, Any] = {"padding": short(padding), "ceil_mode": bool(site.attr("ceil_mode", 0))}
    return [site.one("max_pool", x, kernel=short(frame.kernel), stride=short(frame.stride), dilation=short(frame.dilation), **arguments)]


def _fits(frame: Frame) -> bool:
    """Whether netc's pools take the padding: the same on both sides, and at most half of the kernel."""
    return frame.is_even and all(isinstance(b, int) and 2 * b <= k for b, k in zip(frame.before, frame.kernel, strict=True))


@imports("AveragePool", to="avg_pool")
def average_pool(site: Site) -> Value:
    x = site.x()
    frame = Frame(site, x)
    counted = bool(site.attr("count_include_pad", 0))
    if any(d != 1 for d in frame.dilation):
        raise ImportRefused("has `dilations`, which netc's avg_pool does not have")
    padding = frame.before
    none = all(b == 0 for b in (*frame.before, *frame.after))
    ceil = bool(site.attr("ceil_mode", 0))
    arguments: dict[str, Any] = {"kernel": short(frame.kernel), "stride": short(frame.stride), "ceil_mode": ceil}
    if none or _fits(frame):
        if not none:
            arguments |= {"padding": short(padding), "count_include_pad": counted}
        return site.one("avg_pool", x, **arguments)
    if ceil:
        raise ImportRefused("has `ceil_mode` and padding that is not the same on both sides")
    mean = site.one("avg_pool", padded(site, x, frame.sides()), **arguments)
    if counted:
        return mean
    ones = site.one("add", site.one("mul", x, other=0.0), other=1.0)
    return site.one("div", mean, site.one("avg_pool", padded(site, ones, frame.sides()), **arguments))


@imports("LpPool", to="lp_pool")
def lp_pool(site: Site) -> Value:
    x = site.x()
    frame = Frame(site, x)
    if any(d != 1 for d in frame.dilation):
        raise ImportRefused("has `dilations`, which netc's lp_pool does not have")
    x = padded(site, x, frame.sides())
    ceil = bool(site.attr("ceil_mode", 0))
    return site.one(
        "lp_pool", site.one("abs", x), kernel=short(frame.kernel), stride=short(frame.stride), p=int(site.attr("p", 2)), ceil_mode=ceil
    )


@imports("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", to=("adaptive_avg_pool, or mean", "max", "norm"))
def global_pool(site: Site) -> Value:
    """The axes stay, with size 1."""
    x = site.x()
    axes = tuple(range(2, x.type.rank))
    if site.op_type == "GlobalLpPool":
        return site.one("norm", x, p=int(site.attr("p", 2)), axis=axes, keepdim=True)
    if x.type.rank in (3, 4, 5) and site.op_type == "GlobalAveragePool":
        return site.one("adaptive_avg_pool", x, size=1)
    if not axes:
        return x
    return site.one("mean" if site.op_type == "GlobalAveragePool" else "max", x, axis=axes, keepdim=True)


@imports("Col2Im", to="fold")
def col2im(site: Site) -> Value:
    size, block = (tuple(int(d) for d in site.dims(n, "its shape") if isinstance(d, int)) for n in (1, 2))
    axes = len(size)
    pads = site.ints("pads", [0] * (2 * axes))
    if pads[:axes] != pads[axes:]:
        raise ImportRefused("its padding is not the same on both sides")
    stride, dilation = site.ints("strides", [1] * axes), site.ints("dilations", [1] * axes)
    return site.one(
        "fold", site.x(), output_size=size, kernel=block, stride=short(stride), dilation=short(dilation), padding=short(pads[:axes])
    )


@imports("RoiAlign", to="roi_align")
def roi_align(site: Site) -> Value:
    site.require("mode", "avg", default="avg")
    ratio = int(site.attr("sampling_ratio", 0))
    if ratio == 0:
        raise ImportRefused("`sampling_ratio=0` makes as many points as the box is large, which netc does not have")
    aligned = site.attr("coordinate_transformation_mode", "half_pixel" if site.version >= 16 else "output_half_pixel") == "half_pixel"
    x, boxes = site.x(0), site.x(1)
    batch = site.one("unsqueeze", site.cast(site.x(2), boxes.type.dtype), axis=1)
    size = (int(site.attr("output_height", 1)), int(site.attr("output_width", 1)))
    whole = site.one("concat", batch, boxes, axis=1)
    return site.one("roi_align", x, whole, size=size, scale=float(site.attr("spatial_scale", 1.0)), sampling_ratio=ratio, aligned=aligned)
