"""Imports operators that resize images or sample from them: `Resize` with scales of 2 becomes `upsample scale=2`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from ....dims import Dim, SymDim, format_dim
from ....ir.graph_values import Value
from ....ops.resampled_positions import round_positions
from ....types.numpy_types import Array
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Known, SizeRatio, Sizes
from .interpolation import interpolation_matrix
from .nearest import CROPPED, ResizedAxis, nearest_indices
from .shape import apply_permute


@imports("Resize", "Upsample", to="upsample, index_select, or matmul")
def import_resize(site: OnnxSite) -> Value:
    x = site.input()
    old = site.op_type == "Upsample" or site.version < 11
    scales, sizes = _read_amounts(site, x, old)
    axes = [site.normalize_axis(a, x.type.rank) for a in site.get_ints("axes", range(x.type.rank))]
    amounts: Sequence[Any] = sizes if sizes is not None else scales or ()
    if len(amounts) != len(axes):
        raise ImportRefused("it lacks scales and sizes, or has some for other axes")
    return _resize_axes(site, x, dict(zip(axes, amounts, strict=True)), by_size=sizes is not None, old=old)


def _read_amounts(site: OnnxSite, x: Value, old: bool) -> tuple[list[float] | None, list[Dim] | None]:
    """Return the factors, or the sizes, of which a node has one."""
    input_index = 1 if old else 2
    if not old and site.has_input(3):
        return None, list(site.require_dims(3, "the list of sizes"))
    if "scales" in site.attributes:
        return [shorten_float(float(s)) for s in site.get_attr("scales")], None
    item = site.get_item(input_index)
    if isinstance(item, Sizes):
        return None, _multiply_sizes(x, item)
    return [shorten_float(float(s)) for s in site.require_array(input_index, "the list of scales").reshape(-1)], None


def _multiply_sizes(x: Value, item: Sizes) -> list[Dim]:
    """Return the sizes that symbolic factors give, such as `H / 2` times H."""
    result: list[Dim] = []
    for d, factor in zip(x.type.shape, item.items.reshape(-1), strict=True):
        part = factor if isinstance(factor, SizeRatio) else SizeRatio(factor, 1)
        result.append(d * part.top // part.bottom)
    return result


def _resize_axes(site: OnnxSite, x: Value, amounts: dict[int, Any], *, by_size: bool, old: bool) -> Value:
    rank = x.type.rank
    if by_size and site.get_attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        return _interpolate_axes(site, x, _keep_aspect_ratio(site, x, amounts))
    moved = [axis for axis, a in amounts.items() if not (site.facts.are_equal(a, x.type.shape[axis]) is True if by_size else a == 1)]
    if site.get_attr("coordinate_transformation_mode") == CROPPED:
        return _interpolate_axes(site, x, _find_known_sizes(x, amounts, by_size=by_size))
    if not moved:
        return x
    if (
        site.get_attr("mode", "nearest") == "nearest"
        and _choose_nearest_mode(site, [(x.type.shape[a], amounts[a]) for a in moved], by_size=by_size, old=old) is None
    ):
        return _interpolate_axes(site, x, _find_known_sizes(x, {axis: amounts[axis] for axis in moved}, by_size=by_size))
    if min(moved) < 2 or rank < 3:
        return _resize_moved_axes(site, x, amounts, moved, by_size=by_size, old=old)
    spatial = list(range(2, rank))
    target = tuple(amounts.get(axis, x.type.shape[axis] if by_size else 1) for axis in spatial)
    try:
        arguments = _choose_mode(site, x.type.shape[2:], target, by_size=by_size, old=old)
        if not by_size:
            _require_growth(site, x, target, arguments["mode"])
    except ImportRefused:
        if any(isinstance(d, SymDim) for axis in moved for d in (x.type.shape[axis], amounts[axis])):
            raise
        return _interpolate_axes(site, x, _find_known_sizes(x, {axis: amounts[axis] for axis in moved}, by_size=by_size), old=old)
    if by_size:
        if arguments["mode"].startswith("nearest") and not all(isinstance(d, int) for d in (*x.type.shape[2:], *target)):
            site.emit.notes.append(_ROUNDED_POSITIONS)
        return site.apply_op("upsample", x, size=target, **arguments)
    return site.apply_op("upsample", x, scale=target if len(set(target)) > 1 else target[0], **arguments)


def _find_known_sizes(x: Value, amounts: dict[int, Any], *, by_size: bool) -> dict[int, ResizedAxis]:
    """Return the known sizes of the resized axes. Raises `ImportRefused` for a symbolic size."""
    result: dict[int, ResizedAxis] = {}
    for axis, amount in amounts.items():
        size = x.type.shape[axis]
        if isinstance(size, SymDim) or isinstance(amount, SymDim):
            raise ImportRefused("reads from positions that have no counterpart for an axis whose size is not known")
        new = int(amount) if by_size else floor(size * amount)
        result[axis] = ResizedAxis(axis, size, new, new / size if by_size else float(amount))
    return result


def _keep_aspect_ratio(site: OnnxSite, x: Value, sizes: dict[int, Any]) -> dict[int, ResizedAxis]:
    """Return the sizes that keep the aspect ratio: the largest within the given sizes, or the smallest around them."""
    policy = site.get_attr("keep_aspect_ratio_policy")
    wanted = _find_known_sizes(x, sizes, by_size=True).values()
    if policy not in ("not_larger", "not_smaller"):
        raise ImportRefused(f"has `keep_aspect_ratio_policy={policy}`, which is not known here")
    # Fractions, because a rounding error could change a size by 1.
    scale = (min if policy == "not_larger" else max)(Fraction(each.new, each.size) for each in wanted)
    return {each.axis: ResizedAxis(each.axis, each.size, floor(scale * each.size + Fraction(1, 2)), float(scale)) for each in wanted}


def _interpolate_axes(site: OnnxSite, x: Value, axes: dict[int, ResizedAxis], *, old: bool = False) -> Value:
    """Interpolate axis by axis: multiply by a constant matrix, or select the nearest elements by constant indices."""
    last = x.type.rank - 1
    for axis, resized in axes.items():
        if site.get_attr("mode", "nearest") == "nearest":
            indices = nearest_indices(site, resized)
            if indices != list(range(resized.size)):
                x = site.apply_op("index_select", x, site.to_tensor(Known(np.array(indices, np.int64))), axis=axis)
            continue
        matrix = interpolation_matrix(site, resized, old=old)
        if np.array_equal(matrix, np.eye(resized.size)):
            continue
        # The rows of images are multiplied from the left, which needs no permutation.
        if axis == last - 1:
            x = site.apply_op("matmul", site.to_tensor(Known(np.ascontiguousarray(matrix.T))), x)
            continue
        order = [other for other in range(last + 1) if other != axis] + [axis]
        product = site.apply_op("matmul", apply_permute(site, x, order), site.to_tensor(Known(matrix)))
        x = apply_permute(site, product, [order.index(other) for other in range(last + 1)])
    return x


def _resize_moved_axes(site: OnnxSite, x: Value, amounts: dict[int, Any], moved: list[int], *, by_size: bool, old: bool) -> Value:
    """Resize axes that are not the last ones, by moving them to the end and back: `upsample` resizes all axes from 2 on."""
    rank = x.type.rank
    if len(moved) > 3:
        raise ImportRefused("resizes more than three axes")
    order = [axis for axis in range(rank) if axis not in moved] + moved
    y = apply_permute(site, x, order)
    lead = len(order) - len(moved)
    shape = y.type.shape
    before = 2 - lead
    if before > 0:
        for _ in range(before):
            y = site.apply_op("unsqueeze", y, axis=0)
    elif before < 0:
        y = site.apply_op("flatten", y, start=0, end=-before)
    inner = {2 + n: amounts[axis] for n, axis in enumerate(moved)}
    z = _resize_axes(site, y, inner, by_size=by_size, old=old)
    z = site.apply_op("reshape", z, shape=(*shape[:lead], *z.type.shape[2:]))
    back = [order.index(axis) for axis in range(rank)]
    return apply_permute(site, z, back)


def _require_growth(site: OnnxSite, x: Value, target: Sequence[float], mode: str) -> None:
    """Refuse axes that may be too short to grow by their factor: PyTorch and ONNX Runtime leave some of these alone, and stretch others.
    They agree if all sizes stay, except about the nearest elements along one axis or three, and about cubic weights."""
    resized = [(size, factor) for size, factor in zip(x.type.shape[2:], target, strict=True) if factor != 1]
    if len(resized) == 1 and (mode.endswith("linear") or (mode == "nearest" and len(target) == 2)):
        return
    for size, factor in resized:
        least = 1 if factor < 1 or float(factor).is_integer() else ceil(1 / (Fraction(factor) - 1))
        if least > 1 and site.facts.is_at_least(size, least) is not True:
            why = f"stretches an axis of {format_dim(size)} by {factor}, of which fewer than {least} elements would stay as many"
            raise ImportRefused(why, condition=f"{format_dim(size)} >= {least}")


def _require_several(site: OnnxSite, target: Sequence[Any], *, by_size: bool) -> None:
    """Refuse a result that may be a single element: `pytorch_half_pixel` reads it from the first one, and PyTorch from the middle."""
    short = next((t for t in target if not _is_several(site, t, by_size=by_size)), None)
    if short is not None:
        why = "`coordinate_transformation_mode=pytorch_half_pixel` of one element has no counterpart"
        raise ImportRefused(why, condition=f"{format_dim(short)} >= 2" if isinstance(short, SymDim) else "")


def _is_several(site: OnnxSite, amount: Any, *, by_size: bool) -> bool:
    """Return whether a size is certainly more than one, or a factor makes none smaller."""
    return site.facts.is_at_least(amount, 2) is True if by_size else amount >= 1


def _choose_mode(site: OnnxSite, shape: Sequence[Dim], target: Sequence[Any], *, by_size: bool, old: bool) -> dict[str, Any]:
    """Choose the arguments of `upsample` that read from the same positions. Raises `ImportRefused` if there are none."""
    mode = site.get_attr("mode", "nearest")
    where = site.get_attr("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if site.get_attr("antialias", 0) and (mode == "nearest" or site.get_attr("exclude_outside", 0) == 0):
        raise ImportRefused("`antialias` is netc's only with `exclude_outside=1`")
    if mode == "nearest":
        return {"mode": _choose_nearest_mode(site, list(zip(shape, target, strict=True)), by_size=by_size, old=old)}
    # Without a change of size, all rules read the same positions.
    if where == "asymmetric" and not by_size and all(t == 1 for t in target):
        where = "half_pixel"
    if where not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise ImportRefused(f"the mode {mode} with `coordinate_transformation_mode={where}` has no counterpart")
    if where == "align_corners" and not by_size and not all(float(t).is_integer() for t in target):
        raise ImportRefused("`coordinate_transformation_mode=align_corners` with factors that are not whole has no counterpart")
    if where == "pytorch_half_pixel":
        _require_several(site, target, by_size=by_size)
    arguments: dict[str, Any] = {"align_corners": where == "align_corners"}
    if site.get_attr("antialias", 0):
        arguments["antialias"] = True
    if mode == "linear":
        return {"mode": {1: "linear", 2: "bilinear", 3: "trilinear"}[len(shape)], **arguments}
    if mode != "cubic" or len(shape) != 2:
        raise ImportRefused(f"the mode {mode} of {len(shape)} axes has no counterpart")
    # PyTorch's bicubic interpolation has the coefficient -0.75, and with antialiasing -0.5.
    wanted = -0.5 if site.get_attr("antialias", 0) else -0.75
    if abs(site.get_attr("cubic_coeff_a", -0.75) - wanted) > 1e-6 or (
        site.get_attr("exclude_outside", 0) and not site.get_attr("antialias", 0)
    ):
        raise ImportRefused("the cubic mode with other coefficients than PyTorch's has no counterpart")
    return {"mode": "bicubic", **arguments}


def _choose_nearest_mode(site: OnnxSite, resized: Sequence[tuple[Dim, Any]], *, by_size: bool, old: bool) -> str | None:
    """Choose the mode of `upsample` that reads the same elements, or None. `resized` has the size of each axis and what resizes it. Of a
    size that is not known, the same elements are read but for the rounding of positions."""
    where = site.get_attr("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = site.get_attr("nearest_mode", "floor" if old else "round_prefer_floor")
    amounts = [amount for _, amount in resized]
    is_integral = not by_size and all(float(t).is_integer() for t in amounts)
    if where == "asymmetric" and rounding == "floor":
        return "nearest" if all(_reads_same(*pair, by_size=by_size, exact=False) for pair in resized) else None
    if is_integral and where in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round"):
        return "nearest"
    if is_integral and where == "asymmetric" and rounding == "round_prefer_floor" and all(t in (1, 2) for t in amounts):
        return "nearest"
    several = by_size and all(_is_several(site, size, by_size=True) for size in amounts)
    centered = where == "half_pixel" or (where == "pytorch_half_pixel" and several)  # which reads the first element for a single one
    if centered and rounding == "round_prefer_ceil" and all(_reads_same(*pair, by_size=by_size, exact=True) for pair in resized):
        return "nearest_exact"
    return None


def _reads_same(size: Dim, amount: Any, *, by_size: bool, exact: bool) -> bool:
    """Return whether ONNX, which divides by a factor, reads the same elements as PyTorch, which multiplies by its reciprocal. Of sizes that
    are not known, this is assumed.

    In float32, 9 / 0.6 is 15, and 9 * (1 / 0.6) just below.
    """
    if not by_size:
        return bool(np.equal(*_read_positions(_MOST_POSITIONS, np.float32(amount), np.float32(1 / amount), exact=exact)).all())
    if not isinstance(size, int) or not isinstance(amount, int) or not size or not amount:
        return True
    ours, theirs = _read_positions(amount, np.float32(amount / size), np.float32(size) / np.float32(amount), exact=exact)
    return bool((np.clip(ours, 0, size - 1) == np.clip(theirs, 0, size - 1)).all())


def _read_positions(count: int, factor: np.float32, step: np.float32, *, exact: bool) -> tuple[Array, Array]:
    """Return the positions that ONNX and PyTorch read."""
    half = np.float32(0.5) if exact else np.float32(0)
    index = np.arange(count, dtype=np.float32)
    return np.floor((index + half) / factor - half + half), round_positions(count, step, exact=exact)


_MOST_POSITIONS = 2**14
"""How many elements of an axis are compared."""

_ROUNDED_POSITIONS = (
    "A `Resize` to sizes that are not known reads the nearest elements: at some sizes, PyTorch rounds a position to the element before the "
    "one that ONNX Runtime reads."
)
"""Both compute positions in float32, one by dividing, the other by multiplying with the reciprocal: 41 * (2 / 82) is just below 1."""


@imports("GridSample", to="grid_sample")
def import_grid_sample(site: OnnxSite) -> Value:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(site.get_attr("mode", "linear"), site.get_attr("mode", "bilinear"))
    padding = site.get_attr("padding_mode", "zeros")
    return site.apply_op(
        "grid_sample", site.input(0), site.input(1), mode=mode, padding_mode=padding, align_corners=bool(site.get_attr("align_corners", 0))
    )
