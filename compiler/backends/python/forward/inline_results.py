"""Decides which results of `forward` get a line of their own, and which are written inside the expression that takes them.

In: the steps of a body. Out: for every step, whether it is written where it is used: `x = self.relu(self.norm(self.conv(x)))` has two
nested steps. Always: only a result without a name that is used and written exactly once is nested. A line has about three operations. The
work is linear in the number of steps. Operations that a person writes together stay together: a module, its normalization and its
activation, or the operands of a sum. The next layer begins a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.trees import walk_tree

from ..code.class_tree import OptionalCall, ValueRef
from ..code.classes import Step, StepInfo
from ..code.python_expressions import NestedResults

WEAK = 1
"""The bond that is used only at the beginning of a chain."""
PARALLEL = 9
"""The bond between a layer's result and a function that takes several. Such a layer counts half. The operands with layers in them are
all inlined, or none of them."""
LINE_WEIGHT = 14
"""The greatest weight of a line: three calls and an operation or two between them."""
LINE_WIDTH = 92
"""The length of an expression up to which others are nested in it."""


class TensorUses:
    """How often, and by which step, each tensor of a body is used; steps whose results are not used are dead."""

    def __init__(self, steps: Sequence[Step], references: Sequence[Sequence[int]], tensors: int) -> None:
        self.counts = [_count_references(r, s.repeats) for r, s in zip(references, steps, strict=True)]
        self.total = [0] * tensors
        self.alive = [False] * len(steps)
        # Backwards, because a step is needed only if a later one takes one of its results.
        for index in range(len(steps) - 1, -1, -1):
            if steps[index].traits.kind == "return" or any(self.total[o] for o in steps[index].outputs):
                self.alive[index] = True
                for tensor, count in self.counts[index].items():
                    self.total[tensor] += count


def _count_references(references: Sequence[int], looped: bool) -> dict[int, int]:
    """Count the uses of each tensor, twice in a loop, which uses it repeatedly."""
    counts: dict[int, int] = {}
    for index in references:
        counts[index] = counts.get(index, 0) + (2 if looped else 1)
    return counts


def find_nested_steps(steps: Sequence[Step], names: Sequence[str], uses: TensorUses, widths: Sequence[int]) -> list[bool]:
    """Decide for every step whether it is written inside the step that takes its result. `names`: the tensors' names; `widths`: the length
    of each step's own code."""
    return _Inlining(steps, names, uses, widths).run()


