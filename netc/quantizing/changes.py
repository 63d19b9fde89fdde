"""Report the effect of quantizing a model: the number of products, the bytes, and how much the outputs changed.

In: the outputs of a model before and after, on the same samples. Out: `OutputChange`s, and a `QuantizationReport` with lines for people.

    >>> import numpy as np
    >>> list(compare_outputs({"y": [np.array([1.0, 2.0])]}, {"y": [np.array([1.0, 2.5])]}))
    [OutputChange(name='y', largest=0.5, relative=0.22360679774997896, share=None)]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netc.compiler.weights.free_space import format_bytes
from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array


_SMALL_FACTOR = 1.5
"""If the file becomes smaller by less than this factor, most weights were not quantized."""


class OutputChange(Record):
    """The change of an output, over all its elements. `relative` is the root mean square of the change divided by the root mean square of
    the output, or None if the output is zero everywhere. For an output of integers, `share` is the share of elements that changed."""

    name: str
    largest: float
    relative: float | None
    share: float | None = None

    def __str__(self) -> str:
        if self.share is not None:
            return f"`{self.name}`: {_format_percent(self.share)} of its elements differ"
        of = "" if self.relative is None else f"{_format_percent(self.relative)} of its root mean square, and "
        return f"`{self.name}` differs by {of}{self.largest:.3g} at most"


class QuantizationReport(Record):
    """The result of quantizing. `products` is the number of products with weights, `quantized` the number of those that were quantized, and
    `left` the names of the others. `bytes_before` and `bytes_after` are the sizes of the files. `inputs` says on which samples the
    `changes` of the outputs were measured."""

    quantized: int
    products: int
    left: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    changes: tuple[OutputChange, ...]
    inputs: str
    method: str = ""

    def lines(self) -> tuple[str, ...]:
        """Format the report for people: lines without a full stop."""
        few = ", ".join(f"`{name}`" for name in self.left[:5]) + (", ..." if len(self.left) > 5 else "")
        others = f"; not {few}" if self.left else ""
        smaller = self.bytes_before / self.bytes_after
        size = f"{smaller:.1f} times smaller" if smaller > 1 else "which is no smaller: it has few weights"
        # int4 quantizes matrix products alone: of a convolutional network, it leaves almost all of the file as it is.
        is_idle = self.method == "int4" and self.left and smaller < _SMALL_FACTOR
        advice = ("most weights are left as they are: `--quantize int8` quantizes convolutions too",) if is_idle else ()
        return (
            f"{self.quantized} of {self.products} products with weights are quantized{others}",
            f"{format_bytes(self.bytes_after)} instead of {format_bytes(self.bytes_before)}, {size}",
            *advice,
            *(f"on {self.inputs}, {change}" for change in self.changes),
        )


def compare_outputs(before: Mapping[str, list[Array]], after: Mapping[str, list[Array]]) -> Iterator[OutputChange]:
    import numpy as np

    for name, arrays in before.items():
        before_values, after_values = (np.concatenate([a.reshape(-1) for a in each]) for each in (arrays, after[name]))
        if before_values.dtype.kind != "f":
            yield OutputChange(name, 0.0, None, float(np.mean(before_values != after_values)) if before_values.size else 0.0)
            continue
        # float64, because squares of float32 outputs may overflow.
        exact = before_values.astype(np.float64)
        is_same = (before_values == after_values) | (np.isnan(before_values) & np.isnan(after_values))
        # An output that is infinite in both models has not changed, although the difference is NaN.
        with np.errstate(invalid="ignore"):
            change = np.where(is_same, 0.0, np.nan_to_num(np.abs(after_values.astype(np.float64) - exact), nan=np.inf, posinf=np.inf))
        scale = float(np.sqrt(np.mean(np.square(exact)))) if exact.size else 0.0
        # an infinite output has no root mean square of which a change could be a part
        relative = float(np.sqrt(np.mean(np.square(change)))) / scale if 0 < scale < np.inf else None
        yield OutputChange(name, float(change.max(initial=0.0)), relative)


def _format_percent(part: float) -> str:
    return f"{100 * part:.2g} %"
