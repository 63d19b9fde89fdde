"""Writes interpolation along an axis of known size as a matrix, for positions and coefficients that `upsample` does not have.

Enlarging 2 elements to 4 is a product with a [2, 4] matrix, whose columns are the weights of the two elements.

In: a node of `Resize`, and how an axis is resized. Out: the matrix [old size, new size] by which the axis is multiplied. Always: it follows
ONNX's definition. Each element of the result is a weighted sum of a few elements, so most of the matrix is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ....types.numpy_types import Array
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from .nearest import ResizedAxis, find_position

LARGEST = 2**22
"""The largest number of elements of such a matrix."""


def interpolation_matrix(site: OnnxSite, resized: ResizedAxis, *, old: bool) -> Array:
    """Compute the weights of the old elements for each new element."""
    size, new, scale = resized.size, resized.new, resized.scale
    if not math.isclose(size * scale, new) and site.get_attr("coordinate_transformation_mode") == "align_corners":
        raise ImportRefused("`align_corners` with a factor that gives no whole size has no counterpart: ONNX and ONNX Runtime differ")
    if size * new > LARGEST:
        raise ImportRefused(f"would need a matrix of {size} x {new} weights")
    kernel, support = _make_kernel(site)
    # With antialiasing, a shrinking axis averages over a wider kernel.
    stretch = min(1.0, scale) if site.get_attr("antialias", 0) else 1.0
    keep_edges = not site.get_attr("exclude_outside", 0)
    matrix = np.zeros((size, new))
    for index in range(new):
        position = find_position(site, resized, index, old=old)
        first, last = math.floor(position - support / stretch) + 1, math.ceil(position + support / stretch) - 1
        near = np.arange(min(first, math.floor(position)), max(last, math.floor(position)) + 1)
        weights = np.array([kernel((other - position) * stretch) for other in near])
        inside = (near >= 0) & (near < size)
        if not keep_edges:
            near, weights = near[inside], weights[inside]
        # Elements beyond the edge repeat the edge, so several weights may belong to one element.
        np.add.at(matrix[:, index], np.clip(near, 0, size - 1), weights / weights.sum())
    return matrix.astype(np.float32)


def _make_kernel(site: OnnxSite) -> tuple[Callable[[float], float], int]:
    """Return the weight of an element as a function of its distance, and the distance from which on it is 0."""
    mode = site.get_attr("mode", "nearest")
    if mode == "linear":
        return lambda distance: max(0.0, 1 - abs(distance)), 1
    if mode != "cubic":
        raise ImportRefused(f"has the mode {mode!r}, which is not known here")
    a = float(site.get_attr("cubic_coeff_a", -0.75))

    def cubic(distance: float) -> float:
        d = abs(distance)
        if d <= 1:
            return ((a + 2) * d - (a + 3)) * d * d + 1
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0.0

    return cubic, 2
