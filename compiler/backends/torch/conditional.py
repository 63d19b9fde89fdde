"""Statements of a constructor that depend on a condition.

In: code, the depth of its statements, and the variables that are taken. Out: lines. Always: a sequence with members that depend on a
condition is made of a list, which is built before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from ..python.code.expressions import CallCode, Code, MembersCall, Prefix
from ..python.code.tree import ChoiceItems, ListCode, NameCode, Starred
from ..python.naming import unique
from ..python.printing.layout import STEP, Doc, LayoutBracket, statement
from ..python.printing.printer import doc, text


def branches(test: Code, then: list[str], otherwise: list[str], depth: int) -> list[str]:
    """`if test: then else: otherwise`, of which one may be empty."""
    if not then:
        return branches(Prefix("not ", test), otherwise, [], depth) if otherwise else []
    lines = [f"{STEP * depth}if {text(test)}:", *then]
    return [*lines, f"{STEP * depth}else:", *otherwise] if otherwise else lines


def built(head: str, code: Code, depth: int, taken: Iterable[str]) -> list[str]:
    """The statement of `head` and the code."""
    match code:
        case MembersCall(function, args, ()) if any(isinstance(a, ChoiceItems) for a in args):
            name = unique("layers", set(taken))
            return [*_listed(name, args, depth, True), *statement(head, doc(MembersCall(function, (Starred(NameCode(name)),))), depth)]
    return statement(head, doc(code), depth)


def _listed(name: str, args: Iterable[Code], depth: int, is_first: bool = False) -> list[str]:
    """The statements that add members to a list."""
    lines: list[str] = []
    for is_choice, group in groupby(args, key=lambda a: isinstance(a, ChoiceItems)):
        items = list(group)
        if is_choice:
            lines += [f"{STEP * depth}{name}: list[nn.Module] = []"] if is_first else []
            for item in items:
                assert isinstance(item, ChoiceItems)
                lines += branches(item.test, _listed(name, item.then, depth + 1), _listed(name, item.otherwise, depth + 1), depth)
        elif is_first:
            lines += statement(f"{name}: list[nn.Module] = ", doc(ListCode(tuple(items))), depth)
        elif len(items) == 1 and isinstance(items[0], CallCode):
            lines += statement(f"{name}.append", Doc(LayoutBracket("(", [doc(items[0])], ")")), depth)
        else:
            lines += statement(f"{name} += ", doc(ListCode(tuple(items))), depth)
        is_first = False
    return lines
