"""Finds hints for the names of variables in one `forward` that the spec does not name.

In: the steps of a body, and which of them are nested in others. Out: for some tensors, a name: the results of `self.to_q` and `self.to_k`
that one attention takes are hinted `to_q` and `to_k`. Always: only names of the spec and labels of members. The work is linear in the
number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..code.class_tree import MemberRef, ValueRef
from ..code.classes import Step
from ..code.framework import Framework
from ..code.python_expressions import AttributeCode, CallCode, Code, Method, Prefix, Subscript
from .inline_results import TensorUses
from .roles import RESHAPING


class NameHints:
    """Hints for the names of tensors. `labels`: by tensor, the label of its module, if one statement takes several such tensors."""

    def __init__(
        self,
        steps: Sequence[Step],
        references: Sequence[Sequence[int]],
        names: Sequence[str],
        uses: TensorUses,
        nested: Sequence[bool],
        framework: Framework,
    ) -> None:
        self.framework = framework
        self.steps, self.references, self.names, self.uses, self.nested = steps, references, names, uses, nested
        self.maker = {s.outputs[0]: i for i, s in enumerate(steps) if len(s.outputs) == 1}
        self.labels: dict[int, str] = {}
        for index in range(len(steps)):
            if uses.alive[index] and not nested[index]:
                self._label_siblings(index)

    def _label_siblings(self, index: int) -> None:
        """Give tensors that one statement takes together the labels of the modules that compute them."""
        variables = dict.fromkeys(self._iterate_variables(index))
        alike = [t for t in variables if not self.names[t] and t in self.maker]
        labels = [self._find_label(t) for t in alike]
        # Two tensors of one module, called twice, would get the same name, which tells them apart no better than `x`.
        if len(alike) > 1 and all(labels) and len(set(labels)) == len(labels):
            self.labels.update((t, label) for t, label in zip(alike, labels, strict=True) if t not in self.labels)

    def _iterate_variables(self, index: int) -> Iterator[int]:
        """Iterate over the variables that a statement takes, including the variables of the steps nested in it."""
        stack = [index]
        while stack:
            for tensor in self.references[stack.pop()]:
                maker = self.maker.get(tensor)
                if maker is not None and self.nested[maker]:
                    stack.append(maker)
                else:
                    yield tensor

    def _find_label(self, tensor: int) -> str:
        """Return the label of the module that runs last in the statement of `tensor`. Empty if there is none."""
        code: Code | None = self.steps[self.maker[tensor]].code
        while code is not None:
            match code:
                case CallCode(MemberRef(label)):
                    return label if self.framework.is_attribute_name(label) else ""
                case ValueRef(index) if index in self.maker and self.nested[self.maker[index]]:
                    code = self.steps[self.maker[index]].code
                case _:
                    code = _get_main_operand(code)
        return ""

    def describe_statement(self, index: int) -> str:
        """Describe a statement in a word: the label of its module, or its operator. Empty for several results."""
        step = self.steps[index]
        return (self._find_label(step.outputs[0]) or step.traits.operator) if len(step.outputs) == 1 else ""

    def is_reshape(self, index: int) -> bool:
        """Whether a statement only changes the shape or type of a tensor."""
        stack = [index]
        while stack:
            number = stack.pop()
            if self.steps[number].traits.operator not in RESHAPING or len(self.references[number]) != 1:
                return False
            maker = self.maker.get(self.references[number][0])
            if maker is not None and self.nested[maker]:
                stack.append(maker)
        return True


def _get_main_operand(code: Code) -> Code | None:
    """The main operand of an expression."""
    match code:
        case Method(target) | Subscript(target) | AttributeCode(target):
            return target
        case Prefix(_, operand):
            return operand
        case CallCode(str(), (first, *_)):
            return first
    return None


def find_destinations(
    steps: Sequence[Step], references: Sequence[Sequence[int]], names: Sequence[str], tentative: set[int], uses: TensorUses
) -> dict[int, str]:
    """Find, for tensors without a name, the one named tensor that all their uses lead to. Return its name for each."""
    destinations: dict[int, str] = {}
    open_ = list(uses.total)
    """The number of uses of a tensor that are not known to lead to its destination."""
    # Backwards: the destination of a tensor is known once the destinations of its users are.
    for index in range(len(steps) - 1, -1, -1):
        step, step_references = steps[index], references[index]
        if step.loop is not None and uses.alive[index]:
            for state, output in zip(step.loop.states, step.outputs, strict=False):
                if names[output] and not names[state] and destinations.setdefault(state, names[output]) == names[output]:
                    open_[state] -= uses.counts[index][state]
        if len(step.outputs) != 1 or step.repeats or not step_references or not uses.alive[index]:
            continue
        out = step.outputs[0]
        own_name = "" if out in tentative else names[out]
        destination = own_name or (destinations.get(out, "") if not open_[out] else "")
        for tensor, count in uses.counts[index].items():
            # Only the first operand becomes the result in a reader's eyes: in `x + mask`, the mask is not on its way to the name of
            # the sum.
            flows = tensor in tentative or (tensor == step_references[0] and not names[tensor])
            if destination and flows and destinations.setdefault(tensor, destination) == destination:
                open_[tensor] -= count
    return {tensor: destination for tensor, destination in destinations.items() if not open_[tensor]}
