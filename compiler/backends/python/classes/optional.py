"""Bodies of one block that differ in members which an `if` of the spec decides on: one class, with `None` where a member is absent.

In: groups of bodies of one block, those of a group with equal keys. Out: fewer groups; where bodies of two groups became one, those without
a member have got that of the others, marked as absent. Always: the condition of the `if` says for each body whether it has the member, and
a member that may be absent is called once, with one tensor, which is the result where it is absent.
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl.record import Record, replace

from ....ir.graph import symbol_values
from ....ir.tests import holds
from ..code.classes import ClassBody, Member
from ..code.expressions import CallCode, Code, Lit
from ..code.tree import MemberRef, OptionalCall, ValueRef, parts, rewrite, with_literals


class _Optional(Record):
    """A member that may be absent, the step that calls it, and the tensor that it takes."""

    member: Member
    step: int
    value: int


def merge_optional(groups: list[list[ClassBody]]) -> list[list[ClassBody]]:
    """The groups of one block, the bodies of which lack members of the largest ones merged with those."""
    if len(groups) < 2:
        return groups
    ordered = sorted(groups, key=lambda g: -len(g[0].members))
    left: list[list[ClassBody]] = []
    while ordered:
        largest, *others = ordered
        found = [largest]
        ordered = []
        for group in others:
            made = _completed(largest[0], group)
            if made is None:
                ordered.append(group)
            else:
                found.append(made)
        if len(found) > 1:
            absent = {label for group in found[1:] for label in group[0].absent}
            found = [[_with_optional_calls(body, absent) for body in group] for group in found]
        left.append([body for group in found for body in group])
    return left


def _completed(full: ClassBody, group: list[ClassBody]) -> list[ClassBody] | None:
    """The bodies of a group with the members that they lack, taken from `full`; None if they are no such bodies."""
    own = {m.label for m in group[0].members}
    lacking = [m for m in full.members if m.label not in own]
    found = [_optional(full, member) for member in lacking]
    if not lacking or any(f is None for f in found) or full.chain is not None or any(s.loop or s.mode is not None for s in full.steps):
        return None
    optional = [f for f in found if f is not None]
    if _without(full, optional).key() != group[0].key():
        return None
    if not all(_is_decided(full, body, optional) for body in group):
        return None
    return [_with(full, body, optional) for body in group]


def _optional(body: ClassBody, member: Member) -> _Optional | None:
    """How a member is called, if it may be absent."""
    reference = MemberRef(member.label)
    uses = [i for i, step in enumerate(body.steps) if any(p == reference for p in parts(step.code))]
    if member.label not in body.graph.tests or member.how != "module" or len(uses) != 1:
        return None
    step = body.steps[uses[0]]
    match step.code:
        case CallCode(MemberRef(), (ValueRef(value),), ()) if len(step.outputs) == 1 and step.loop is None:
            return _Optional(member, uses[0], value)
    return None


def _is_decided(full: ClassBody, body: ClassBody, optional: list[_Optional]) -> bool:
    """Whether the conditions hold for the one body and not for the other."""
    for one in optional:
        test = full.graph.tests[one.member.label]
        try:
            there = holds(test, symbol_values(full.graph), full.graph.arguments)
            here = holds(test, symbol_values(body.graph), body.graph.arguments)
        except KeyError:
            return False
        if not there or here:
            return False
    return True


def _without(full: ClassBody, optional: list[_Optional]) -> ClassBody:
    """The body without the members: what each gives is what it takes."""
    gone = {full.steps[o.step].outputs[0]: o.value for o in optional}
    kept = [i for i in range(len(full.names)) if i not in gone]
    numbers = {old: new for new, old in enumerate(kept)}

    def renumbered(index: int) -> int:
        while index in gone:
            index = gone[index]
        return numbers[index]

    def change(part: Code) -> Code | None:
        return ValueRef(renumbered(part.index)) if isinstance(part, ValueRef) else None

    labels, steps = {o.member.label for o in optional}, {o.step for o in optional}
    body = full.copy()
    body.names = [full.names[i] for i in kept]
    body.members = [m for m in full.members if m.label not in labels]
    body.steps = [
        replace(s, code=rewrite(s.code, change), outputs=tuple(renumbered(t) for t in s.outputs))
        for i, s in enumerate(full.steps)
        if i not in steps
    ]
    body.outputs = tuple(rewrite(output, change) for output in full.outputs)
    return body


def _with(full: ClassBody, body: ClassBody, optional: list[_Optional]) -> ClassBody:
    """The body with the members of `full` that it lacks, and its own numbers in what they have in common."""
    own = {m.label: m for m in body.members}
    steps, given = {o.step for o in optional}, iter(body.steps)
    made = body.copy()
    made.names, made.outputs = full.names, full.outputs
    made.members = [own.get(m.label, m) for m in full.members]
    made.steps = [
        s if i in steps else replace(s, code=with_literals(s.code, _literals(next(given).code))) for i, s in enumerate(full.steps)
    ]
    made.absent = frozenset(o.member.label for o in optional)
    return made


def _literals(code: Code) -> Iterator[Code]:
    return (p for p in parts(code) if isinstance(p, Lit))


def _with_optional_calls(body: ClassBody, labels: set[str]) -> ClassBody:
    made = body.copy()
    made.steps = [replace(s, code=_optional_call(s.code, labels)) for s in body.steps]
    return made


def _optional_call(code: Code, labels: set[str]) -> Code:
    match code:
        case CallCode(MemberRef(label) as member, (ValueRef() as value,), ()) if label in labels:
            return OptionalCall(member, value)
    return code
