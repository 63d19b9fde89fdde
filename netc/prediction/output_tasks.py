"""Find what the outputs of a model mean, from the loss of the section that trains it.

In: a train section. Out: an `OutputSignature` for each output whose meaning the loss tells. Always: a meaning is derived only through
operators that are known to keep or to change it; any other output is numbers under its own name.

For example, with `loss = (scores, kind) -> cross_entropy`, the output `scores` has a score for each class, and a second output
`scores -> softmax axis=1` has the probabilities. With `loss = (guess, (price - 200_000) / 40_000) -> mse_loss`, the price is
`guess * 40_000 + 200_000`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.compiler.ops.shape import Permute, Transpose
from netc.dsl.record import Record

from .model_signature import (
    BINARY,
    CLASSES,
    LABEL,
    LOG_CLASSES,
    NOT_A_LABEL,
    PROBABILITIES,
    PROBABILITY,
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


class _Origin(Record):
    """A tensor, and the steps from its numbers to the numbers of another tensor."""

    value: Value
    steps: tuple[Step, ...]


def find_output_tasks(training: Training) -> Iterator[OutputSignature]:
    """Yield the outputs of the model that a loss compares with an input of the section. `target` is the name of that input."""
    call, main = training.model_call, training.program.main
    inner = {id(outer): value for outer, value in zip(call.outputs, call.graph.outputs, strict=True)}
    outer_producers, inner_producers = _map_producers(main.nodes), _map_producers(call.graph.nodes)
    inputs = {id(value): value.name for value in main.inputs}
    for node in main.nodes:
        if not isinstance(node, OpNode) or node.op.name not in _LOSSES:
            continue
        task = _LOSSES[node.op.name]
        # arithmetic can be undone for values, but it would change what scores and labels mean
        guess, target = (_trace_origin(value, outer_producers, task == VALUE) for value in node.inputs[:2])
        # with a target of floats, `cross_entropy` compares probabilities, and no number names a class
        is_distribution = node.op.name == "cross_entropy" and node.inputs[1].type.dtype.is_float
        if id(target.value) not in inputs or is_distribution:
            continue
        guess_value, task = _trace_source(guess.value, task, outer_producers)
        if id(guess_value) not in inner:
            continue
        axis = _find_class_axis(guess_value, node.inputs[0], outer_producers)
        known = dict(_list_sources(inner[id(guess_value)], task, inner_producers))
        ignored = int(node.op.args.get("ignore_index", NOT_A_LABEL))
        # the loss compares f(output) with g(target), so the target is the inverse of g of f(output)
        steps = (*guess.steps, *((_INVERSES[name], number) for name, number in reversed(target.steps)))
        for value, name in zip(call.graph.outputs, call.graph.output_names, strict=True):
            derived = _derive_task(value, known, inner_producers, axis)
            if derived is not None:
                yield OutputSignature(name, derived, inputs[id(target.value)], axis=axis, steps=steps, ignored=ignored)


def _map_producers(nodes: Iterable[Any]) -> Producers:
    return {id(value): node for node in nodes if isinstance(node, OpNode) for value in node.outputs}


def _trace_origin(value: Value, producers: Producers, may_compute: bool) -> _Origin:
    """Go back from an argument of a loss to the tensor that it is computed from. `may_compute`: also through arithmetic with a number."""
    steps: list[Step] = []
    while (node := producers.get(id(value))) is not None:
        new_steps = _list_steps(node) if may_compute else None
        # Transposed values are in another order than the target, which a table of predictions would not show.
        if node.op.name not in _KEEPS_MEANING and new_steps is None and (may_compute or not isinstance(node.op, _MOVES_AXES)):
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


def _trace_source(value: Value, task: str, producers: Producers) -> tuple[Value, str]:
    """Go back to the first tensor whose task is known, within the section: from `scores -> log_softmax` to `scores`."""
    *_, last = _list_values(value, task, producers, through_layouts=True)
    return last


def _list_sources(value: Value, task: str, producers: Producers) -> Iterator[tuple[int, str]]:
    """Yield the identity and the task of a tensor and of the tensors that it is computed from, as far as their tasks are known."""
    for source, source_task in _list_values(value, task, producers):
        yield id(source), source_task


def _list_values(value: Value, task: str, producers: Producers, through_layouts: bool = False) -> Iterator[tuple[Value, str]]:
    yield value, task
    while (node := producers.get(id(value))) is not None:
        is_kept = node.op.name in _KEEPS_MEANING or (through_layouts and isinstance(node.op, _MOVES_AXES))
        before = task if is_kept else _SOURCES.get((task, node.op.name))
        if before is None:
            return
        value, task = node.inputs[0], before
        yield value, task


def _derive_task(value: Value, known: Mapping[int, str], producers: Producers, axis: int) -> str | None:
    """Return the task of a tensor that is computed from one whose task is known."""
    if id(value) in known:
        return known[id(value)]
    node = producers.get(id(value))
    if node is None or not node.inputs:
        return None
    before = _derive_task(node.inputs[0], known, producers, axis)
    if before is None or node.op.name in _KEEPS_MEANING:
        return before
    rank = len(node.inputs[0].type.shape)
    own_axis = getattr(node.op, "axis", None)
    # a softmax along another axis gives no probabilities of classes
    is_along_classes = own_axis is None or (isinstance(own_axis, int) and own_axis % rank == axis % rank)
    return _DERIVED.get((before, node.op.name)) if is_along_classes else None


def _find_class_axis(output: Value, argument: Value, producers: Producers) -> int:
    """Return the axis of an output that has the classes. It is axis 1 of the loss's argument.

    For example, `[N, T, V]` that is reshaped to `[N * T, V]` or transposed to `[N, V, T]` has the classes last.
    """
    axis, value = 1, argument
    while value is not output:
        node = producers[id(value)]
        source, rank = node.inputs[0], len(value.type.shape)
        if isinstance(node.op, _MOVES_AXES):
            axis = node.op.axis_order(source.type)[axis % rank]
        elif len(source.type.shape) != rank and axis % rank == rank - 1 and source.type.shape[-1] == value.type.shape[-1]:
            axis = -1
        value = source
    return axis
