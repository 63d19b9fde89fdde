"""The meaning of the literals in which bodies differ, from all of their uses: better names than the first use alone would give.

In: bodies of one class, equal but for their literals. Out: for the values of a literal in all bodies, the name that an argument with these
values should have, and whether it is a width. Always: linear in the code of the bodies.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from ....dims import Dim
from ....ir.graph import Graph, Value
from ..code.classes import ClassBody, ClassRef
from ..code.expressions import CallCode, Lit
from ..code.framework import Widths
from ..code.tree import StrictLiteral, parts

VAGUE = re.compile(r"(size|value)?\d*")
"""Names without meaning."""


class Hints:
    def __init__(self, bodies: Sequence[ClassBody]) -> None:
        words = bodies[0].framework.widths
        self.found: dict[tuple[StrictLiteral, ...], dict[str, None]] = {}
        self.widths: set[tuple[StrictLiteral, ...]] = set()
        for places in zip(*(_literals(b) for b in bodies), strict=True):
            values = tuple(StrictLiteral(lit.value) for lit, _ in places)
            if len(set(values)) > 1:
                hint, is_width = places[0][0].hint, places[0][1]
                self.found.setdefault(values, {})[hint] = None
                if is_width or words.words.fullmatch(hint):
                    self.widths.add(values)
        for name, ends in _ends(bodies, words):
            values = tuple(StrictLiteral(size) for size in ends)
            if len(set(values)) > 1 and values in self.found:
                self.found[values][name] = None
                self.widths.add(values)

    def best(self, values: Sequence[object], hint: str, taken: Container[str] = ()) -> str:
        """The name for an argument with these values, one of which has the name `hint` where it is used."""
        names = self.found.get(tuple(StrictLiteral(v) for v in values), {})
        if VAGUE.fullmatch(hint):
            hint = next((n for n in names if not VAGUE.fullmatch(n)), hint.rstrip("0123456789") or "value")
        both = without_direction(hint, names)
        return both if both not in taken else hint

    def is_width(self, values: Sequence[object]) -> bool:
        """Whether the values are numbers of channels or features somewhere."""
        return tuple(StrictLiteral(v) for v in values) in self.widths


def without_direction(name: str, names: Mapping[str, object]) -> str:
    """`features` for `in_features` among names that have `out_features` as well."""
    direction, _, width = name.partition("_")
    return width if direction in ("in", "out") and {f"in_{width}", f"out_{width}"} <= names.keys() else name


def _ends(bodies: Sequence[ClassBody], words: Widths) -> Iterator[tuple[str, list[Dim]]]:
    """The last axes of the inputs and outputs, whose sizes are numbers of features where they are parameters' too."""
    graphs = [b.graph for b in bodies]
    for name, tensors in ((words.in_features, [_single(g) for g in graphs]), (words.out_features, [g.leading for g in graphs])):
        for values in zip(*tensors, strict=True):
            if all(v.type.rank > 1 for v in values):
                yield name, [v.type.shape[-1] for v in values]


def _single(graph: Graph) -> list[Value]:
    """The inputs that are not parts of tuples."""
    return [one for one in graph.takes if isinstance(one, Value)]


def _literals(body: ClassBody) -> Iterator[tuple[Lit, bool]]:
    """Each with whether it is an argument of a class for which it is a width."""
    widths: set[int] = set()
    for code in (*body.made(), *(s.code for s in body.steps)):
        for part in parts(code):
            match part:
                case CallCode(ClassRef(cls), args):
                    positional = [p for p in cls.parameters if not p.keyword]
                    widths |= {id(a) for a, p in zip(args, positional, strict=True) if p.name in cls.widths}
                case Lit():
                    yield part, id(part) in widths
