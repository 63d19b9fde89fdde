"""The nearest elements of an axis of known size, for the positions and roundings that `upsample` does not have.

In: a node of `Resize`, and how an axis is resized. Out: the indices that it reads. Always: as ONNX's definition computes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...builder import ImportRefused
from ..site import Site

_ROUNDINGS: dict[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}


def nearest_indices(site: Site, size: int, amount: float | int, *, by_size: bool) -> list[int]:
    """For each element of the result, the one that it is."""
    new = int(amount) if by_size else math.floor(size * amount)
    scale = new / size if by_size else amount
    where, rounding = site.attr("coordinate_transformation_mode", "half_pixel"), site.attr("nearest_mode", "round_prefer_floor")
    if rounding not in _ROUNDINGS:
        raise ImportRefused(f"has the rounding {rounding}, which is not known here")
    found = [_ROUNDINGS[rounding](float(_source_position(where, np.float32(index), size, new, np.float32(scale)))) for index in range(new)]
    return [min(max(index, 0), size - 1) for index in found]


def _source_position(where: str, index: Any, size: int, new: int, scale: Any) -> Any:
    """Where an element of the result is in the original, in float32, which decides what a half is rounded to."""
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
    raise ImportRefused(f"the mode nearest with `coordinate_transformation_mode={where}` has no counterpart")
