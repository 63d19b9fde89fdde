"""Reads the windows of convolutions and pools, and converts ONNX's padding to netc's.

In: a node with `kernel_shape`, `strides`, `dilations`, `pads`, `auto_pad`. Out: a number for each spatial axis if both sides are padded
equally, or else amounts for a `pad` in front of the operator.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim, dim_max
from ...ir.graph_values import Value
from ..graph_builder import ImportRefused
from .importer_site import OnnxSite


class WindowGeometry:
    """The sizes of a window for each spatial axis, and the padding before and after."""

    def __init__(self, site: OnnxSite, x: Value, kernel: Sequence[int] | None = None) -> None:
        axes = x.type.rank - 2
        if axes < 1:
            raise ImportRefused(f"it needs a tensor with spatial axes, and gets one of {x.type}")
        self.kernel = tuple(site.get_ints("kernel_shape", kernel))
        self.stride = tuple(site.get_ints("strides", [1] * axes))
        self.dilation = tuple(site.get_ints("dilations", [1] * axes))
        if not len(self.kernel) == len(self.stride) == len(self.dilation) == axes:
            raise ImportRefused(f"its attributes are not for {axes} spatial axes")
        self.sizes = x.type.shape[2:]
        self.before, self.after = self._read_padding(site, axes)

    def _read_padding(self, site: OnnxSite, axes: int) -> tuple[tuple[Dim, ...], tuple[Dim, ...]]:
        auto = site.get_attr("auto_pad", "NOTSET")
        if auto in ("NOTSET", ""):
            pads = site.get_ints("pads", [0] * (2 * axes))
            if len(pads) != 2 * axes:
                raise ImportRefused(f"its `pads` are not for {axes} spatial axes")
            return tuple(pads[:axes]), tuple(pads[axes:])
        if auto == "VALID":
            return (0,) * axes, (0,) * axes
        if auto not in ("SAME_UPPER", "SAME_LOWER"):
            raise ImportRefused(f"its `auto_pad` is {auto!r}")
        totals = [self._find_same_padding(n) for n in range(axes)]
        # SAME_UPPER puts the odd element at the end, SAME_LOWER at the beginning.
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        return (small, large) if auto == "SAME_UPPER" else (large, small)

    def _find_same_padding(self, n: int) -> Dim:
        """Return the total padding for which the result is as large as the input divided by the stride, rounded up."""
        span, stride, size = self.dilation[n] * (self.kernel[n] - 1) + 1, self.stride[n], self.sizes[n]
        # The padding does not depend on the size then, so the size may be symbolic.
        if stride == 1:
            return span - 1
        return dim_max(((size + stride - 1) // stride - 1) * stride + span - size, 0)

    @property
    def is_even(self) -> bool:
        """Whether both sides get the same known amounts."""
        return self.before == self.after and all(isinstance(b, int) and b >= 0 for b in self.before)

    def get_sides(self) -> dict[int, tuple[Dim, Dim]]:
        """Return the amounts by axis, as `apply_padding` takes them."""
        return {n + 2: both for n, both in enumerate(zip(self.before, self.after, strict=True))}


def collapse_equal(numbers: Sequence[Dim]) -> int | tuple[int, ...]:
    """Return one number if all axes have the same, or else all numbers."""
    known = tuple(n for n in numbers if isinstance(n, int))
    return known[0] if len(set(known)) == 1 else known
