"""Bodies of one block of which some are given a tensor that the others compute, as the layers of a stack that share the bias of the first
one. In the block it is an optional input.

In: a body, and another one with one more input. Out: both with the same inputs and results, where they may be alike. Always: the result of
a body in the place where it was computed, or `if given` was given instead, is that body's; what only one of them returns is at hand in the
other, and is returned by both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from netc.dsl.record import Record

from ...ops import Operator
from ...ops.parametric import Parametric
from .body_variants import Slot
from .spec_tree import Assign, Body, IfGiven, OptionalInput, Ref, Stage, Steps, Taken, Tree, changed, is_within, renumber_tensors


def optionals(body: Body, other: Body) -> Iterator[tuple[Body, Body, Taken]]:
    """Each way in which an input of the other is one that the body lacks: both with the same inputs, and what the other's are."""
    last = body.inputs
    if not last or other.inputs != last + 1:  # what a pipeline gives is never optional
        return
    ours = renumber_tensors(body, {at: at + 1 for at in range(last, tensors(body))})
    for ways in (_passed_on, _computed, _instead):
        for extra in (*range(1, other.inputs), 0):
            order = (*(at for at in range(other.inputs) if at != extra), extra)
            theirs = renumber_tensors(other, {number: at for at, number in enumerate(order)})
            for way in ways(ours, theirs):
                made = _as_one(way, theirs)
                if made is not None:
                    yield *made[:2], Taken(order, made[2])


def tensors(body: Body) -> int:
    """The number of tensors that have numbers."""
    return max((body.inputs - 1, *_numbers(body.statements))) + 1


class _Way(Record):
    """A body with an optional input. `at` is the number of the statement that the other body lacks, None if there is none, and `tensor`
    the number of the tensor that the other is given."""

    body: Body
    at: int | None
    tensor: int


def _passed_on(body: Body, other: Body) -> Iterator[_Way]:
    """The body that passes the tensor to all stages to which the other one passes it by name."""
    last = body.inputs

    def change(mine: Any, its: Any) -> Any:
        if not isinstance(mine, Stage) or not isinstance(its, Stage):
            return None
        own = [name for name, _ in mine.tensors]
        further = [(name, tensor) for name, tensor in its.tensors if name not in own and tensor == Ref(last) and _may_lack(its, name)]
        return Stage(mine.callee, mine.arguments, (*mine.tensors, *further), mine.activation, mine.label) if further else None

    statements, results = _along(body.statements, other.statements, change), _along(body.results, other.results, change)
    yield _Way(Body(last + 1, statements, results), None, last)


def _may_lack(stage: Stage, name: Any) -> bool:
    """Whether the stage is the same without the tensor of that name, rather than having a parameter then."""
    return isinstance(name, OptionalInput) or (
        isinstance(stage.callee, str) and not issubclass(Operator.registry[stage.callee], Parametric)
    )


def _along(mine: Any, its: Any, change: Callable[[Any, Any], Any]) -> Any:
    """The tree with what `change` makes of its parts, each with that in the same place of another tree; None leaves a part as it is."""
    if isinstance(mine, tuple):
        alike = isinstance(its, tuple) and len(mine) == len(its)
        return tuple(_along(one, other, change) for one, other in zip(mine, its, strict=True)) if alike else mine
    if not isinstance(mine, Tree):
        return mine
    parts = mine.children()
    if type(mine) is type(its):
        parts = tuple(_along(one, other, change) for one, other in zip(parts, its.children(), strict=True))
    made = type(mine)(*parts)
    new = change(made, its)
    return made if new is None else new


def _computed(body: Body, _: Body) -> Iterator[_Way]:
    """The body in which a tensor that it computes without any input is computed if it is not given."""
    last = body.inputs
    for at, statement in enumerate(body.statements):
        if not isinstance(statement, Assign) or len(statement.numbers) != 1 or statement.numbers[0] is None:
            continue
        inner = _cone(body.statements[:at], statement.value)
        if inner is None or any(_uses(one, number) for number in _numbers(inner) for one in (*body.statements[at + 1 :], *body.results)):
            continue
        before = [one for one in body.statements[:at] if one not in inner]
        given = Assign(statement.numbers, _given_or(last, Steps(inner, statement.value)))
        yield _Way(Body(last + 1, (*before, given, *body.statements[at + 1 :]), body.results), len(before), statement.numbers[0])


