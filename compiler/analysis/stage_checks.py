"""Stages that some sizes of the inputs break: a window that is longer than its axis, a slice of less than nothing.

A symbolic axis may be shorter than a stage needs, which the compiler cannot know: `input 4xT -> max_pool 6` is right for all T but those
below 6. PyTorch refuses them when it runs, or makes something else of them, and ONNX Runtime has rules of its own. So the rule of the stage
is asked again, with the sizes that came: what it refuses for numbers, it refuses here.

In: the graphs of a program, with what is known of their sizes; then sizes. Out: nothing, or a ValueError with the message of the rule.
Always: only stages are asked whose rule asked something that the facts do not answer; of an empty batch, which facts exclude, all stages
that depend on sizes are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from netc.dsl.record import Record

from ..dims import Dim, Facts, SymDim, evaluate, symbols
from ..errors.operators import EmptyResult
from ..ir.graph import Graph, OpNode
from ..ir.types import TensorType, show_shape
from ..ir.walk import graphs
from ..ops.base import Operator, OperatorError
from .where_checks import list_sizes

Types = tuple[TensorType, ...]


class _WatchedFacts(Facts):
    """The same facts, which call `record` for each question that they cannot answer."""

    record: Callable[[], None] = lambda: None

    def equal(self, a: Dim, b: Dim) -> bool | None:
        return self._watch(Facts.equal(self, a, b))

    def at_least(self, a: Dim, b: Dim) -> bool | None:
        return self._watch(Facts.at_least(self, a, b))

    def divides(self, k: Dim, a: Dim) -> bool | None:
        return self._watch(Facts.divides(self, k, a))

    def _watch(self, answer: bool | None) -> bool | None:
        if answer is None:
            self.record()
        return answer


class SizedStage(Record):
    """A use of an operator whose types depend on sizes. `is_open`: some sizes within their bounds may break it."""

    op: Operator
    inputs: Types
    outputs: Types
    is_open: bool

    def symbols(self) -> frozenset[str]:
        return frozenset(n for type_ in (*self.inputs, *self.outputs) for d in type_.shape for n in symbols(d))

    def check(self, sizes: Mapping[str, int]) -> None:
        """Raises ValueError for sizes that the stage cannot be computed with. Of names that have no size, nothing is known."""
        names = sorted(self.symbols())
        if not sizes.keys() >= set(names):
            return
        inputs = tuple(_sized(type_, sizes) for type_ in self.inputs)
        if any(size < 0 for type_ in inputs for size in type_.shape):
            return  # what made it is reported
        outputs = tuple(_sized(type_, sizes) for type_ in self.outputs)
        why = self._refusal(inputs, sizes) or _negative(self.op.name, outputs)
        if why:
            raise ValueError(f"{why}, where {list_sizes(names, sizes)}")

    def _refusal(self, inputs: Types, sizes: Mapping[str, int]) -> str:
        """What the rule says of numbers; empty if it accepts them."""
        op = type(self.op)(**{name: _resolved(value, sizes) for name, value in self.op.args.items()})
        try:
            op.infer(op.bind(inputs, Facts.nothing()))
        except OperatorError as error:
            problem = error.problem
            return "" if isinstance(problem, EmptyResult) and not problem.needs_elements else problem.message()
        return ""


def sized_stages(main: Graph, facts: Facts) -> tuple[SizedStage, ...]:
    """The stages that depend on sizes, in order; equal ones once."""
    found: dict[SizedStage, None] = {}
    for graph in graphs(main):
        for node in graph.nodes:
            if isinstance(node, OpNode) and any(_is_symbolic(value.type) for value in (*node.inputs, *node.outputs)):
                found[_stage_of(node, facts)] = None
    return tuple(found)


def _stage_of(node: OpNode, facts: Facts) -> SizedStage:
    inputs, outputs = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
    unanswered: list[None] = []
    known = (facts.zeros, facts.nonzeros, facts.nonnegatives, facts.multiples, facts.choices)
    watched = _WatchedFacts(*known, record=lambda: unanswered.append(None))
    try:
        node.op.infer(node.op.bind(inputs, watched))
    except OperatorError:  # of a node whose inputs were converted
        return SizedStage(node.op, inputs, outputs, True)
    negative = any(facts.at_least(d, 0) is not True for type_ in outputs for d in type_.shape)
    return SizedStage(node.op, inputs, outputs, bool(unanswered) or negative)


def _is_symbolic(type_: TensorType) -> bool:
    return any(not isinstance(d, int) for d in type_.shape)


def _sized(type_: TensorType, sizes: Mapping[str, int]) -> TensorType:
    return type_.with_shape(tuple(evaluate(d, sizes) for d in type_.shape))


def _resolved(value: Any, sizes: Mapping[str, int]) -> Any:
    """An argument with numbers for sizes."""
    if isinstance(value, SymDim):
        return evaluate(value, sizes) if symbols(value) <= sizes.keys() else value
    return tuple(_resolved(part, sizes) for part in value) if type(value) is tuple else value


def _negative(operator: str, outputs: Iterable[TensorType]) -> str:
    axes: Iterator[tuple[TensorType, int]] = (
        (t, axis) for t in outputs for axis, size in enumerate(t.shape) if isinstance(size, int) and size < 0
    )
    type_, axis = next(axes, (None, 0))
    return f"`{operator}` would make a tensor of shape {show_shape(type_.shape)}: axis {axis} would be negative" if type_ else ""
