"""What the entries of special operators draw with: sizes, and one number for several axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types

FLOATS = ("float32", "float32", "float16", "float64", "bfloat16")
Inputs = Callable[[Draw], Types]
Arguments = Callable[[Draw, Types], dict[str, Any]]


def size(draw: Draw, low: int = 1, high: int = 5) -> int:
    return draw(st.integers(low, high))


def ints(types: Types) -> tuple[int, ...]:
    return tuple(d for d in types[0].shape if isinstance(d, int))


def per_axis(draw: Draw, values: Sequence[Any]) -> Any:
    """One number for all axes, if they have the same."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)