def _instead(body: Body, other: Body) -> Iterator[_Way]:
    """The body in which a tensor of its own is used where the other one uses the tensor that it is given: as attention, of its input to
    itself or to something else."""
    last, new = body.inputs, tensors(body)
    found: set[int] = set()

    def change(mine: Any, its: Any) -> Any:
        if not isinstance(mine, Ref) or its != Ref(last):
            return None
        found.add(mine.number)
        return Ref(new)

    statements, results = _along(body.statements, other.statements, change), _along(body.results, other.results, change)
    if len(found) == 1 and (own := found.pop()) < last:
        yield _Way(Body(last + 1, (Assign((new,), _given_or(last, Steps((), Ref(own)))), *statements), results), 0, new)


def _given_or(number: int, otherwise: Steps) -> IfGiven:
    """The tensor if it is given."""
    return IfGiven(Ref(number), Steps((), Ref(number)), otherwise)


def _cone(before: Sequence[Any], value: Any) -> tuple[Any, ...] | None:
    """The statements that a value needs, None if it needs an input."""
    found: list[Any] = []
    wanted = _read(value)
    for statement in reversed(before):
        if isinstance(statement, Assign) and wanted & set(statement.numbers):
            found.append(statement)
            wanted = (wanted - set(statement.numbers)) | _read(statement.value)
    return None if wanted else tuple(reversed(found))


def _as_one(way: _Way, other: Body) -> tuple[Body, Body, tuple[int, ...]] | None:
    """The other body with the numbers of this one, what only this one has, and its results; and which of these are its own."""
    body, at = way.body, way.at
    statements = [one for number, one in enumerate(body.statements) if number != at]
    if len(statements) != len(other.statements):
        return None
    numbers: dict[int, int] = {other.inputs - 1: way.tensor}
    for ours, theirs in zip(statements, other.statements, strict=True):
        if type(ours) is not type(theirs) or not isinstance(ours, Assign) or len(ours.numbers) != len(theirs.numbers):
            return None
        if any(mine is None and its is not None for mine, its in zip(ours.numbers, theirs.numbers, strict=True)):
            return None
        numbers.update((its, mine) for mine, its in zip(ours.numbers, theirs.numbers, strict=True) if mine is not None and its is not None)
    theirs = renumber_tensors(other, numbers)
    made = [Assign(ours.numbers, its.value) for ours, its in zip(statements, theirs.statements, strict=True)]
    if at is not None:
        made.insert(at, changed(body.statements[at], lambda part: Slot(()) if isinstance(part, Slot) else None))
    known = set(numbers.values()) - {way.tensor}
    further = [k for k, one in enumerate(body.results) if isinstance(one, Ref) and one.number >= body.inputs and one.number not in known]
    if len(body.results) != len(theirs.results) + len(further):
        further = []
    if len(body.results) != len(theirs.results) + len(further):
        return None
    own = iter(theirs.results)
    results = tuple(one if k in further else next(own) for k, one in enumerate(body.results))
    return body, Body(body.inputs, tuple(made), results), tuple(k for k in range(len(results)) if k not in further)


# --- numbers ----------------------------------------------------------------------------------------------------------------


def _numbers(statements: Sequence[Any]) -> set[int]:
    return {number for one in statements if isinstance(one, Assign) for number in one.numbers if number is not None}


def _read(tree: Any) -> set[int]:
    """The numbers of the tensors that it needs."""
    if isinstance(tree, Ref):
        return {tree.number}
    parts = tree if isinstance(tree, tuple) else tree.children() if isinstance(tree, Tree) else ()
    return {number for part in parts for number in _read(part)}


def _uses(tree: Any, number: int) -> bool:
    return is_within(tree, lambda part: part == Ref(number))
