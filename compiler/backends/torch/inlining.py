"""Which results of `forward` get a line of their own, and which stand inside the expression that takes them.

In: the steps of a body. Out: for every step, whether it is written where it is used. Always: only a result without a name that is used
once, at one place, is; a line holds about three operations; linear in the number of steps. What a person keeps together goes together: a
module and its normalisation and its activation, the operands of a sum; what begins something new, such as the next layer, begins a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from .classes import Step, StepInfo

LOOSE = 1
"""A bond that only holds where something new begins."""
SIDE = 9
"""The bond of a layer's result with a function that takes several. Such a layer weighs half."""
PATIENCE = 14
"""How much weight fits on a line: three calls and an operation or two between them."""
COLUMNS = 84
"""How long an expression may get by taking others in."""


class Uses:
    """How often, and by which step, each tensor of a body is used; steps that nothing comes of are dead."""

    def __init__(self, steps: Sequence[Step], references: Sequence[Sequence[int]], tensors: int) -> None:
        self.counts = [_counted(r, s.loop is not None) for r, s in zip(references, steps, strict=True)]
        self.total = [0] * tensors
        self.alive = [False] * len(steps)
        for index in range(len(steps) - 1, -1, -1):
            if index == len(steps) - 1 or any(self.total[o] for o in steps[index].outputs):
                self.alive[index] = True
                for tensor, count in self.counts[index].items():
                    self.total[tensor] += count


def _counted(references: Sequence[int], looped: bool) -> dict[int, int]:
    """How often each tensor occurs; twice as often in a loop, since it is used again and again."""
    counts: dict[int, int] = {}
    for index in references:
        counts[index] = counts.get(index, 0) + (2 if looped else 1)
    return counts


def nested(steps: Sequence[Step], names: Sequence[str], uses: Uses, widths: Sequence[int]) -> list[bool]:
    """For every step, whether it stands inside the step that takes its result. `names`: those of the tensors; `widths`: the length of
    each step's own code."""
    return _Grouping(steps, names, uses, widths).run()


class _Grouping:
    def __init__(self, steps: Sequence[Step], names: Sequence[str], uses: Uses, widths: Sequence[int]) -> None:
        self.steps, self.names, self.uses, self.widths = steps, names, uses, widths
        self.maker = {s.outputs[0]: i for i, s in enumerate(steps) if len(s.outputs) == 1 and s.loop is None}
        self.inside: list[dict[int, int]] = [{} for _ in steps]
        """For every step, those nested in it, with the strength of the bond."""
        self.nested = [False] * len(steps)

    def run(self) -> list[bool]:
        for index, step in enumerate(self.steps):
            if self.uses.alive[index] and step.loop is None:
                self._take(index, step)
        return self.nested

    def _take(self, index: int, step: Step) -> None:
        bonds: list[tuple[int, int]] = []
        for tensor, count in self.uses.counts[index].items():
            maker = self.maker.get(tensor)
            if maker is None or count != 1 or self.uses.total[tensor] != 1 or self.names[tensor]:
                continue
            strength = SIDE if self._is_side(maker, step, index) else bond(self.steps[maker].traits, step.traits)
            if step.traits.parametric and not self.steps[maker].traits.parametric and self._has_layer(maker):
                continue
            if strength > LOOSE or (strength and not self._flows(maker)):
                bonds.append((-strength, maker))
        for strength, maker in sorted(bonds):
            self._join(index, maker, -strength)
        sides = [maker for strength, maker in bonds if -strength == SIDE]
        if not all(self.nested[maker] for maker in sides):
            for maker in sides:
                self.inside[index].pop(maker, None)
                self.nested[maker] = False

    def _is_side(self, maker: int, step: Step, index: int) -> bool:
        """Whether it is one of several layers whose results a function such as `torch.cat` takes: all of them stand in it, or none."""
        several = len(self.uses.counts[index]) > 1 and step.traits.form == "call" and not step.traits.module
        return several and (self.steps[maker].traits.call or self.steps[maker].traits.parametric)

    def _has_layer(self, maker: int) -> bool:
        """Whether a layer with parameters stands inside: what it gives is then worth a line before the next layer."""
        stack = [maker]
        while stack:
            at = stack.pop()
            if self.steps[at].traits.parametric:
                return True
            stack.extend(self.inside[at])
        return False

    def _flows(self, maker: int) -> bool:
        """Whether what it takes is only on its way: a result without a name that nothing else takes."""
        return any(self.uses.total[t] == 1 and t in self.maker and not self.names[t] for t in self.uses.counts[maker])

    def _join(self, index: int, maker: int, strength: int) -> None:
        if not self._fits(index, maker, strength):
            weakest = self._weakest(maker, strength)
            if weakest is None:
                return
            holder, part = weakest
            kept = self.inside[holder].pop(part)
            if not self._fits(index, maker, strength):
                self.inside[holder][part] = kept
                return
            self.nested[part] = False
        self.inside[index][maker] = strength
        self.nested[maker] = True

    def _fits(self, index: int, maker: int, strength: int) -> bool:
        weight, width = -2 * (strength == SIDE), 0
        stack = [index, maker]
        while stack:
            at = stack.pop()
            weight += self.steps[at].traits.weight - sum(bond == SIDE for bond in self.inside[at].values()) * 2
            width += self.widths[at]
            stack.extend(self.inside[at])
        return weight <= PATIENCE and width <= COLUMNS

    def _weakest(self, maker: int, strength: int) -> tuple[int, int] | None:
        """The weakest bond below `maker` that is weaker than `strength`: (holder, part)."""
        best: tuple[int, int] | None = None
        stack = [maker]
        while stack:
            at = stack.pop()
            for part, found in self.inside[at].items():
                stack.append(part)
                if found < strength and found != SIDE:
                    best, strength = (at, part), found
        return best


def bond(maker: StepInfo, taker: StepInfo) -> int:
    """How well `maker` stands inside `taker`: 0 for not at all."""
    if taker.form in ("infix", "return"):
        return 4 if taker.form == "infix" else 7
    if taker.activation and not taker.parametric:
        return 2 if maker.call else 6
    if taker.parametric:
        return _into_layer(maker, taker)
    if taker.module:
        return 5 if maker.form != "infix" else 2
    if maker.call:
        return 0
    if taker.form in ("method", "other"):
        return 4
    if maker.activation:
        return 2
    return 1 if maker.parametric else 3


def _into_layer(maker: StepInfo, taker: StepInfo) -> int:
    """The bond of what a layer with parameters, or a block, takes."""
    if maker.call or maker.activation or maker.operator == taker.operator:
        return 0
    if maker.parametric:
        return 5
    return 2 if maker.form in ("method", "infix") and not taker.call else 1
