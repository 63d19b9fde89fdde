"""Prepares the steps of a body for `forward`.

In: the steps of a body. Out: steps in which parameters need no variables, equal computations run once, and several results that one other
step takes in a row are one tuple (`*x.chunk(3, dim=-1)`). Always: the last step is the `return`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from itertools import chain

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ..code.class_tree import ListComp, MemberRef, Starred, ValueRef
from ..code.classes import ClassBody, ScanCode, Step, StepInfo
from ..code.python_expressions import AttributeCode, CallCode, Code, Method, NestedResults, Subscript, TupleCode
from .cse import LetExpander, merge_equal_steps

RETURN = StepInfo("return", kind="return")
JOIN = StepInfo("tuple", kind="other")
"""The properties of a step that makes the tuple of a branch's results, which may exist already."""


class ForwardSteps:
    """The prepared steps. `names` has the names of the tensors, then the names of packed results."""

    def __init__(self, body: ClassBody) -> None:
        self.names = list(body.names)
        self.inputs = body.inputs
        self.whole: set[int] = set()
        """The numbers that are tuples of tensors."""
        result = make_result(body.outputs)
        bound = LetExpander(self.names)
        self.tentative = bound.tentative
        """The numbers of tensors whose names are only hints."""
        self.steps = self._prepare_steps([*body.steps, Step(result, (), RETURN)], bound)
        self.references = [list_references(s.code) for s in self.steps]
        # Packing changes how often tensors are referred to, so the references are listed again if anything was packed.
        totals = Counter(chain.from_iterable(self.references))
        if self._pack_results(totals):
            self.references = [list_references(s.code) for s in self.steps]
        self._unname_result(totals)

    def _prepare_steps(self, steps: Sequence[Step], bound: LetExpander) -> list[Step]:
        """Return the steps, and the steps in each loop, without those that need no line."""
        return [
            self._prepare_scan(step, bound)
            for step in merge_equal_steps(bound.expand_steps(_splice_tuples(_inline_plain(steps))), self.names)
        ]

    def _prepare_scan(self, step: Step, bound: LetExpander) -> Step:
        if not isinstance(step.code, ScanCode):
            return step
        return replace(step, code=replace(step.code, steps=tuple(self._prepare_steps(step.code.steps, bound))))

    def _pack_results(self, totals: Counter[int]) -> bool:
        several = (i for i, s in enumerate(self.steps) if len(s.outputs) > 1 and not s.repeats and not isinstance(s.code, NestedResults))
        # Only results that are used once and have no names: a name of the spec must stay a variable.
        makers = {self.steps[i].outputs[0]: i for i in several}
        makers = {first: i for first, i in makers.items() if all(totals[o] == 1 and not self.names[o] for o in self.steps[i].outputs)}
        if not makers:
            return False
        for index, step in enumerate(self.steps):
            if step.loop is None:
                code = rewrite_downward(step.code, lambda part: self._pack_part(part, makers))
                self.steps[index] = replace(step, code=code)
        return True

    def _pack_part(self, part: Code, makers: dict[int, int]) -> Code | None:
        match part:
            case TupleCode((ValueRef(first), *_) as items) if first in makers and self._matches_outputs(items, makers[first]):
                packed = self._pack_outputs(makers.pop(first))
                # `forward` promises a tuple; a comprehension gives a list, which is fine inside but not as the result.
                return CallCode("tuple", (packed,)) if self._is_list_comprehension(packed) and part is self.steps[-1].code else packed
            case CallCode(function, args, kwargs):
                starred = self._star_arguments(args, makers)
                return None if starred is None else CallCode(function, starred, kwargs)
            case Method(target, name, args, kwargs):
                starred = self._star_arguments(args, makers)
                return None if starred is None else Method(target, name, starred, kwargs)
        return None

    def _star_arguments(self, args: tuple[Code, ...], makers: dict[int, int]) -> tuple[Code, ...] | None:
        for position, arg in enumerate(args):
            if isinstance(arg, ValueRef) and arg.index in makers:
                count = len(self.steps[makers[arg.index]].outputs)
                if self._matches_outputs(args[position : position + count], makers[arg.index]):
                    starred = Starred(self._pack_outputs(makers.pop(arg.index)))
                    return (*args[:position], starred, *args[position + count :])
        return None

    def _matches_outputs(self, items: tuple[Code, ...], maker: int) -> bool:
        return items == tuple(ValueRef(o) for o in self.steps[maker].outputs)

    def _pack_outputs(self, maker: int) -> ValueRef:
        step = self.steps[maker]
        self.names.append("")
        self.whole.add(len(self.names) - 1)
        self.steps[maker] = replace(step, outputs=(len(self.names) - 1,))
        return ValueRef(len(self.names) - 1)

    def _is_list_comprehension(self, packed: ValueRef) -> bool:
        return any(s.outputs == (packed.index,) and isinstance(s.code, ListComp) for s in self.steps)

    def _unname_result(self, totals: Counter[int]) -> None:
        """Remove the name of the body's only result if it is just returned: `return self.head(x)`."""
        result = self.steps[-1].code
        if isinstance(result, ValueRef) and result.index >= self.inputs and totals[result.index] == 1:
            self.names[result.index] = ""


