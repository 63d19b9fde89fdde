"""What the variables of one `forward` that the spec has no name for would like to be called.

In: the steps of a body, and which of them stand inside others. Out: for some tensors, a name. Always: names of the spec and labels of
members only; linear in the number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .classes import Step
from .code import AttributeCode, CallCode, Code, Method, Prefix, Subscript
from .inlining import Uses
from .naming import plain
from .tree import MemberRef, ValueRef

RESHAPING = frozenset({"cast", "expand", "permute", "rearrange", "reshape", "transpose", "unflatten", "unsqueeze"})
"""Operators whose result is what they take, in another form."""


class NameHints:
    """`goals`: what a tensor flows on to be. `roles`: what made it, if it is one of several that one statement takes. `same`: the tensors
    that are another one in another form."""

    def __init__(
        self, steps: Sequence[Step], references: Sequence[Sequence[int]], names: Sequence[str], uses: Uses, nested: Sequence[bool]
    ) -> None:
        self.steps, self.references, self.names, self.uses, self.nested = steps, references, names, uses, nested
        self.maker = {s.outputs[0]: i for i, s in enumerate(steps) if len(s.outputs) == 1}
        self.roles: dict[int, str] = {}
        for index in range(len(steps)):
            if uses.alive[index] and not nested[index]:
                self._side_by_side(index)

    def _side_by_side(self, index: int) -> None:
        """Gives tensors that one statement takes together the labels of the modules that they come from."""
        taken = dict.fromkeys(self._variables(index))
        alike = [t for t in taken if not self.names[t] and t in self.maker]
        labels = [self._label(t) for t in alike]
        if len(alike) > 1 and all(labels) and len(set(labels)) == len(labels):
            self.roles.update((t, label) for t, label in zip(alike, labels, strict=True) if t not in self.roles)

    def _variables(self, index: int) -> Iterator[int]:
        """The variables that a statement takes: those of the steps nested in it too."""
        stack = [index]
        while stack:
            for tensor in self.references[stack.pop()]:
                maker = self.maker.get(tensor)
                if maker is not None and self.nested[maker]:
                    stack.append(maker)
                else:
                    yield tensor

    def _label(self, tensor: int) -> str:
        """The label of the module that the statement of `tensor` runs last, or nothing."""
        code: Code | None = self.steps[self.maker[tensor]].code
        while code is not None:
            match code:
                case CallCode(MemberRef(label)):
                    return label if plain(label) else ""
                case ValueRef(index) if index in self.maker and self.nested[self.maker[index]]:
                    code = self.steps[self.maker[index]].code
                case _:
                    code = _main(code)
        return ""

    def is_same(self, index: int) -> bool:
        """Whether all that a statement does is to bring a tensor into another form."""
        stack = [index]
        while stack:
            at = stack.pop()
            if self.steps[at].traits.operator not in RESHAPING or len(self.references[at]) != 1:
                return False
            maker = self.maker.get(self.references[at][0])
            if maker is not None and self.nested[maker]:
                stack.append(maker)
        return True


def _main(code: Code) -> Code | None:
    """The part of an expression that flows through it."""
    match code:
        case Method(target) | Subscript(target) | AttributeCode(target):
            return target
        case Prefix(_, operand):
            return operand
        case CallCode(str(), (first, *_)):
            return first
    return None


def goals(steps: Sequence[Step], references: Sequence[Sequence[int]], names: Sequence[str], weak: set[int], uses: Uses) -> dict[int, str]:
    """For tensors without a name of the spec that flow on to one that has one, by all the ways they go: that name."""
    found: dict[int, str] = {}
    open_ = list(uses.total)
    """How many uses of a tensor have not been seen to lead to its goal."""
    for index in range(len(steps) - 1, -1, -1):
        step, taken = steps[index], references[index]
        if len(step.outputs) != 1 or not taken or not uses.alive[index]:
            continue
        out = step.outputs[0]
        own = "" if out in weak else names[out]
        goal = own or (found.get(out, "") if not open_[out] else "")
        for tensor, count in uses.counts[index].items():
            flows = tensor in weak or (tensor == taken[0] and not names[tensor])
            if goal and flows and found.setdefault(tensor, goal) == goal:
                open_[tensor] -= count
    return {tensor: goal for tensor, goal in found.items() if not open_[tensor]}
