"""Format types and values for hints and hovers, on one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netc.compiler.elaborate.scopes.value_text import format_value
from netc.compiler.types.tensor_types import TensorType

MAX_SHOWN = 3
"""The number of different types or values that are shown, and of tensors of a tuple."""


def format_type(value: object) -> str:
    """Format a tensor's type, or the types of the tensors of a tuple."""
    if not isinstance(value, tuple):
        return str(value)
    texts = [str(type) for type in value[:MAX_SHOWN]]
    more = len(value) - len(texts)
    return "(" + ", ".join(texts + ([f"... {len(value)} in all"] if more else [])) + ")"


def format_types(types: Iterable[object]) -> str:
    """Format the different types of one stage. A body that is used several times may have several.

    >>> format_types(["[N, 8]", "[N, 16]", "[N, 8]"])
    '[N, 8] or [N, 16]'
    """
    return _join_alternatives([*types], format_type)


def format_values(values: Iterable[object]) -> str:
    """Format the different values of one name."""
    return _join_alternatives([*values], format_type_or_value)


def format_type_or_value(value: object) -> str:
    """Format a type or a compile-time value."""
    tensors = isinstance(value, tuple) and bool(value) and all(isinstance(part, TensorType) for part in value)
    return format_type(value) if tensors or isinstance(value, TensorType) else format_value(value)


def _join_alternatives(different: list[object], show: Callable[[object], str]) -> str:
    texts = list(dict.fromkeys(show(alternative) for alternative in different[:MAX_SHOWN]))
    more = len(different) - MAX_SHOWN
    return " or ".join(texts) + (f" or {more} more" if more > 0 else "")
