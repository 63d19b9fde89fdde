"""Find what the outputs of a model mean, from the losses of the section that trains it.

In: a train section. Out: an `OutputSignature` for each output whose meaning the losses tell. Always: a meaning is derived only through
operators that are known to keep or to change it; any other output is numbers under its own name. Metrics, and statements that no loss
needs, change no meaning.

For example, with `loss = (scores, kind) -> cross_entropy`, the output `scores` has a score for each class, and a second output
`scores -> softmax axis=1` has the probabilities. With `loss = (guess, (price - 200_000) / 40_000) -> mse_loss`, the price is
`guess * 40_000 + 200_000`.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "kind = input [] int64; loss = (scores, kind) -> cross_entropy; optimizer sgd"
    >>> training = analyze_training(SourceFile("<text>", f"scores = input 4 -> dense 3; train {{ {section} }}"), Choice()).training
    >>> [(output.name, output.task, output.target) for output in find_output_tasks(training)]
    [('scores', 'classes', 'kind')]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any

from netc.compiler.dims import Dim
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.compiler.ir.walk import find_needed_nodes
from netc.compiler.ops.shape import Permute, Transpose
from netc.compiler.types.tensor_types import Shape
from netc.dsl.record import Record, replace

from .model_signature import (
    BINARY,
    CLASSES,
    LABEL,
    LOG_CLASSES,
    NOT_A_LABEL,
    PROBABILITIES,
    PROBABILITY,
    SCORED,
    VALUE,
    OutputSignature,
    Step,
)

_LOSSES = {
    "cross_entropy": CLASSES,
    "nll_loss": LOG_CLASSES,
    "binary_cross_entropy_with_logits": BINARY,
    "binary_cross_entropy": PROBABILITY,
    "mse_loss": VALUE,
    "l1_loss": VALUE,
    "smooth_l1_loss": VALUE,
    "huber_loss": VALUE,
}
"""The task of an output that one of these losses compares with a target."""
_KEEPS_MEANING = frozenset(("cast", "squeeze", "unsqueeze", "reshape", "flatten"))
"""Operators that change the type or the shape of a tensor, but not the meaning of its numbers."""
_MOVES_AXES = (Permute, Transpose)
_DERIVED = {
    (CLASSES, "softmax"): PROBABILITIES,
    (CLASSES, "log_softmax"): LOG_CLASSES,
    (CLASSES, "argmax"): LABEL,
    (PROBABILITIES, "log"): LOG_CLASSES,
    (PROBABILITIES, "argmax"): LABEL,
    (LOG_CLASSES, "exp"): PROBABILITIES,
    (LOG_CLASSES, "argmax"): LABEL,
    (BINARY, "sigmoid"): PROBABILITY,
}
"""The task of an operator's output, by the task of its input."""
# without labels, because `argmax` of three different tasks gives one
_SOURCES = {(task, operator): before for (before, operator), task in _DERIVED.items() if task != LABEL}
"""The task of an operator's input, by the task of its output."""
_INVERSES = {"add": "sub", "sub": "add", "mul": "div", "div": "mul", "exp": "log", "log": "exp", "log1p": "expm1", "expm1": "log1p"}
"""The operators of a `Step`, each with its inverse. Only the first four take a number."""

Producers = Mapping[int, OpNode]


class _Meaning(Record):
    """A tensor that predicts the target of a loss. If the task has classes, they are along `axis`."""

    value: Value
    task: str
    axis: int


class _Origin(Record):
    """A tensor, and the steps from its numbers to the numbers of another tensor."""

    value: Value
    steps: tuple[Step, ...]


def find_output_tasks(training: Training) -> Iterator[OutputSignature]:
    """Yield the outputs of the model that the losses compare with one input of the section. `target` is the name of that input.

    An output that is compared with two inputs, or in two ways that make its numbers mean different things, means neither.
    """
    compared: dict[str, list[OutputSignature]] = {}
    for output in list_comparisons(training):
        compared.setdefault(output.name, []).append(output)
    for first, *others in compared.values():
        # a label that one loss ignores is learned from the other
        ignored = first.ignored if all(other.ignored == first.ignored for other in others) else NOT_A_LABEL
        if all(replace(other, ignored=first.ignored) == first for other in others):
            yield replace(first, ignored=ignored)


def list_comparisons(training: Training) -> Iterator[OutputSignature]:
    """Yield an output for each time that a loss compares it with an input of the section. A metric gives an output no meaning."""
    call, main = training.model_call, training.program.main
    inner = {id(outer): value for outer, value in zip(call.outputs, call.graph.outputs, strict=True)}
    outer_producers, inner_producers = _map_producers(main.nodes), _map_producers(call.graph.nodes)
    inputs = {id(value): value.name for value in main.inputs}
    for node in find_needed_nodes(main.nodes, main.outputs[: len(training.losses)]):
        if not isinstance(node, OpNode) or node.op.name not in _LOSSES:
            continue
        task = _LOSSES[node.op.name]
        # arithmetic can be undone for values, but it would change what scores and labels mean
        can_compute = task == VALUE
        guess = _trace_origin(node.inputs[0], outer_producers) if can_compute else _Origin(node.inputs[0], ())
        target = _trace_origin(node.inputs[1], outer_producers, can_compute)
        # with a target of floats, `cross_entropy` compares probabilities, and no number names a class
        is_distribution = node.op.name == "cross_entropy" and node.inputs[1].type.dtype.is_float
        if id(target.value) not in inputs or is_distribution:
            continue
        meaning = _trace_meaning(guess.value, task, outer_producers, inner)
        if meaning is None:
            continue
        known = {id(source.value): source for source in _list_sources(meaning, inner_producers)}
        ignored = int(node.op.args.get("ignore_index", NOT_A_LABEL))
        # the loss compares f(output) with g(target), so the target is the inverse of g of f(output)
        steps = (*guess.steps, *((_INVERSES[name], number) for name, number in reversed(target.steps)))
        for value, name in zip(call.graph.outputs, call.graph.output_names, strict=True):
            derived = _derive_meaning(value, known, inner_producers)
            if derived is not None:
                yield OutputSignature(name, derived.task, inputs[id(target.value)], axis=derived.axis, steps=steps, ignored=ignored)


