"""Writes statements of a constructor that depend on a condition.

In: code, the depth of its statements, and the names of variables in use. Out: lines. Always: a sequence with members that depend on a
condition is made from a list, which is built before it: `layers = [conv]`, `if norm: layers.append(...)`, and its
items are passed on: `*layers`.

    >>> from ..code.class_tree import NameCode
    >>> write_branches(NameCode("norm"), ["        layers.append(norm)"], [], 2)
    ['        if norm:', '        layers.append(norm)']
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from netc.dsl.record import replace

from ..code.class_tree import ChoiceItems, FrozenCode, ListCode, NameCode, Starred
from ..code.framework import Framework
from ..code.python_expressions import CallCode, Code, MembersCall, Method, Prefix, TupleCode
from ..identifiers import make_unique
from ..printing.line_layout import STEP, Doc, LayoutBracket, layout_statement
from ..printing.member_loops import MemberLoop, roll_loops
from ..printing.python_printer import make_doc, print_code
from ..printing.repeats import unroll_repeats
from .draw_parameters import DrawWriter, strip_initializers


def write_branches(test: Code, then: list[str], otherwise: list[str], depth: int) -> list[str]:
    """Write `if test: then else: otherwise`, where one of the branches may be empty."""
    if not then:
        return write_branches(Prefix("not ", test), otherwise, [], depth) if otherwise else []
    lines = [f"{STEP * depth}if {print_code(test)}:", *then]
    return [*lines, f"{STEP * depth}else:", *otherwise] if otherwise else lines


def write_assignment(head: str, code: Code, depth: int, used_names: Iterable[str], framework: Framework) -> list[str]:
    """Write the assignment of the code to `head`. A sequence made from a list also gets the statements that draw its members'
    parameters."""
    names = set(used_names)
    match code:
        case FrozenCode(MembersCall(_, args, ()) as call) | (MembersCall(_, args, ()) as call) if any(
            # Members in branches or loops cannot be arguments of one call.
            isinstance(a, ChoiceItems | MemberLoop)
            for a in (*args, *roll_loops(unroll_repeats(args), names))
        ):
            name = make_unique("layers", names)
            starred: Code = replace(call, args=(Starred(NameCode(name)),))
            starred = FrozenCode(starred) if isinstance(code, FrozenCode) else starred
            return [
                *_ListWriter(name, names, framework).write_lines(args, depth, True),
                *layout_statement(head, make_doc(strip_initializers(starred, framework)), depth),
            ]
    return layout_statement(head, make_doc(strip_initializers(code, framework)), depth)


def _write_loop_head(variable: str, values: Code, depth: int) -> list[str]:
    *lines, last = layout_statement(f"for {variable} in ", make_doc(values), depth)
    return [*lines, f"{last}:"]


class _ListWriter:
    """Writes the statements that add members to a list."""

    def __init__(self, name: str, used_names: set[str], framework: Framework) -> None:
        self.name, self.taken, self.framework = name, {name, *used_names}, framework
        self.drawing = DrawWriter(self.taken, framework)
        self.head = f"{name}: list[{framework.module}] = "

    def write_lines(self, args: Iterable[Code], depth: int, is_first: bool = False) -> list[str]:
        """Write the statements that add members."""
        lines: list[str] = []
        for is_statement, group in groupby(
            roll_loops(unroll_repeats(args), self.taken), key=lambda a: isinstance(a, ChoiceItems | MemberLoop)
        ):
            items = list(group)
            if is_statement:
                # The annotation goes with the first statement, even if that is in a branch: the list must exist in both.
                lines += [f"{STEP * depth}{self.head}[]"] if is_first else []
                lines += [line for item in items for line in self._write_statement(item, depth)]
            else:
                for few in self.drawing.split_runs(items):
                    lines += self._write_append([strip_initializers(item, self.framework) for item in few], depth, is_first)
                    lines += self.drawing.write_last(few, self.name, depth)
                    is_first = False
            is_first = False
        return lines

    def _write_statement(self, item: Code, depth: int) -> list[str]:
        match item:
            case ChoiceItems(test=test, then=then, otherwise=otherwise):
                return write_branches(test, self.write_lines(then, depth + 1), self.write_lines(otherwise, depth + 1), depth)
            case MemberLoop():
                return self._write_loop(item, depth)
        raise AssertionError(item)

    def _write_loop(self, loop: MemberLoop, depth: int) -> list[str]:
        """Write the loop that adds members. With several groups of values, two nested loops."""
        start = [f"{STEP * depth}{loop.before} = {print_code(loop.start)}"] if loop.before else []
        values: Code = TupleCode(loop.groups[0])
        outer: list[str] = []
        if loop.tail:
            values = NameCode(make_unique("stage", {*self.taken, loop.variable, loop.before}))
            outer = _write_loop_head(print_code(values), TupleCode(tuple(map(TupleCode, loop.groups))), depth)
        inside = depth + len(outer[:1])
        inner = [*_write_loop_head(loop.variable, values, inside), *self._write_append(list(loop.unit), inside + 1, False)]
        inner += [f"{STEP * (inside + 1)}{loop.before} = {loop.variable}"] if loop.before else []
        return [*start, *outer, *inner, *(self._write_append(list(loop.tail), inside, False) if loop.tail else [])]

    def _write_append(self, items: list[Code], depth: int, is_first: bool) -> list[str]:
        name = self.name
        if is_first:
            return layout_statement(self.head, make_doc(ListCode(tuple(items))), depth)
        if len(items) == 1 and isinstance(items[0], CallCode | Method):
            return layout_statement(f"{name}.append", Doc(LayoutBracket("(", [make_doc(items[0])], ")")), depth)
        return layout_statement(f"{name} += ", make_doc(ListCode(tuple(items))), depth)