class _Inlining:
    def __init__(self, steps: Sequence[Step], names: Sequence[str], uses: TensorUses, widths: Sequence[int]) -> None:
        self.steps, self.names, self.uses, self.widths = steps, names, uses, widths
        self.maker = {s.outputs[0]: i for i, s in enumerate(steps) if len(s.outputs) == 1 and not s.repeats and not _has_line(s)}
        self.inside: list[dict[int, int]] = [{} for _ in steps]
        """For every step, the steps nested in it, with the strength of the bond."""
        self.nested = [False] * len(steps)

    def run(self) -> list[bool]:
        for index, step in enumerate(self.steps):
            if self.uses.alive[index] and not step.repeats:
                self._nest_makers(index, step)
        return self.nested

    def _nest_makers(self, index: int, step: Step) -> None:
        bonds: list[tuple[int, int]] = []
        together: list[int] = []
        # `value if module is None else module(value)` is written with the value twice.
        twice = {p.value for p in walk_tree(step.code) if isinstance(p, OptionalCall)}
        several = len(self.uses.counts[index]) > 1 and step.traits.kind == "call" and not step.traits.module
        for tensor, count in self.uses.counts[index].items():
            maker = self.maker.get(tensor)
            if maker is None or count != 1 or self.uses.total[tensor] != 1 or self.names[tensor] or ValueRef(tensor) in twice:
                continue
            maker_traits = self.steps[maker].traits
            strength = PARALLEL if several and (maker_traits.call or maker_traits.parametric) else measure_bond(maker_traits, step.traits)
            # Two layers on one line would hide that the network has two.
            if step.traits.parametric and not maker_traits.parametric and self._has_layer(maker):
                continue
            if strength > WEAK or (strength and not self._is_passing(maker)):
                bonds.append((-strength, maker))
                if several and (maker_traits.call or self._has_layer(maker)):
                    together.append(maker)
        # The strongest bonds first: a line that is full leaves out the weakest.
        for strength, maker in sorted(bonds):
            self._nest_step(index, maker, -strength)
        # Operands with layers read well only side by side: either all of them are inlined or none.
        if not all(self.nested[maker] for maker in together):
            for maker in together:
                self.inside[index].pop(maker, None)
                self.nested[maker] = False

    def _has_layer(self, maker: int) -> bool:
        """Whether a layer with parameters is inside. Its result then gets a line before the next layer."""
        stack = [maker]
        while stack:
            index = stack.pop()
            if self.steps[index].traits.parametric:
                return True
            stack.extend(self.inside[index])
        return False

    def _is_passing(self, maker: int) -> bool:
        """Whether its input is an intermediate result: without a name, and used by nothing else."""
        return any(self.uses.total[t] == 1 and t in self.maker and not self.names[t] for t in self.uses.counts[maker])

    def _nest_step(self, index: int, maker: int, strength: int) -> None:
        if not self._fits_line(index, maker, strength):
            # A full line can gain by giving up its weakest bond: the part below it then begins a line of its own.
            weakest = self._find_weakest_bond(maker, strength)
            if weakest is None:
                return
            holder, part = weakest
            kept = self.inside[holder].pop(part)
            if not self._fits_line(index, maker, strength):
                self.inside[holder][part] = kept
                return
            self.nested[part] = False
        self.inside[index][maker] = strength
        self.nested[maker] = True

    def _fits_line(self, index: int, maker: int, strength: int) -> bool:
        weight, width = -2 * (strength == PARALLEL), 0
        stack = [index, maker]
        while stack:
            current = stack.pop()
            weight += self.steps[current].traits.weight - sum(bond == PARALLEL for bond in self.inside[current].values()) * 2
            width += self.widths[current]
            stack.extend(self.inside[current])
        return weight <= LINE_WEIGHT and width <= LINE_WIDTH

    def _find_weakest_bond(self, maker: int, strength: int) -> tuple[int, int] | None:
        """Return the weakest bond below `maker` that is weaker than `strength`, as (holder, part)."""
        best: tuple[int, int] | None = None
        stack = [maker]
        while stack:
            holder = stack.pop()
            for part, other_strength in self.inside[holder].items():
                stack.append(part)
                if other_strength < strength and other_strength != PARALLEL:
                    best, strength = (holder, part), other_strength
        return best


def _has_line(step: Step) -> bool:
    """Whether its result needs a line: the result of an `if`, or the only used one of several results (the others are `_`)."""
    return step.traits.either or isinstance(step.code, NestedResults)


def measure_bond(maker: StepInfo, taker: StepInfo) -> int:
    """Return how well `maker` reads inside `taker`: 0 for not at all."""
    if taker.kind in ("infix", "return"):
        return 4 if taker.kind == "infix" else 7
    if taker.activation and not taker.parametric:
        return 2 if maker.call else 6
    if taker.parametric:
        return _measure_layer_bond(maker, taker)
    if taker.module:
        return 5 if maker.kind != "infix" else 2
    if maker.call:
        return 0
    if taker.kind in ("method", "other"):
        return 4
    if maker.activation:
        return 2
    return 1 if maker.parametric else 3


def _measure_layer_bond(maker: StepInfo, taker: StepInfo) -> int:
    """Return the bond to a layer with parameters, or to a block."""
    # The same operator twice on a line, as two convolutions, is a stack of layers: each gets its line.
    if maker.call or maker.activation or maker.operator == taker.operator:
        return 0
    if maker.parametric:
        return 5
    return 2 if maker.kind in ("method", "infix") and not taker.call else 1
