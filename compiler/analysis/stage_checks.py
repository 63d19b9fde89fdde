"""Check the stages that some sizes of the inputs break: a window longer than its axis, a slice of negative length.

A symbolic axis may be shorter than a stage needs, and the compiler cannot know: `input 4xT -> max_pool 6` is valid for every T from 6 on.
For a smaller T, PyTorch raises an error or gives another result, and ONNX Runtime has rules of its own. So the type rule of the stage runs
again with the sizes of the real inputs. Sizes that it refuses as literals in a text are refused here with the same message.

In: the graphs of a program, with the facts about their sizes; then sizes. Out: nothing, or a ValueError with the message of the rule.
Always: a stage is checked only if its rule asked a question that the facts do not answer. For an empty batch, which the facts exclude, all
stages that depend on sizes are checked.

    >>> import netc
    >>> program = netc.compile("input 4xT -> max_pool 6").program
    >>> (stage,) = collect_sized_stages(program.main, program.facts)
    >>> stage.check_sizes({"N": 1, "T": 6})
    >>> stage.check_sizes({"N": 1, "T": 5})
    Traceback (most recent call last):
    ValueError: the kernel of `max_pool` covers 6 elements, but axis 2 of [1, 4, 5] has only 5, where N is 1, T is 5
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from netc.dsl.record import Record

from ..dims import Dim, Facts, SymDim, evaluate_dim, free_symbols, substitute_symbols
from ..errors.operator_errors import EmptyResult
from ..ir.graph import Graph, OpNode
from ..ir.walk import collect_graphs
from ..ops.operator import Operator, OperatorError
from ..types.tensor_types import TensorType, show_shape
from .where_checks import list_sizes

Types = tuple[TensorType, ...]


class _WatchedFacts(Facts):
    """The facts of a program, which call `record` for each question that they cannot answer."""

    record: Callable[[], None] = lambda: None

    def are_equal(self, a: Dim, b: Dim) -> bool | None:
        return self._record_unknown(Facts.are_equal(self, a, b))

    def is_at_least(self, a: Dim, b: Dim) -> bool | None:
        return self._record_unknown(Facts.is_at_least(self, a, b))

    def divides(self, k: Dim, a: Dim) -> bool | None:
        return self._record_unknown(Facts.divides(self, k, a))

    def _record_unknown(self, answer: bool | None) -> bool | None:
        if answer is None:
            self.record()
        return answer


class SizedStage(Record):
    """A use of an operator whose types depend on sizes. `is_open`: sizes within their bounds may break it."""

    op: Operator
    inputs: Types
    outputs: Types
    is_open: bool

    def used_symbols(self) -> frozenset[str]:
        return frozenset(n for type_ in (*self.inputs, *self.outputs) for d in type_.shape for n in free_symbols(d))

    def check_sizes(self, sizes: Mapping[str, int]) -> None:
        """Raise ValueError for sizes with which the stage cannot be computed. Passes if some of its symbols have no size."""
        names = sorted(self.used_symbols())
        # Some names do not follow from the sizes of the inputs.
        if not sizes.keys() >= set(names):
            return
        inputs = tuple(_resolve_type(type_, sizes) for type_ in self.inputs)
        if any(size < 0 for type_ in inputs for size in type_.shape):
            return  # the stage that made this input is reported
        outputs = tuple(_resolve_type(type_, sizes) for type_ in self.outputs)
        why = self._rule_message(inputs, sizes) or _negative_size(self.op.name, outputs)
        if why:
            raise ValueError(f"{why}, where {list_sizes(names, sizes)}")

    def _rule_message(self, inputs: Types, sizes: Mapping[str, int]) -> str:
        """Return the message of the type rule for these sizes; empty if it accepts them. A result without elements is an error in a text,
        where nobody means it. At run time, it is an error only if PyTorch needs elements."""
        op = type(self.op)(**{name: _resolve_sizes(value, sizes) for name, value in self.op.args.items()})
        try:
            # All sizes are numbers now, so that nothing is left to prove.
            op.check_and_infer(op.bind_inputs(inputs, Facts.empty()))
        except OperatorError as error:
            problem = error.problem
            return "" if isinstance(problem, EmptyResult) and not problem.needs_elements else problem.format_message()
        return ""


def collect_sized_stages(main: Graph, facts: Facts) -> tuple[SizedStage, ...]:
    """Collect the stages that depend on sizes, in order. Equal stages are collected once."""
    # A network of a thousand equal layers has a handful of distinct stages to check.
    stages: dict[SizedStage, None] = {}
    for graph in collect_graphs(main):
        for node in graph.nodes:
            if isinstance(node, OpNode) and any(_is_symbolic(value.type) for value in (*node.inputs, *node.outputs)):
                inputs, outputs = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
                stages[_make_stage(node.op, inputs, outputs, facts)] = None
    return tuple(stages)


def fix_sizes(stage: SizedStage, sizes: Mapping[str, Dim]) -> SizedStage:
    """Return the stage with some of its sizes fixed, to numbers or to symbols with other bounds. It may have no open question left."""
    inputs, outputs = (tuple(_substitute_sizes(type_, sizes) for type_ in types) for types in (stage.inputs, stage.outputs))
    arguments = {name: _substitute_argument(value, sizes) for name, value in stage.op.args.items()}
    return _make_stage(type(stage.op)(**arguments), inputs, outputs, Facts.empty())


def _make_stage(op: Operator, inputs: Types, outputs: Types, facts: Facts) -> SizedStage:
    unanswered: list[None] = []
    known = (facts.zeros, facts.nonzeros, facts.nonnegatives, facts.multiples, facts.choices)
    # The rule runs once more at the first check, only to learn which of its questions stay open.
    watched = _WatchedFacts(*known, record=lambda: unanswered.append(None))
    try:
        op.check_and_infer(op.bind_inputs(inputs, watched))
    except OperatorError:  # conversions have changed the element types of the node's inputs since its rule accepted them
        return SizedStage(op, inputs, outputs, True)
    # The rules of slices do not ask whether a length is negative.
    negative = any(facts.is_at_least(d, 0) is not True for type_ in outputs for d in type_.shape)
    return SizedStage(op, inputs, outputs, bool(unanswered) or negative)


def _is_symbolic(type_: TensorType) -> bool:
    return any(not isinstance(d, int) for d in type_.shape)


def _resolve_type(type_: TensorType, sizes: Mapping[str, int]) -> TensorType:
    return type_.with_shape(tuple(evaluate_dim(d, sizes) for d in type_.shape))


def _substitute_sizes(type_: TensorType, sizes: Mapping[str, Dim]) -> TensorType:
    return type_.with_shape(tuple(substitute_symbols(d, sizes) for d in type_.shape))


def _substitute_argument(value: Any, sizes: Mapping[str, Dim]) -> Any:
    if isinstance(value, SymDim):
        return substitute_symbols(value, sizes)
    return tuple(_substitute_argument(part, sizes) for part in value) if type(value) is tuple else value


def _resolve_sizes(value: Any, sizes: Mapping[str, int]) -> Any:
    """The argument with numbers in place of symbolic sizes."""
    if isinstance(value, SymDim):
        return evaluate_dim(value, sizes) if free_symbols(value) <= sizes.keys() else value
    return tuple(_resolve_sizes(part, sizes) for part in value) if type(value) is tuple else value


def _negative_size(operator: str, outputs: Iterable[TensorType]) -> str:
    """The message for the first axis of negative size; empty if there is none. Rules of slices do not look for one."""
    axes: Iterator[tuple[TensorType, int]] = (
        (t, axis) for t in outputs for axis, size in enumerate(t.shape) if isinstance(size, int) and size < 0
    )
    type_, axis = next(axes, (None, 0))
    return f"`{operator}` would make a tensor of shape {show_shape(type_.shape)}: axis {axis} would be negative" if type_ else ""
