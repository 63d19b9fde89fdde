"""Estimates how wide code will be before its names are decided.

In: code of `forward`, or its steps. Out: numbers of characters. Always: an estimate. It decides what is nested in a statement, and names,
which the exact width needs, depend on that.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.trees import walk_tree

from ..code.class_tree import Argument, MemberRef, NameCode, SizeRef
from ..code.classes import ScanCode, Step
from ..code.python_expressions import CallCode, Code, KeywordCode, Lit, Method
from .python_printer import format_literal, print_code


def measure_step_widths(steps: Sequence[Step]) -> list[int]:
    """Estimate the width of each step's own code. A loop is on lines of its own and counts as 0."""
    return [0 if isinstance(s.code, ScanCode) else measure_width(s.code) for s in steps]


def measure_width(code: Code) -> int:
    """Estimate the length of the code before names are decided."""
    return sum(_measure_part(part) for part in walk_tree(code))


def _measure_part(part: object) -> int:
    match part:
        case MemberRef(label):
            return len(label) + 5
        case Argument():
            return len(print_code(part)) + 7
        case SizeRef(words, sources):
            return len(words) if not any(isinstance(s, Argument) for s in sources) else len(words) - 3 * len(sources)
        case Lit(value):
            return len(format_literal(value)) + 2
        case CallCode(str() as function):
            return len(function) + 2
        case Method(_, name):
            return len(name) + 3
        case NameCode(words):
            return len(words)
        case KeywordCode():
            return 0
    return 2
