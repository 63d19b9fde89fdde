"""Types and values as text for a reader of hints and hovers. In: what the index has. Out: one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netc.compiler.elaborate.scopes.value_text import format_value
from netc.compiler.types.tensor_types import TensorType

MOST = 3
"""The different types or values that are shown, and the tensors of a tuple."""


def show_type(one: object) -> str:
    """A tensor's type, or the types of the tensors of a tuple."""
    if not isinstance(one, tuple):
        return str(one)
    shown = [str(type) for type in one[:MOST]]
    more = len(one) - len(shown)
    return "(" + ", ".join(shown + ([f"... {len(one)} in all"] if more else [])) + ")"


def show_types(types: Iterable[object]) -> str:
    """The different types of one stage: a body that is used several times may have several."""
    return _joined([*types], show_type)


def show_values(values: Iterable[object]) -> str:
    """The different values of one name."""
    return _joined([*values], show_one)


def show_one(value: object) -> str:
    """A type or a compile-time value."""
    tensors = isinstance(value, tuple) and bool(value) and all(isinstance(part, TensorType) for part in value)
    return show_type(value) if tensors or isinstance(value, TensorType) else format_value(value)


def _joined(different: list[object], show: Callable[[object], str]) -> str:
    shown = list(dict.fromkeys(show(one) for one in different[:MOST]))
    more = len(different) - MOST
    return " or ".join(shown) + (f" or {more} more" if more > 0 else "")
