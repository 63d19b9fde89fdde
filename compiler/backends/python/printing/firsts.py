"""Merges members that are equal except for a flag of the first: `Layer(width, biased=i == 0) for i in range(depth)`.

In: members of a sequence or list. Out: the same members in the same order. Always: the flag is true for the first member only, and nothing
else differs.
"""

from __future__ import annotations

from netc.dsl.trees import find_literals, shape_key, with_literals

from ..code.class_tree import GeneratorStar, NameCode, RepeatStar, StrictLiteral
from ..code.python_expressions import CallCode, Code, Infix, Lit
from .member_names import INDICES, collect_names
from .repeats import add_one

FLAG = (StrictLiteral(True), StrictLiteral(False))


def merge_firsts(items: list[Code]) -> list[Code]:
    result: list[Code] = []
    for item in items:
        merged = _merge_first(result[-1], item) if result and isinstance(item, RepeatStar) else None
        result = [*result, item] if merged is None else [*result[:-1], merged]
    return result


def _merge_first(first: Code, others: RepeatStar) -> Code | None:
    if not isinstance(first, CallCode) or shape_key(first) != shape_key(others.item):
        return None
    pairs = [
        (lit, StrictLiteral(lit.value), StrictLiteral(o.value))
        for lit, o in zip(find_literals(first), find_literals(others.item), strict=True)
    ]
    differing = {(first_value, other) for _, first_value, other in pairs if first_value != other}
    index = next((NameCode(name) for name in INDICES if name not in collect_names(first)), None)
    if differing != {FLAG} or index is None:
        return None
    flag = Infix("==", index, Lit(0))
    item = with_literals(first, iter([lit if first_value == other else flag for lit, first_value, other in pairs]))
    return GeneratorStar(item, index.text, CallCode("range", (add_one(others.count),)))
