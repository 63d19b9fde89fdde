"""Statements of a constructor that depend on a condition.

In: code, the depth of its statements, and the variables that are taken. Out: lines. Always: a sequence with members that depend on a
condition is made of a list, which is built before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from netc.dsl.record import replace

from ..code.class_tree import ChoiceItems, FrozenCode, ListCode, NameCode, Starred
from ..code.framework import Framework
from ..code.python_expressions import CallCode, Code, MembersCall, Method, Prefix, TupleCode
from ..identifiers import make_unique
from ..printing.line_layout import STEP, Doc, LayoutBracket, statement
from ..printing.member_loops import MemberLoop, looped
from ..printing.python_printer import doc, text
from ..printing.repeats import unrolled
from .draw_parameters import Drawing, bare


def branches(test: Code, then: list[str], otherwise: list[str], depth: int) -> list[str]:
    """`if test: then else: otherwise`, of which one may be empty."""
    if not then:
        return branches(Prefix("not ", test), otherwise, [], depth) if otherwise else []
    lines = [f"{STEP * depth}if {text(test)}:", *then]
    return [*lines, f"{STEP * depth}else:", *otherwise] if otherwise else lines


def built(head: str, code: Code, depth: int, taken: Iterable[str], framework: Framework) -> list[str]:
    """The statement of `head` and the code. Of a sequence that is made of a list, also those that draw what its members start with."""
    names = set(taken)
    match code:
        case FrozenCode(MembersCall(_, args, ()) as made) | (MembersCall(_, args, ()) as made) if any(
            isinstance(a, ChoiceItems | MemberLoop) for a in (*args, *looped(unrolled(args), names))
        ):
            name = make_unique("layers", names)
            whole: Code = replace(made, args=(Starred(NameCode(name)),))
            whole = FrozenCode(whole) if isinstance(code, FrozenCode) else whole
            return [*_List(name, names, framework).lines(args, depth, True), *statement(head, doc(bare(whole, framework)), depth)]
    return statement(head, doc(bare(code, framework)), depth)


def _for(variable: str, values: Code, depth: int) -> list[str]:
    *lines, last = statement(f"for {variable} in ", doc(values), depth)
    return [*lines, f"{last}:"]


class _List:
    """A list that members are added to."""

    def __init__(self, name: str, taken: set[str], framework: Framework) -> None:
        self.name, self.taken, self.framework = name, {name, *taken}, framework
        self.drawing = Drawing(self.taken, framework)
        self.head = f"{name}: list[{framework.module}] = "

    def lines(self, args: Iterable[Code], depth: int, is_first: bool = False) -> list[str]:
        """The statements that add members."""
        lines: list[str] = []
        for is_statement, group in groupby(looped(unrolled(args), self.taken), key=lambda a: isinstance(a, ChoiceItems | MemberLoop)):
            items = list(group)
            if is_statement:
                lines += [f"{STEP * depth}{self.head}[]"] if is_first else []
                lines += [line for item in items for line in self._statement(item, depth)]
            else:
                for few in self.drawing.runs(items):
                    lines += self._added([bare(item, self.framework) for item in few], depth, is_first)
                    lines += self.drawing.last(few, self.name, depth)
                    is_first = False
            is_first = False
        return lines

    def _statement(self, item: Code, depth: int) -> list[str]:
        match item:
            case ChoiceItems(test=test, then=then, otherwise=otherwise):
                return branches(test, self.lines(then, depth + 1), self.lines(otherwise, depth + 1), depth)
            case MemberLoop():
                return self._loop(item, depth)
        raise AssertionError(item)

    def _loop(self, loop: MemberLoop, depth: int) -> list[str]:
        """The loop that adds members; of groups with the same number of values for each, two loops."""
        start = [f"{STEP * depth}{loop.before} = {text(loop.start)}"] if loop.before else []
        values: Code = TupleCode(loop.groups[0])
        outer: list[str] = []
        if loop.tail:
            values = NameCode(make_unique("stage", {*self.taken, loop.variable, loop.before}))
            outer = _for(text(values), TupleCode(tuple(map(TupleCode, loop.groups))), depth)
        inside = depth + len(outer[:1])
        inner = [*_for(loop.variable, values, inside), *self._added(list(loop.unit), inside + 1, False)]
        inner += [f"{STEP * (inside + 1)}{loop.before} = {loop.variable}"] if loop.before else []
        return [*start, *outer, *inner, *(self._added(list(loop.tail), inside, False) if loop.tail else [])]

    def _added(self, items: list[Code], depth: int, is_first: bool) -> list[str]:
        name = self.name
        if is_first:
            return statement(self.head, doc(ListCode(tuple(items))), depth)
        if len(items) == 1 and isinstance(items[0], CallCode | Method):
            return statement(f"{name}.append", Doc(LayoutBracket("(", [doc(items[0])], ")")), depth)
        return statement(f"{name} += ", doc(ListCode(tuple(items))), depth)
