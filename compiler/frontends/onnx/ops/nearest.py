"""Computes the nearest elements along an axis of known size, for positions and roundings that `upsample` does not have.

In: a node of `Resize`, and how an axis is resized. Out: the indices of the elements that it reads. Always: they follow ONNX's definition.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from netc.dsl.record import Record

from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite

_ROUNDINGS: dict[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


CROPPED = "tf_crop_and_resize"
"""The mode that resizes a region of the image. It changes the image even if the size stays."""


class ResizedAxis(Record):
    """An axis, its size before and after, and the factor for positions. ONNX's factor is not always `new / size`."""

    axis: int
    size: int
    new: int
    scale: float


def nearest_indices(site: OnnxSite, resized: ResizedAxis) -> list[int]:
    """Return the index of the element that each element of the result copies."""
    rounding = site.get_attr("nearest_mode", "round_prefer_floor")
    if rounding not in _ROUNDINGS:
        raise ImportRefused(f"has the rounding {rounding}, which is not known here")
    rounded = [_ROUNDINGS[rounding](find_position(site, resized, index)) for index in range(resized.new)]
    return [min(max(index, 0), resized.size - 1) for index in rounded]


def find_position(site: OnnxSite, resized: ResizedAxis, index: int, *, old: bool = False) -> float:
    """Return the position of an element of the result in the original axis."""
    where = site.get_attr("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if where == CROPPED:
        return _position_in_region(site, resized, index)
    return float(_source_position(where, np.float32(index), resized.size, resized.new, np.float32(resized.scale)))


def _position_in_region(site: OnnxSite, resized: ResizedAxis, index: int) -> float:
    """Find the position in the region that the second input gives, as fractions of the axes."""
    size, new = resized.size, resized.new
    region = site.require_array(1, "the region that is resized").reshape(-1)
    axes = site.get_ints("axes", range(len(region) // 2))
    place = next((n for n, other in enumerate(axes) if resized.axis in (other, other + site.input().type.rank)), None)
    start, end = (0.0, 1.0) if place is None else (float(region[place]), float(region[place + len(axes)]))
    if size == new and (start, end) != (0, 1):
        raise ImportRefused("is of a region of the size that its result has, which ONNX Runtime does not cut out")
    position = (size - 1) * (start + index * (end - start) / (new - 1) if new > 1 else (start + end) / 2)
    if not 0 <= position <= size - 1:
        raise ImportRefused("gives a number for what is outside of the image, which has no counterpart")
    return position


def _source_position(where: str, index: Any, size: int, new: int, scale: Any) -> Any:
    """Return a position in the original axis, in float32: its rounding decides which neighbor a half goes to."""
    match where:
        case "half_pixel":
            return (index + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (index + 0.5) / scale - 0.5 if new > 1 else 0.0
        case "half_pixel_symmetric":
            return size / 2 * (1 - new / (scale * size)) + (index + 0.5) / scale - 0.5
        case "asymmetric":
            return index / scale
        case "align_corners":
            return index * (size - 1) / (new - 1) if new > 1 else 0.0
    raise ImportRefused(f"has `coordinate_transformation_mode={where}`, which is not known here")
