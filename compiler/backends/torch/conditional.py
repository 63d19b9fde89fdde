"""Statements of a constructor that depend on a condition.

In: code, the depth of its statements, and the variables that are taken. Out: lines. Always: a sequence with members that depend on a
condition is made of a list, which is built before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from netc.dsl.record import replace

from ..python.code.expressions import CallCode, Code, MembersCall, Method, Prefix
from ..python.code.tree import ChoiceItems, FrozenCode, ListCode, NameCode, Starred
from ..python.naming import unique
from ..python.printing.layout import STEP, Doc, LayoutBracket, statement
from ..python.printing.printer import doc, text
from .initialise import Drawing, bare


def branches(test: Code, then: list[str], otherwise: list[str], depth: int) -> list[str]:
    """`if test: then else: otherwise`, of which one may be empty."""
    if not then:
        return branches(Prefix("not ", test), otherwise, [], depth) if otherwise else []
    lines = [f"{STEP * depth}if {text(test)}:", *then]
    return [*lines, f"{STEP * depth}else:", *otherwise] if otherwise else lines


def built(head: str, code: Code, depth: int, taken: Iterable[str]) -> list[str]:
    """The statement of `head` and the code. Of a sequence that is made of a list, also those that draw what its members start with."""
    names = set(taken)
    match code:
        case FrozenCode(MembersCall(_, args, ()) as made) | (MembersCall(_, args, ()) as made) if any(
            isinstance(a, ChoiceItems) for a in args
        ):
            name = unique("layers", names)
            whole: Code = replace(made, args=(Starred(NameCode(name)),))
            whole = FrozenCode(whole) if isinstance(code, FrozenCode) else whole
            return [*_List(name, names).lines(args, depth, True), *statement(head, doc(bare(whole)), depth)]
    return statement(head, doc(bare(code)), depth)


class _List:
    """A list that members are added to."""

    def __init__(self, name: str, taken: set[str]) -> None:
        self.name, self.drawing = name, Drawing({name, *taken})

    def lines(self, args: Iterable[Code], depth: int, is_first: bool = False) -> list[str]:
        """The statements that add members."""
        lines: list[str] = []
        for is_choice, group in groupby(args, key=lambda a: isinstance(a, ChoiceItems)):
            items = list(group)
            if is_choice:
                lines += [f"{STEP * depth}{self.name}: list[nn.Module] = []"] if is_first else []
                for item in items:
                    assert isinstance(item, ChoiceItems)
                    lines += branches(item.test, self.lines(item.then, depth + 1), self.lines(item.otherwise, depth + 1), depth)
            else:
                for few in self.drawing.runs(items):
                    lines += [*self._added([bare(item) for item in few], depth, is_first), *self.drawing.last(few, self.name, depth)]
                    is_first = False
            is_first = False
        return lines

    def _added(self, items: list[Code], depth: int, is_first: bool) -> list[str]:
        name = self.name
        if is_first:
            return statement(f"{name}: list[nn.Module] = ", doc(ListCode(tuple(items))), depth)
        if len(items) == 1 and isinstance(items[0], CallCode | Method):
            return statement(f"{name}.append", Doc(LayoutBracket("(", [doc(items[0])], ")")), depth)
        return statement(f"{name} += ", doc(ListCode(tuple(items))), depth)
