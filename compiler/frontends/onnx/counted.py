"""Loops that run while a number is less than a size: how often that is.

In: the body of a `Loop`, and what its states start with. Out: the number of steps after the first that its condition lets run; None if that
depends on data. Always: the numbers that are compared change by the same amount in each step, since nothing but sums with constants is
between them, so that two steps say what all others are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx

from ...dims import Dim, Facts, maximum, minimum
from .shapes import as_objects
from .values import Item, Known, Part

_LINEAR = frozenset(["Add", "Sub", "Identity", "Cast", "Constant", "Squeeze", "Unsqueeze", "Reshape"])
_COMPARISONS = {"Less": (0, 1, 0), "LessOrEqual": (0, 1, 1), "Greater": (1, 0, 0), "GreaterOrEqual": (1, 0, 1)}
"""Which input is the smaller one, which the greater, and whether they may be equal."""
Evaluate = Callable[[Sequence[str], Item, Mapping[str, Item]], Sequence[Item]]
"""What names of the body are, of the number of the step and the states that are known."""


class Counting:
    """A body whose condition is looked at. `outer` are the names that are known outside of it."""

    def __init__(self, body: onnx.GraphProto, starts: Sequence[Item], evaluate: Evaluate, facts: Facts) -> None:
        self.body, self.evaluate, self.facts = body, evaluate, facts
        self.makers = {name: node for node in body.node for name in node.output}
        self.step, self.goes = body.input[0].name, body.input[1].name
        self.states = {info.name: start for info, start in zip(body.input[2:], starts, strict=False)}
        self.after = {info.name: out.name for info, out in zip(body.input[2:], body.output[1:], strict=False)}

    def steps(self) -> Dim | None:
        """The number of steps after the first that the condition lets run; None if that is not known, or if it always holds."""
        return self._true(self.body.output[0].name)

    def _true(self, name: str) -> Dim | None:
        """For how many steps a condition is true."""
        node = self.makers.get(name)
        if node is None:
            return None
        if node.op_type == "Identity":
            return self._true(node.input[0])
        if node.op_type == "And":
            found = [self._true(part) for part in node.input if not self._always(part)]
            known = [count for count in found if count is not None]
            return None if len(known) < len(found) or not known else _least(known)
        if node.op_type not in _COMPARISONS:
            return None
        small, great, equal = _COMPARISONS[node.op_type]
        lower, upper = self._line(node.input[small]), self._line(node.input[great])
        if lower is None or upper is None:
            return None
        (first, by), (bound, rise) = lower, upper
        step = by - rise
        if not isinstance(step, int) or step <= 0:
            return None
        apart = bound - first + equal
        count: Dim = (apart + step - 1) // step
        return count if self.facts.at_least(count, 0) is True else maximum(count, 0)

    def _always(self, name: str) -> bool:
        """Whether it is the condition that the step began with, which was true."""
        while name in self.makers and self.makers[name].op_type == "Identity":
            name = self.makers[name].input[0]
        return bool(name == self.goes)

    def _line(self, name: str) -> tuple[Any, Any] | None:
        """The number in the first step, and by how much it grows in each."""
        used = self._needs(name)
        if used is None:
            return None
        values, known = list[Any](), {state: self.states[state] for state in used}
        for number in range(2):
            made = self.evaluate([name, *(self.after[state] for state in used)], Known(_number(number)), known)
            if (value := _single(made[0])) is None:
                return None
            values.append(value)
            known = dict(zip(used, made[1:], strict=True))
        return values[0], values[1] - values[0]

    def _needs(self, name: str) -> list[str] | None:
        """The states that a number is made of by sums with constants; None if it is made of anything else."""
        found: list[str] = []
        stack, seen = [name], set[str]()
        while stack:
            name = stack.pop()
            if name in seen or name == self.step:
                continue
            seen.add(name)
            if name == self.goes:
                return None
            if name in self.states:
                found.append(name)
                stack.append(self.after[name])
            elif name in self.makers:
                if self.makers[name].op_type not in _LINEAR:
                    return None
                stack += [part for part in self.makers[name].input if part]
        return found


def _number(number: int) -> Any:
    import numpy as np

    return np.asarray(number)


def _single(item: Item) -> Any:
    """A single integer or size."""
    items = as_objects(item)
    if items is None or items.size != 1:
        return None
    value = items.reshape(-1)[0]
    if isinstance(value, Part):
        return value.top if value.bottom == 1 else None
    return None if isinstance(value, bool) else value


def _least(counts: Sequence[Dim]) -> Dim:
    least = counts[0]
    for count in counts[1:]:
        least = minimum(least, count)
    return least