def _map_producers(nodes: Iterable[Any]) -> Producers:
    return {id(value): node for node in nodes if isinstance(node, OpNode) for value in node.outputs}


def _trace_origin(value: Value, producers: Producers, can_compute: bool = True) -> _Origin:
    """Go back from an argument of a loss to the tensor that it is computed from. `can_compute`: also through arithmetic with a number.

    Never through a transpose: the numbers would be in another order than in a table of predictions.
    """
    steps: list[Step] = []
    while (node := producers.get(id(value))) is not None:
        new_steps = _list_steps(node) if can_compute else None
        if node.op.name not in _KEEPS_MEANING and new_steps is None:
            break
        # the walk goes backwards, so these steps come before the known ones
        steps[:0] = new_steps or ()
        value = node.inputs[0]
    return _Origin(value, tuple(steps))


def _list_steps(node: OpNode) -> tuple[Step, ...] | None:
    """Return the steps that an operator with one input computes, None if it has no inverse."""
    name = node.op.name
    if name == "neg":
        return (("mul", -1.0),)
    if name not in _INVERSES or len(node.inputs) != 1:
        return None
    if not node.op.scalars:
        return ((name, 0.0),)
    (number,) = node.op.scalars
    # a symbolic size has no number yet, and a product with 0 has no inverse
    if not isinstance(number, (int, float)) or (name in ("mul", "div") and number == 0):
        return None
    if not node.op.number_first or name in ("add", "mul"):
        return ((name, float(number)),)
    # the number comes first: `5 - x` is `x * -1 + 5`, and `5 / x` is no step
    return (("mul", -1.0), ("add", float(number))) if name == "sub" else None


def _trace_meaning(value: Value, task: str, producers: Producers, inner: Mapping[int, Value]) -> _Meaning | None:
    """Go back from the argument of a loss to an output of the model: from `scores -> log_softmax` to `scores`. Return its meaning, with the
    tensor of the model's own graph. PyTorch's losses have the classes on axis 1."""
    *_, last = _list_sources(_Meaning(value, task, 1), producers)
    return replace(last, value=inner[id(last.value)]) if id(last.value) in inner else None


def _list_sources(meaning: _Meaning, producers: Producers) -> Iterator[_Meaning]:
    """Yield the meaning of a tensor, and of the tensors that it is computed from, as far as they have one."""
    yield meaning
    while (node := producers.get(id(meaning.value))) is not None:
        has_classes = meaning.task in SCORED
        is_kept = node.op.name in _KEEPS_MEANING or (has_classes and isinstance(node.op, _MOVES_AXES))
        task = meaning.task if is_kept else _SOURCES.get((meaning.task, node.op.name))
        axis = _find_axis_before(node, meaning.axis) if has_classes else meaning.axis
        if task is None or axis is None:
            return
        meaning = _Meaning(node.inputs[0], task, axis)
        yield meaning


def _derive_meaning(value: Value, known: Mapping[int, _Meaning], producers: Producers) -> _Meaning | None:
    """Return the meaning of a tensor that is computed from one whose meaning is known."""
    if id(value) in known:
        return known[id(value)]
    node = producers.get(id(value))
    if node is None or not node.inputs:
        return None
    before = _derive_meaning(node.inputs[0], known, producers)
    if before is None:
        return None
    if node.op.name in _KEEPS_MEANING:
        axis = _match_axis(before.value.type.shape, value.type.shape, before.axis) if before.task in SCORED else before.axis
        return None if axis is None else _Meaning(value, before.task, axis)
    rank = len(before.value.type.shape)
    own_axis = getattr(node.op, "axis", None)
    # a softmax along another axis gives no probabilities of classes
    is_along_classes = own_axis is None or (isinstance(own_axis, int) and own_axis % rank == before.axis)
    task = _DERIVED.get((before.task, node.op.name)) if is_along_classes else None
    return None if task is None else _Meaning(value, task, before.axis)


def _find_axis_before(node: OpNode, axis: int) -> int | None:
    """Return the axis of the classes in an operator's input, by their axis in its output. None if no axis has them, or if the operator
    also swaps other axes, so that the positions are in another order than in the target."""
    source, result = node.inputs[0].type, node.outputs[0].type
    if not isinstance(node.op, _MOVES_AXES):
        return _match_axis(result.shape, source.shape, axis)
    order = list(node.op.axis_order(source))
    moved = order.pop(axis)
    return moved if order == sorted(order) else None


def _match_axis(shape: Shape, other: Shape, axis: int) -> int | None:
    """Return the axis of another shape of the same elements that holds the same groups of them, None if there is none.

    For example, the classes of `[N * T, V]` on axis 1 are on axis 2 of `[N, T, V]`, and on no axis of `[N * T * V]`.
    """
    groups = _measure_axis(shape, axis)
    return next((i for i in range(len(other)) if _measure_axis(other, i) == groups), None)


def _measure_axis(shape: Shape, axis: int) -> tuple[Dim, Dim, Dim]:
    """Return the size of an axis, and how many elements are before and after it."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
