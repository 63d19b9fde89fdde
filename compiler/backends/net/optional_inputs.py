"""Compares bodies of one block of which some pass on a tensor that others lack: their callee has it as an optional input.

In: a body, and another one with one more input. Out: both with the same inputs and results, if they may be alike. Always: the first body
calls the same stages, with the tensor by its name. A result that only one of the bodies returns is computed in the other, too, and
returned by both. If a body itself computes something from the tensor, the graphs are compared instead (twins.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.dsl.trees import Tree

from ...ops import Operator
from ...ops.parametric import Parametric
from .spec_tree import Assign, Body, CallMapping, OptionalInput, Ref, Stage, renumber_tensors


def iterate_optional_pairs(body: Body, other: Body) -> Iterator[tuple[Body, Body, CallMapping]]:
    """Iterate over the ways in which one input of the other body may be missing from this one. Yield both bodies with the same inputs, and
    the mapping of the other's inputs."""
    last = body.inputs
    if not last or other.inputs != last + 1:  # the input of a pipeline is never optional
        return
    # The tensors of a body are numbered after its inputs, so a further input moves them all.
    ours = renumber_tensors(body, {index: index + 1 for index in range(last, count_tensors(body))})
    # The input of a pipeline, number 0, is tried last.
    for extra in (*range(1, other.inputs), 0):
        order = (*(index for index in range(other.inputs) if index != extra), extra)
        theirs = renumber_tensors(other, {number: index for index, number in enumerate(order)})
        mine = _pass_on(ours, theirs)
        aligned = _align_numbers(mine, theirs)
        if aligned is not None:
            yield mine, aligned[0], CallMapping(order, aligned[1])


def count_tensors(body: Body) -> int:
    """Return the number of tensors that have numbers."""
    numbers = (
        number for statement in body.statements if isinstance(statement, Assign) for number in statement.numbers if number is not None
    )
    return max((body.inputs - 1, *numbers)) + 1


def _pass_on(body: Body, other: Body) -> Body:
    """Return the body that passes its last input to all stages to which the other body passes it by name."""
    last = body.inputs

    def change(mine: Any, its: Any) -> Any:
        if not isinstance(mine, Stage) or not isinstance(its, Stage):
            return None
        own_names = [name for name, _ in mine.tensors]
        further = [(name, tensor) for name, tensor in its.tensors if name not in own_names and tensor == Ref(last) and _may_lack(its, name)]
        return Stage(mine.callee, mine.arguments, (*mine.tensors, *further), mine.activation, mine.label) if further else None

    return Body(last + 1, _map_along(body.statements, other.statements, change), _map_along(body.results, other.results, change))


def _may_lack(stage: Stage, name: Any) -> bool:
    """Whether the stage is the same without the tensor of that name, rather than having a parameter in its place."""
    return isinstance(name, OptionalInput) or (
        isinstance(stage.callee, str) and not issubclass(Operator.registry[stage.callee], Parametric)
    )


def _map_along(mine: Any, its: Any, change: Any) -> Any:
    """Rebuild the tree. `change` gets each part with the part in the same place of another tree. If it returns None, the part stays."""
    if isinstance(mine, tuple):
        alike = isinstance(its, tuple) and len(mine) == len(its)
        return tuple(_map_along(part, other, change) for part, other in zip(mine, its, strict=True)) if alike else mine
    if not isinstance(mine, Tree):
        return mine
    parts = mine.child_values()
    if type(mine) is type(its):
        parts = tuple(_map_along(part, other, change) for part, other in zip(parts, its.child_values(), strict=True))
    mapped = type(mine)(*parts)
    new = change(mapped, its)
    return mapped if new is None else new


def _align_numbers(body: Body, other: Body) -> tuple[Body, tuple[int, ...]] | None:
    """Give the other body the numbers and the results of this one. Return it with the numbers of its own results."""
    if len(body.statements) != len(other.statements):
        return None
    numbers: dict[int, int] = {other.inputs - 1: body.inputs - 1}
    for ours, theirs in zip(body.statements, other.statements, strict=True):
        if type(ours) is not type(theirs) or not isinstance(ours, Assign) or len(ours.numbers) != len(theirs.numbers):
            return None
        if any(mine is None and its is not None for mine, its in zip(ours.numbers, theirs.numbers, strict=True)):
            return None
        # A tensor may have a name in one body only, where it has a second use: the result that only this body returns.
        numbers.update((its, mine) for mine, its in zip(ours.numbers, theirs.numbers, strict=True) if mine is not None and its is not None)
    theirs = renumber_tensors(other, numbers)
    statements = tuple(Assign(ours.numbers, its.value) for ours, its in zip(body.statements, theirs.statements, strict=True))
    known = set(numbers.values()) - {body.inputs - 1}
    further = [
        k
        for k, result in enumerate(body.results)
        if isinstance(result, Ref) and result.number >= body.inputs and result.number not in known
    ]
    # Without matching results, the bodies must have the same number of them.
    if len(body.results) != len(theirs.results) + len(further):
        further = []
    if len(body.results) != len(theirs.results) + len(further):
        return None
    own_results = iter(theirs.results)
    results = tuple(result if k in further else next(own_results) for k, result in enumerate(body.results))
    return Body(body.inputs, statements, results), tuple(k for k in range(len(results)) if k not in further)
