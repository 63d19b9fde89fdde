"""Collects the names that the code of a member uses: a comprehension's variable must be none of them.

In: the code of a member, `Layer(width, kernel=k)`. Out: its names, `Layer`, `width` and `k`.

    >>> from ..code.python_expressions import call_function
    >>> sorted(collect_names(call_function("Layer", NameCode("width"), kernel=NameCode("k"))))
    ['Layer', 'k', 'width']
"""

from __future__ import annotations

from netc.dsl.trees import walk_tree

from ....dims import free_symbols
from ....types.traced_ints import TracedInt
from ..code.class_tree import Argument, NameCode
from ..code.python_expressions import CallCode, Code, Lit

INDICES = "ijk"
"""The variables of comprehensions, the outermost first."""


def collect_names(item: Code) -> set[str]:
    """The names that are used in the item: functions, arguments, and the variables of comprehensions around it."""
    traced = {n for p in walk_tree(item) if isinstance(p, Lit) and isinstance(p.value, TracedInt) for n in free_symbols(p.value.origin)}
    functions = {p.function.partition(".")[0] for p in walk_tree(item) if isinstance(p, CallCode) and isinstance(p.function, str)}
    return (
        traced | functions | {p.name if isinstance(p, Argument) else p.text for p in walk_tree(item) if isinstance(p, (Argument, NameCode))}
    )
