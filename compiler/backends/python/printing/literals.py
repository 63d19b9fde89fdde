"""What members of a sequence differ in, and which names they take.

In: the code of a member. Out: its literals, its names. Always: literals are in the order of writing.
"""

from __future__ import annotations

from netc.dsl.trees import parts

from ....dims import symbols
from ....types.traced_ints import TracedInt
from ..code.class_tree import Argument, NameCode
from ..code.python_expressions import CallCode, Code, Lit

INDICES = "ijk"
"""The variables of comprehensions, the outermost first."""


def literals(item: Code) -> list[Lit]:
    return [p for p in parts(item) if isinstance(p, Lit)]


def names(item: Code) -> set[str]:
    """The names that are used in the item: functions, arguments, and the variables of comprehensions around it."""
    traced = {n for p in parts(item) if isinstance(p, Lit) and isinstance(p.value, TracedInt) for n in symbols(p.value.origin)}
    functions = {p.function.partition(".")[0] for p in parts(item) if isinstance(p, CallCode) and isinstance(p.function, str)}
    return traced | functions | {p.name if isinstance(p, Argument) else p.text for p in parts(item) if isinstance(p, (Argument, NameCode))}
