"""Members in a row that differ in one literal, such as the rates of stochastic depth: one comprehension over its values."""

from __future__ import annotations

from typing import cast

from .code import Code, Keyword, Lit, Literal
from .naming import local, unique
from .tree import Argument, Name, Repeated, Typed, Varied, parts, shape, zipped

LEAST = 3
"""So many members in a row are written as a comprehension."""


def varied(items: list[Code]) -> list[Code]:
    """The same members, with runs that differ in one literal as `Varied`."""
    if len(items) < LEAST:
        return items
    result: list[Code] = []
    run: list[Code] = []
    current: object = None
    for item in items:
        found = None if isinstance(item, (Repeated, Varied, Lit)) else shape(item)
        if run and found == current and found is not None:
            run.append(item)
            continue
        result += _closed(run)
        run, current = [item], found
    return result + _closed(run)


def _closed(run: list[Code]) -> list[Code]:
    if len(run) < LEAST:
        return run
    places = _Places({p.name for p in parts(run[0]) if isinstance(p, Argument)})
    item = places.merge(run)
    if len(places.found) != 1:
        return run
    ((name, values),) = places.found.items()
    return [Varied(item, name, tuple(Lit(cast("Literal", v.value)) for v in values))]


class _Places:
    """The literals in which members differ."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.found: dict[str, tuple[Typed, ...]] = {}

    def merge(self, codes: list[Code], keyword: Keyword | None = None) -> Code:
        first = codes[0]
        if all(c is first for c in codes):
            return first
        if not isinstance(first, Lit):
            return zipped(codes, self.merge)
        values = tuple(Typed(c.value) for c in cast("list[Lit]", codes))
        if len(set(values)) == 1:
            return first
        hint = first.hint or (keyword.name if keyword is not None else "")
        name = next((n for n, v in self.found.items() if v == values), None) or self._name(local(hint or "value"))
        self.found[name] = values
        return Name(name)

    def _name(self, name: str) -> str:
        return unique(name, self.taken | self.found.keys())
