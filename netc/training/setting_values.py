"""Check the values of settings, and describe them in messages.

>>> describe_found(Word("fast")), describe_found((0.9, True))
('and `fast` is not defined', 'found `[0.9, true]`')
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from netc.compiler.ir.training_program import SettingArgument, Word
from netc.compiler.types.tensor_types import DType
from netc.dsl.record import replace

DISTRIBUTIONS = {"normal": (0,), "uniform": (0, 2), "integers": (2,)}
"""The distributions of `draw`, each with the possible numbers of bounds."""


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def find_wrong_bounds(distribution: str, numbers: list[Any], dtype: DType, name: str) -> tuple[str, str] | None:
    """Check the numbers after a distribution. Return the problem and the help, or None if the input's type holds all values."""
    if distribution == "normal":
        return ("takes no numbers", f"leave them out, and compute `mean + deviation * {name}`") if numbers else None
    is_whole = distribution == "integers"
    example = f"write `{distribution} 0 {1000 if is_whole else 1}`"
    is_pair = len(numbers) == 2 and all(is_int(n) if is_whole else is_number(n) for n in numbers) and numbers[0] < numbers[1]
    if not is_pair:
        return None if not numbers and 0 in DISTRIBUTIONS[distribution] else ("takes two numbers, the smaller one first", example)
    low, high = dtype.limits
    if low <= numbers[0] and numbers[1] - is_whole <= high and isfinite(float(numbers[1]) - float(numbers[0])):
        return None
    return f"draws numbers that {dtype.name} does not hold", "give bounds that are closer to 0, or the input a wider type"


def is_count(value: object) -> bool:
    return is_int(value) and value >= 1  # type: ignore[operator]


def is_positive(value: object) -> bool:
    return is_number(value) and value > 0  # type: ignore[operator]


def is_distance(value: object) -> bool:
    return is_number(value) and value >= 0 and isfinite(value)  # type: ignore[operator, arg-type]


def describe_found(value: object) -> str:
    """Describe a wrong value, as the end of a sentence."""
    return f"and `{value}` is not defined" if isinstance(value, Word) else f"found {format_value(value)}"


def format_value(value: object) -> str:
    """Format a value as in a spec."""
    match value:
        case None | bool():
            return f"`{str(value).lower()}`"
        case int() | float() | str():
            return f"`{value}`"
        case tuple():
            return f"`[{', '.join(format_value(item).strip('`') for item in value)}]`"
    return str(value)


def convert_none_options(options: tuple[SettingArgument, ...]) -> tuple[SettingArgument, ...]:
    """Convert the word `none` in options to Python's `None`."""
    return tuple(replace(option, value=_convert_none(option.value)) for option in options)


def _convert_none(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_convert_none, value))
    return None if isinstance(value, Word) and value == "none" else value
