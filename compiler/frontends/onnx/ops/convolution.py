"""Imports convolutions: `Conv` with `pads=[1, 1, 1, 1]` becomes `conv padding=1`, and with uneven pads `pad` and `conv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_padding import WindowGeometry, collapse_equal
from ..onnx_values import Item, Known
from .shape import apply_padding


def apply_weighted(site: OnnxSite, operator: str, x: Value, first: int, **arguments: Any) -> Value:
    """Apply an operator with a weight and perhaps a bias, from the input `first` on. They are parameters if both are known, or else
    tensors."""
    weight, bias = site.get_item(first), site.get_item(first + 1)
    if isinstance(weight, Known) and isinstance(bias, Known | None):
        known = {"weight": weight} | ({} if bias is None else {"bias": bias})
        return site.emit.apply_with_weights(operator, [x], known, bias=bias is not None, **arguments)[0]
    tensors = [site.input(first)] + ([] if bias is None else [site.input(first + 1)])
    named = ("weight", "bias")[: len(tensors)]
    return site.apply_op(operator, x, *tensors, named=named, **arguments)


def find_shape(item: Item) -> Sequence[Dim]:
    match item:
        case Known():
            return item.array.shape
        case Value():
            return item.type.shape
    raise ImportRefused("it lacks its weight")


def require_ints(sizes: Sequence[Dim]) -> list[int]:
    if not all(isinstance(d, int) for d in sizes):
        raise ImportRefused("the sizes of its weight are not known")
    return [d for d in sizes if isinstance(d, int)]


@imports("Conv", to="conv")
def import_conv(site: OnnxSite) -> Value:
    x = site.input()
    sizes = require_ints(find_shape(site.get_item(1)))
    frame = WindowGeometry(site, x, sizes[2:])
    padding = frame.before
    if not frame.is_even:
        # PyTorch's convolutions pad both sides equally.
        x, padding = apply_padding(site, x, frame.get_sides()), (0,) * len(padding)
    return apply_weighted(
        site,
        "conv",
        x,
        1,
        channels=sizes[0],
        kernel=collapse_equal(sizes[2:]),
        stride=collapse_equal(frame.stride),
        groups=int(site.get_attr("group", 1)),
        dilation=collapse_equal(frame.dilation),
        padding=collapse_equal(padding),
    )


@imports("ConvTranspose", to="conv_transpose, or conv_transpose and slice")
def import_conv_transpose(site: OnnxSite) -> Value:
    x = site.input()
    sizes = require_ints(find_shape(site.get_item(1)))
    axes = len(sizes) - 2
    groups = int(site.get_attr("group", 1))
    frame = WindowGeometry(site, x, sizes[2:])
    extra = site.get_ints("output_padding", [0] * axes)
    before, after, wanted = _find_cut(site, frame, extra)
    arguments = {
        "channels": sizes[1] * groups,
        "kernel": collapse_equal(sizes[2:]),
        "stride": collapse_equal(frame.stride),
        "groups": groups,
    }
    arguments["dilation"] = collapse_equal(frame.dilation)
    if before == after and wanted is None and _fits_output_padding(frame, extra):
        return apply_weighted(
            site, "conv_transpose", x, 1, padding=collapse_equal(before), output_padding=collapse_equal(extra), **arguments
        )
    ends = [e - a for a, e in zip(after, extra, strict=True)]
    longer = [max(end, 0) for end in ends]
    if any(longer) and _fits_output_padding(frame, longer):  # rather than zeros after it, as the bias is added there too
        arguments["output_padding"] = collapse_equal(longer)
        ends = [min(end, 0) for end in ends]
    elif any(longer) and site.has_input(2):
        raise ImportRefused("its result is longer than what it computes by a stride or more, and has a bias there")
    y = apply_weighted(site, "conv_transpose", x, 1, **arguments)
    cut: dict[int, tuple[Dim, Dim]] = {n + 2: (-b, end) for n, (b, end) in enumerate(zip(before, ends, strict=True))}
    return apply_padding(site, y, cut)


def _fits_output_padding(frame: WindowGeometry, extra: Sequence[int]) -> bool:
    """Return whether PyTorch accepts these amounts as `output_padding`: less than the stride or the dilation."""
    return all(e < max(s, d) for e, s, d in zip(extra, frame.stride, frame.dilation, strict=True))


def _find_cut(site: OnnxSite, frame: WindowGeometry, extra: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], object]:
    """Return the amounts to cut off before and after, negative ones to add, and the shape that was asked for.

    Where a window is shorter than its stride, `SAME` in ONNX Runtime adds nothing.
    """
    wanted = site.get_attr("output_shape")
    auto = site.get_attr("auto_pad", "NOTSET")
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        before, after = ([b for b in side if isinstance(b, int)] for side in (frame.before, frame.after))
        return tuple(before), tuple(after), None
    befores, afters = [], []
    for n, stride in enumerate(frame.stride):
        span = frame.dilation[n] * (frame.kernel[n] - 1) + 1
        size = frame.sizes[n]
        # `SAME` makes the result exactly `stride` times as large.
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
def import_deform_conv(site: OnnxSite) -> Value:
    x = site.input()
    weight, bias = site.require_known(1, "its weight"), site.get_item(3)
    frame = WindowGeometry(site, x, weight.array.shape[2:])
    if not frame.is_even or not isinstance(bias, Known | None):
        raise ImportRefused("its padding is not the same on both sides, or its bias is computed")
    tensors = [x, site.input(2)] + ([site.input(4)] if site.has_input(4) else [])
    site.get_attr("offset_group", 1)  # which deform_conv knows by the number of offsets
    known = {"weight": weight} | ({} if bias is None else {"bias": bias})
    arguments = {"channels": weight.array.shape[0], "kernel": collapse_equal(frame.kernel), "stride": collapse_equal(frame.stride)}
    return site.emit.apply_with_weights(
        "deform_conv",
        tensors,
        known,
        bias=bias is not None,
        padding=collapse_equal(frame.before),
        dilation=collapse_equal(frame.dilation),
        groups=int(site.get_attr("group", 1)),
        **arguments,
    )[0]
