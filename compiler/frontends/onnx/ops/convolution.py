"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_padding import Frame, short
from ..onnx_values import Item, Known
from .shape import padded


def weighted(site: Site, operator: str, x: Value, first: int, **arguments: Any) -> Value:
    """An operator with a weight, and perhaps a bias, from the input `first` on: parameters where both are known, else tensors."""
    weight, bias = site.item(first), site.item(first + 1)
    if isinstance(weight, Known) and isinstance(bias, Known | None):
        known = {"weight": weight} | ({} if bias is None else {"bias": bias})
        return site.emit.learned(operator, [x], known, bias=bias is not None, **arguments)[0]
    tensors = [site.x(first)] + ([] if bias is None else [site.x(first + 1)])
    named = ("weight", "bias")[: len(tensors)]
    return site.one(operator, x, *tensors, named=named, **arguments)


def shape_of(item: Item) -> Sequence[Dim]:
    match item:
        case Known():
            return item.array.shape
        case Value():
            return item.type.shape
    raise ImportRefused("it lacks its weight")


def whole(sizes: Sequence[Dim]) -> list[int]:
    if not all(isinstance(d, int) for d in sizes):
        raise ImportRefused("the sizes of its weight are not known")
    return [d for d in sizes if isinstance(d, int)]


@imports("Conv", to="conv")
def conv(site: Site) -> Value:
    x = site.x()
    sizes = whole(shape_of(site.item(1)))
    frame = Frame(site, x, sizes[2:])
    padding = frame.before
    if not frame.is_even:
        x, padding = padded(site, x, frame.sides()), (0,) * len(padding)
    return weighted(
        site,
        "conv",
        x,
        1,
        channels=sizes[0],
        kernel=short(sizes[2:]),
        stride=short(frame.stride),
        groups=int(site.attr("group", 1)),
        dilation=short(frame.dilation),
        padding=short(padding),
    )


@imports("ConvTranspose", to="conv_transpose, or conv_transpose and slice")
def conv_transpose(site: Site) -> Value:
    x = site.x()
    sizes = whole(shape_of(site.item(1)))
    axes = len(sizes) - 2
    groups = int(site.attr("group", 1))
    frame = Frame(site, x, sizes[2:])
    extra = site.ints("output_padding", [0] * axes)
    before, after, wanted = _cut(site, frame, extra)
    arguments = {"channels": sizes[1] * groups, "kernel": short(sizes[2:]), "stride": short(frame.stride), "groups": groups}
    arguments["dilation"] = short(frame.dilation)
    if before == after and wanted is None and _fits(frame, extra):
        return weighted(site, "conv_transpose", x, 1, padding=short(before), output_padding=short(extra), **arguments)
    ends = [e - a for a, e in zip(after, extra, strict=True)]
    longer = [max(end, 0) for end in ends]
    if any(longer) and _fits(frame, longer):  # rather than zeros after it, as the bias is added there too
        arguments["output_padding"] = short(longer)
        ends = [min(end, 0) for end in ends]
    elif any(longer) and site.has(2):
        raise ImportRefused("its result is longer than what it computes by a stride or more, and has a bias there")
    y = weighted(site, "conv_transpose", x, 1, **arguments)
    cut: dict[int, tuple[Dim, Dim]] = {n + 2: (-b, end) for n, (b, end) in enumerate(zip(before, ends, strict=True))}
    return padded(site, y, cut)


def _fits(frame: Frame, extra: Sequence[int]) -> bool:
    """Whether these can be `output_padding`."""
    return all(e < max(s, d) for e, s, d in zip(extra, frame.stride, frame.dilation, strict=True))


def _cut(site: Site, frame: Frame, extra: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], object]:
    """What is cut off before and after; less than nothing is added. Where a window is shorter than its stride, ONNX Runtime's `SAME` adds
    nothing."""
    wanted = site.attr("output_shape")
    auto = site.attr("auto_pad", "NOTSET")
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        before, after = ([b for b in side if isinstance(b, int)] for side in (frame.before, frame.after))
        return tuple(before), tuple(after), None
    befores, afters = [], []
    for n, stride in enumerate(frame.stride):
        span = frame.dilation[n] * (frame.kernel[n] - 1) + 1
        size = frame.sizes[n]
        target = size * stride if wanted is None else int(wanted[n - len(frame.stride)])
        total = (size - 1) * stride + extra[n] + span - target
        if not isinstance(total, int):
            raise ImportRefused("its `output_shape` is for an input of one size")
        total = total if wanted is not None else max(total, 0)
        first = total // 2 if auto == "SAME_UPPER" else total - total // 2
        first = max(first, 0)
        befores.append(first)
        afters.append(total - first)
    return tuple(befores), tuple(afters), wanted


@imports("DeformConv", to="deform_conv")
def deform_conv(site: Site) -> Value:
    x = site.x()
    weight, bias = site.known(1, "its weight"), site.item(3)
    frame = Frame(site, x, weight.array.shape[2:])
    if not frame.is_even or not isinstance(bias, Known | None):
        raise ImportRefused("its padding is not the same on both sides, or its bias is computed")
    tensors = [x, site.x(2)] + ([site.x(4)] if site.has(4) else [])
    site.attr("offset_group", 1)  # which deform_conv knows by the number of offsets
    known = {"weight": weight} | ({} if bias is None else {"bias": bias})
    arguments = {"channels": weight.array.shape[0], "kernel": short(frame.kernel), "stride": short(frame.stride)}
    return site.emit.learned(
        "deform_conv",
        tensors,
        known,
        bias=bias is not None,
        padding=short(frame.before),
        dilation=short(frame.dilation),
        groups=int(site.attr("group", 1)),
        **arguments,
    )[0]