def make_result(outputs: tuple[Code, ...]) -> Code:
    """Return the code of the results: a single one by itself, several as a tuple."""
    return outputs[0] if len(outputs) == 1 and not isinstance(outputs[0], Starred) else TupleCode(outputs)


def convert_lists(code: Code, lists: Container[int]) -> Code:
    """Return the results with lists converted to tuples. `lists`: the numbers of the tensors that are lists, collected by loops."""

    def change(part: Code) -> Code | None:
        return CallCode("tuple", (part,)) if isinstance(part, ValueRef) and part.index in lists else None

    items = code.items if isinstance(code, TupleCode) else (code,)
    converted = tuple(change(item) or item for item in items)
    return TupleCode(converted) if isinstance(code, TupleCode) else converted[0]


def list_references(code: Code) -> list[int]:
    """List the tensors in some code, each as often as it occurs, and twice as often in a comprehension, which evaluates it repeatedly."""
    again = [list_references(p.element) for p in walk_tree(code) if isinstance(p, ListComp)]
    return [*(p.index for p in walk_tree(code) if isinstance(p, ValueRef)), *chain.from_iterable(again)]


def _splice_tuples(steps: list[Step]) -> list[Step]:
    """Move a tuple that only another one contains into it."""
    tuples = {s.outputs[0]: s.code.items for s in steps if isinstance(s.code, TupleCode) and len(s.outputs) == 1 and not s.guards}
    if not tuples:
        return steps
    totals = Counter(chain.from_iterable(list_references(s.code) for s in steps))

    def items(item: Code) -> tuple[Code, ...]:
        match item:
            case Starred(ValueRef(index)) if totals[index] == 1 and index in tuples:
                return tuple(inner for part in tuples[index] for inner in items(part))
        return (item,)

    def change(part: Code) -> Code | None:
        match part:
            case TupleCode(several) if any(items(item) != (item,) for item in several):
                return TupleCode(tuple(rewrite_downward(inner, change) for item in several for inner in items(item)))
            case CallCode(function, several, kwargs) if any(items(item) != (item,) for item in several):
                return CallCode(function, tuple(rewrite_downward(inner, change) for item in several for inner in items(item)), kwargs)
        return None

    return [replace(s, code=rewrite_downward(s.code, change)) for s in steps]


def _inline_plain(steps: Sequence[Step]) -> list[Step]:
    """Write parameters where they are used, as `self.name`, except where a loop starts with one: it needs a variable to update. Also
    remove copies of tuples that exist already."""
    states = {tensor for s in steps if s.loop is not None for tensor in s.loop.states}
    inlined: dict[int, Code] = {}

    def change(part: Code) -> Code | None:
        return inlined.get(part.index) if isinstance(part, ValueRef) else None

    for step in steps:
        if step.outputs and step.outputs[0] not in states and _needs_no_line(step):
            inlined[step.outputs[0]] = rewrite_downward(step.code, change)
    if not inlined:
        return list(steps)
    return [replace(s, code=rewrite_downward(s.code, change)) for s in steps if not (s.traits == JOIN and s.outputs[0] in inlined)]


def _needs_no_line(step: Step) -> bool:
    match step.code:
        case (
            MemberRef() | AttributeCode(MemberRef()) | Subscript(MemberRef())
        ):  # a parameter or a constant: `self.scale`, `self.steps.value`
            return True
        case ValueRef():
            return step.traits == JOIN and not step.guards
    return False
