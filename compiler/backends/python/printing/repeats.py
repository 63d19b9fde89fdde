"""Writes repeated members: a few one by one, many as a comprehension.

In: members of a sequence. Out: the same members in the same order. Always: a repeat whose count is an argument stays a repeat.

    >>> from ..code.python_expressions import CallCode
    >>> relu = CallCode("ReLU", ())
    >>> [type(item).__name__ for item in unroll_repeats([relu, RepeatStar(relu, Lit(4))])]
    ['RepeatStar']
    >>> [type(item).__name__ for item in unroll_repeats([RepeatStar(relu, Lit(2))])]
    ['CallCode', 'CallCode']
"""

from __future__ import annotations

from collections.abc import Iterable

from ..code.class_tree import Argument, NameCode, RepeatStar, SizeRef
from ..code.python_expressions import Code, Lit, Subscript

ROLLED = 3
"""The least number of equal members that are written as a comprehension."""


def unroll_repeats(items: Iterable[Code]) -> list[Code]:
    """Write a few repeats one by one, and merge members with equal ones before them."""
    joined: list[Code] = []
    for item in items:
        before = joined[-1] if joined else None
        if isinstance(item, RepeatStar) and before is not None and before == item.item:
            joined[-1] = RepeatStar(item.item, add_one(item.count))
        else:
            joined.append(item)
    spread: list[Code] = []
    for item in joined:
        count = item.count.value if isinstance(item, RepeatStar) and isinstance(item.count, Lit) else None
        # Two members are shorter to read than a comprehension of two.
        if isinstance(item, RepeatStar) and isinstance(count, int) and count < ROLLED:
            spread += [item.item] * count
        else:
            spread.append(item)
    return spread


def add_one(count: Code) -> Code:
    match count:
        case Lit(value) if isinstance(value, int):
            return Lit(value + 1)
        case Argument(name, factor, offset):
            return Argument(name, factor, offset + 1)
        case SizeRef(words, sources):
            # `depth - 1` repeats after an equal first member are `depth` repeats.
            return SizeRef(words.removesuffix(" - 1") if words.endswith(" - 1") else f"{words} + 1", sources)
        case Subscript() | NameCode():
            return SizeRef("{0} + 1", (count,))
    raise TypeError(f"not a count: {count!r}")
