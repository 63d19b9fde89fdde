"""Counts the steps of a `Loop` whose condition compares a number with a size, such as `step < T`.

Converters from TensorFlow write every recurrent layer as such a loop.

In: the body of a `Loop`, and the start values of its states. Out: the number of steps after the first for which its condition holds; None
if that depends on data. Always: the two numbers that are compared grow by a constant in each step, because only sums with constants lead
from one step to the next. So their values in two steps determine all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import onnx

from ...dims import Dim, Facts, dim_max, dim_min
from .onnx_files import read_attributes
from .onnx_values import Item, Known, SizeRatio
from .shape_arithmetic import as_objects

_LINEAR = frozenset(["Add", "Sub", "Identity", "Cast", "Constant", "Squeeze", "Unsqueeze", "Reshape"])
_COMPARISONS = {"Less": (0, 1, 0), "LessOrEqual": (0, 1, 1), "Greater": (1, 0, 0), "GreaterOrEqual": (1, 0, 1)}
"""By comparison: the position of the smaller input, the position of the greater one, and 1 if they may be equal."""
Evaluate = Callable[[Sequence[str], Item, Mapping[str, Item]], Sequence[Item]]
"""Gives the items of names in the body, for the number of a step and the states that are known."""


class LoopCondition:
    """The condition of a loop's body. `starts` are the start values of its states."""

    def __init__(self, body: onnx.GraphProto, starts: Sequence[Item], evaluate: Evaluate, facts: Facts) -> None:
        self.body, self.evaluate, self.facts = body, evaluate, facts
        self.makers = {name: node for node in body.node for name in node.output}
        self.step, self.goes = body.input[0].name, body.input[1].name
        self.states = {info.name: start for info, start in zip(body.input[2:], starts, strict=False)}
        self.after = {info.name: out.name for info, out in zip(body.input[2:], body.output[1:], strict=False)}

    def count_steps(self) -> Dim | None:
        """Count the steps after the first for which the condition holds. None if that is unknown, or if the condition always holds."""
        return self._count_true(self.body.output[0].name)

    def _count_true(self, name: str) -> Dim | None:
        """Count the steps for which the condition `name` holds, as `count_steps`."""
        node = self.makers.get(name)
        if node is None:
            return None
        if node.op_type == "Identity":
            return self._count_true(node.input[0])
        if node.op_type == "And":
            counts = [self._count_true(part) for part in node.input if not self._is_entry_condition(part)]
            known = [count for count in counts if count is not None]
            return None if len(known) < len(counts) or not known else reduce(dim_min, known)
        if node.op_type not in _COMPARISONS:
            return None
        small, great, equal = _COMPARISONS[node.op_type]
        lower, upper = self._fit_line(node.input[small]), self._fit_line(node.input[great])
        if lower is None or upper is None:
            return None
        (first, by), (bound, rise) = lower, upper
        step = by - rise
        # A condition that never becomes false does not count the steps.
        if not isinstance(step, int) or step <= 0:
            return None
        apart = bound - first + equal
        # The number of steps until the smaller number reaches the bound, rounded up.
        count: Dim = (apart + step - 1) // step
        return count if self.facts.is_at_least(count, 0) is True else dim_max(count, 0)

    def _is_entry_condition(self, name: str) -> bool:
        """Return whether a name is the condition that the step got as its input, which is true in every step that runs."""
        while name in self.makers and self.makers[name].op_type == "Identity":
            name = self.makers[name].input[0]
        return bool(name == self.goes)

    def _fit_line(self, name: str) -> tuple[Any, Any] | None:
        """Return a number in the first step, and its growth in each further step. None if it does not grow by a constant."""
        used = self._find_states(name)
        if used is None:
            return None
        values, known = list[Any](), {state: self.states[state] for state in used}
        for number in range(2):
            items = self.evaluate([name, *(self.after[state] for state in used)], Known(np.asarray(number)), known)
            if (value := _single_value(items[0])) is None:
                return None
            values.append(value)
            known = dict(zip(used, items[1:], strict=True))
        return values[0], values[1] - values[0]

    def _find_states(self, name: str) -> list[str] | None:
        """Return the states that a number is computed from by sums with constants. None if it is computed in another way."""
        result: list[str] = []
        stack, seen = [name], set[str]()
        while stack:
            name = stack.pop()
            if name in seen or name == self.step:
                continue
            seen.add(name)
            if name == self.goes:
                return None
            if name in self.states:
                result.append(name)
                stack.append(self.after[name])
            elif name in self.makers:
                node = self.makers[name]
                if node.op_type not in _LINEAR or read_attributes(node).get("to") == onnx.TensorProto.BOOL:
                    return None
                stack += [part for part in node.input if part]
        return result


def _single_value(item: Item) -> Any:
    """Return the integer or size of an item. None if it has several, or a fraction."""
    items = as_objects(item)
    if items is None or items.size != 1:
        return None
    value = items.reshape(-1)[0]
    if isinstance(value, SizeRatio):
        return value.top if value.bottom == 1 else None
    return None if isinstance(value, bool) else value
