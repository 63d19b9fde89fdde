"""Common subexpression elimination in `forward`.

In: the steps of a body. Out: steps in which each binding of a `LetCode` is a step of its own, only the first of equal steps is left, and
no step only copies its input: `a = x.sum(); b = x.sum(); y = a + b` becomes `a = x.sum(); y = a + a`. Always: a step that runs a module,
or may give another result each time, runs as often as in the spec. The order of the steps stays. The work is linear in the code of the
steps.
"""

from __future__ import annotations

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ..code.class_tree import ListComp, TrainingFlag, ValueRef
from ..code.classes import Step, StepInfo, classify_expression
from ..code.python_expressions import CallCode, Code, LetCode, Local, Method, NestedResults
from ..printing.code_widths import measure_width
from .inline_results import LINE_WIDTH


class LetExpander:
    """Turns bindings into steps. Adds the tensors of the bindings to `names` and, because their names are only hints, to `tentative`."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.tentative: set[int] = set()

    def expand_steps(self, steps: list[Step]) -> list[Step]:
        """Return the steps, with a step for each binding, and for each part of a method chain that is too long for a line."""
        bound = (
            expanded for step in steps for expanded in (self._expand_let(step, step.code) if isinstance(step.code, LetCode) else [step])
        )
        return [expanded for step in bound for expanded in self._split_method_chain(step)]

    def _split_method_chain(self, step: Step) -> list[Step]:
        steps = [step]
        while isinstance(step.code, Method) and isinstance(step.code.target, Method) and measure_width(step.code) > LINE_WIDTH:
            self.names.append("")
            inner = replace(step, code=step.code.target, outputs=(len(self.names) - 1,))
            steps[0] = replace(step, code=replace(step.code, target=ValueRef(inner.outputs[0])))
            steps.insert(0, inner)
            step = inner
        return steps

    def _expand_let(self, step: Step, let: LetCode) -> list[Step]:
        steps: list[Step] = []
        places: dict[str, int] = {}

        def placed(part: Code) -> Code | None:
            return ValueRef(places[part.name]) if isinstance(part, Local) else None

        for name, code in let.bindings:
            value = rewrite_downward(code, placed)
            places[name] = len(self.names)
            self.tentative.add(len(self.names))
            self.names.append(name)
            steps.append(Step(value, (places[name],), StepInfo(name, kind=classify_expression(value)), mode=step.mode, guards=step.guards))
        return [*steps, replace(step, code=rewrite_downward(let.result, placed))]


def merge_equal_steps(steps: list[Step], names: list[str]) -> list[Step]:
    """Keep the first of equal steps. It takes the name of another one if it has none."""
    known: dict[Code, Step] = {}
    instead: dict[int, int] = {}

    def change(part: Code) -> Code | None:
        return ValueRef(instead[part.index]) if isinstance(part, ValueRef) and part.index in instead else None

    remaining: list[Step] = []
    for step in steps:
        new = step
        if instead:
            loop = step.loop
            if loop is not None:
                loop = replace(loop, members=rewrite_downward(loop.members, change), states=tuple(instead.get(s, s) for s in loop.states))
            new = replace(step, code=rewrite_downward(step.code, change), loop=loop)
        if _is_pure(new):
            first = new.code.index if isinstance(new.code, ValueRef) else _find_first_result(known, new)
            # A copy of a tensor needs no step: its uses become uses of the tensor.
            if first != new.outputs[0]:
                instead[new.outputs[0]] = first
                names[first] = names[first] or names[new.outputs[0]]
                continue
        remaining.append(new)
    return remaining


def _find_first_result(known: dict[Code, Step], step: Step) -> int:
    """Return the result of an equal step that has run whenever this one runs, or else of this one."""
    same = known.get(step.code)
    # A step inside an `if` has not run where the condition does not hold, so it can replace only steps in the same branch.
    if same is None or same.guards != step.guards[: len(same.guards)]:
        same = known[step.code] = step
    return same.outputs[0]


def _is_pure(step: Step) -> bool:
    """Whether repeating the step gives the same result, without side effects."""
    if len(step.outputs) != 1 or step.repeats or step.mode is not None:
        return False
    # A copy is pure, unless it is one side of an `if`: then it decides what the variable is.
    if isinstance(step.code, ValueRef):
        return not step.traits.either
    # A module may draw random numbers or update its buffers, so two calls of it are not one.
    if step.traits.module or step.traits.call:
        return False
    return not any(_has_effect(part) for part in walk_tree(step.code))


def _has_effect(part: object) -> bool:
    """Whether some code runs a module, draws random numbers in training, or gives several results."""
    if isinstance(part, CallCode):
        return not isinstance(part.function, str)
    return isinstance(part, (TrainingFlag, NestedResults, ListComp))
