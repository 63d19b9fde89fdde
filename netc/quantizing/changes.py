"""What quantising did to a model: the products, the bytes, and how far the outputs are from those before.

In: the outputs of a model before and after, on the same samples. Out: `OutputChange`s; a `Quantised`, whose lines people read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netc.compiler.weights.free_space import format_bytes
from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array


_LITTLE = 1.5
"""Below this factor between the sizes of the files, most weights are left as they are."""


class OutputChange(Record):
    """What quantising did to an output, over all its elements. `relative` is the root mean square of the change, divided by that of the
    output; None where the output is zero everywhere. Of an output of integers, `share` is the part that changed."""

    name: str
    largest: float
    relative: float | None
    share: float | None = None

    def __str__(self) -> str:
        if self.share is not None:
            return f"`{self.name}`: {_percent(self.share)} of its elements differ"
        of = "" if self.relative is None else f"{_percent(self.relative)} of its root mean square, and "
        return f"`{self.name}` differs by {of}{self.largest:.3g} at most"


class Quantised(Record):
    """What quantising did: the number of products with weights and of those that are quantised, the names of the others, sizes of the files
    in bytes, the changes of the outputs on the calibration or on `inputs` that were drawn, and the `method`."""

    quantized: int
    products: int
    left: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    changes: tuple[OutputChange, ...]
    inputs: str
    method: str = ""

    def lines(self) -> tuple[str, ...]:
        """For people, without a full stop."""
        few = ", ".join(f"`{name}`" for name in self.left[:5]) + (", ..." if len(self.left) > 5 else "")
        others = f"; not {few}" if self.left else ""
        smaller = self.bytes_before / self.bytes_after
        size = f"{smaller:.1f} times smaller" if smaller > 1 else "which is no smaller: it has few weights"
        # int4 quantizes matrix products alone: of a convolutional network, it leaves almost all of the file as it is.
        is_idle = self.method == "int4" and self.left and smaller < _LITTLE
        advice = ("most weights are left as they are: `--quantize int8` quantizes convolutions too",) if is_idle else ()
        return (
            f"{self.quantized} of {self.products} products with weights are quantised{others}",
            f"{format_bytes(self.bytes_after)} instead of {format_bytes(self.bytes_before)}, {size}",
            *advice,
            *(f"on {self.inputs}, {change}" for change in self.changes),
        )


def changes(before: Mapping[str, list[Array]], after: Mapping[str, list[Array]]) -> Iterator[OutputChange]:
    import numpy as np

    for name, arrays in before.items():
        one, other = (np.concatenate([a.reshape(-1) for a in each]) for each in (arrays, after[name]))
        if one.dtype.kind != "f":
            yield OutputChange(name, 0.0, None, float(np.mean(one != other)) if one.size else 0.0)
            continue
        exact = one.astype(np.float64)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        with np.errstate(invalid="ignore"):
            change = np.where(same, 0.0, np.nan_to_num(np.abs(other.astype(np.float64) - exact), nan=np.inf))
        scale = float(np.sqrt(np.mean(np.square(exact)))) if exact.size else 0.0
        relative = float(np.sqrt(np.mean(np.square(change)))) / scale if scale > 0 else None
        yield OutputChange(name, float(change.max(initial=0.0)), relative)


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"
