"""Removes dropouts that drop nothing where no key of the state dict depends on them.

In: the body of a class. Numbers that differ between its uses are arguments already, so a probability of 0 is 0 in all uses. Out: the same
body without such dropouts that are attributes, and without those at the end of a row of modules. Always: the keys stay. A dropout between
numbered members therefore stays, and so does one within a row of members, which may follow a pattern.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TypeVar

from netc.dsl.record import Record, replace
from netc.dsl.trees import walk_tree

from ..code.class_tree import MemberRef
from ..code.classes import ClassBody
from ..code.python_expressions import CallCode, Code, Lit, MembersCall

C = TypeVar("C", bound=Code)


def drop_idle_modules(body: ClassBody, dropouts: Set[str]) -> None:
    """Remove them. `dropouts`: the modules that do nothing if their only argument is 0."""
    known = _IdleModules(body.framework.identity, dropouts)
    body.members = [replace(m, code=_trim_row(m.code, known)) for m in body.members]
    body.chain = None if body.chain is None else _trim_row(body.chain, known)
    idle = {m.label for m in body.members if known.is_idle(m.code)} if not body.keyed else set()
    if not idle:
        return

    def passed(part: Code) -> Code | None:
        match part:
            case CallCode(MemberRef(label), (x,)) if label in idle:
                return x
        return None

    body.rewrite_code(passed)
    # A module that is also passed to a stage is still needed as a member.
    used = {p.label for step in body.steps for p in walk_tree(step.code) if isinstance(p, MemberRef)}
    body.members = [m for m in body.members if m.label not in idle or m.label in used]


class _IdleModules(Record):
    """The modules that do nothing. `identity` never does anything."""

    identity: str
    dropouts: Set[str]

    def is_idle(self, code: Code) -> bool:
        match code:
            case CallCode(str() as function, (Lit(value),)):
                return value == 0 and function in self.dropouts
            case CallCode(str() as function, ()):
                return function == self.identity
        return False


def _trim_row(code: C, known: _IdleModules) -> C:
    """Return a row of modules without idle members at its end."""
    match code:
        case MembersCall(_, (_, *_, last) as members) if known.is_idle(last):
            return _trim_row(replace(code, args=members[:-1]), known)
    return code
