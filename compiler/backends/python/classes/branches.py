"""Flattens the aligned steps of several bodies into the steps of one body.

In: aligned steps, and the `if`s that were decided differently, with the steps of their branches. Out: steps with `guards`. A branch that
is one expression becomes part of a conditional expression: `x if self.norm is None else self.norm(x)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ....ir.choices import Key
from ..code.class_tree import FlagRef, IfElse, MemberRef, OptionalCall, ValueRef
from ..code.classes import Guards, Step, StepInfo
from ..code.python_expressions import CallCode, Code, KeywordCode, LetCode, Lit, NestedResults

EITHER = StepInfo("either", kind="return", either=True)
LONGEST = 2
"""The largest number of steps of a branch that becomes an expression."""
LARGEST = 24
"""The largest number of parts of such an expression and the other one together."""
BodyColumn = Mapping[int, Any]
"""One position of the aligned bodies: the entry of each body, by the body's number. Bodies may be missing."""


class Condition:
    """An `if` that was decided differently, as it is in `forward`. `phis` are the tensors that are one of two when it ends, as in SSA
    form."""

    def __init__(self, key: Key, scope: Guards, tests: BodyColumn, taken: Mapping[int, bool]) -> None:
        self.key, self.scope, self.tests, self.taken = key, scope, tests, taken
        self.branches: dict[bool, list[AlignedNode]] = {True: [], False: []}
        self.phis: dict[tuple[int, int], int] = {}


class Aligned(NamedTuple):
    """A step of all bodies that have it, and its outputs."""

    steps: BodyColumn
    outputs: tuple[int, ...]


AlignedNode = Aligned | Condition


def get_own_or_any(column: BodyColumn, i: int) -> Any:
    """Return the entry of body `i`, or of any other body if `i` has none."""
    return column[i] if i in column else next(iter(column.values()))


def flatten_branches(nodes: list[AlignedNode], i: int, optional: Mapping[Key, str]) -> list[Step]:
    """Return the steps of one body, with conditional expressions for branches that are expressions."""
    body_steps: list[Step] = []
    for node in nodes:
        if isinstance(node, Aligned):
            body_steps.append(get_own_or_any(node.steps, i))
            continue
        then, otherwise = (flatten_branches(node.branches[branch], i, optional) for branch in (True, False))
        expression = _make_conditional(node, then, otherwise, optional)
        if expression is not None:
            body_steps.append(expression)
            continue
        for steps, branch, index in ((then, True, 0), (otherwise, False, 1)):
            body_steps += steps
            guards = (*node.scope, (node.key, branch))
            body_steps += [Step(ValueRef(pair[index]), (phi,), EITHER, guards=guards) for pair, phi in node.phis.items()]
    return body_steps


def _make_conditional(node: Condition, then: list[Step], otherwise: list[Step], optional: Mapping[Key, str]) -> Step | None:
    """Make a conditional expression of an `if` with one result, if each branch computes it by one expression."""
    if len(node.phis) != 1:
        return None
    ((first_tensor, other), phi), *_ = node.phis.items()
    first, second = _inline_branch(then, first_tensor), _inline_branch(otherwise, other)
    if first is None or second is None or sum(not isinstance(part, KeywordCode) for part in walk_tree((first, second))) > LARGEST:
        return None
    traits = (then or otherwise)[-1].traits if then or otherwise else StepInfo("either")
    # Literals may differ in the two bodies although they are equal here: then the `if` must stay.
    if first == second and not any(isinstance(p, Lit) for p in walk_tree(first)):
        return Step(first, (phi,), traits, guards=node.scope)  # both branches have a member with this label
    match first, second:
        case CallCode(MemberRef(label) as member, (ValueRef() as value,), ()), ValueRef() if value == second:
            if optional.get(node.key) == label:
                return Step(OptionalCall(member, value), (phi,), traits, guards=node.scope)
    return Step(IfElse(FlagRef(node.key), first, second), (phi,), replace(traits, kind="other"), guards=node.scope)


def _inline_branch(steps: list[Step], result: int) -> Code | None:
    """Combine the steps of a branch into one expression for its result. None if they are more than one expression."""
    code: Code = ValueRef(result)
    for step in reversed(steps[-LONGEST:]):
        uses = [p for p in walk_tree(code) if p == ValueRef(step.outputs[0])]
        # Inlining a result that is used twice would compute it twice.
        if len(uses) != 1 or len(step.outputs) > 1 or step.loop or isinstance(step.code, (LetCode, NestedResults)):
            return None
        step_code = step.code
        code = rewrite_downward(code, lambda part, use=uses[0], step_code=step_code: step_code if part == use else None)  # type: ignore[misc]
    return code if len(steps) <= LONGEST else None
