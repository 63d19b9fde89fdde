"""Decides which members of sequences need no label, because their number is the one that they get anyway.

In: the stages of a sequence, with labels. Out: the stages as they are written. Always: their keys are the same as with the labels.

    >>> import netc
    >>> from .spec_source import write_program
    >>> print(write_program(netc.compile("input 3 -> (dense 4 as 0 -> relu -> dense 4 as 2) as head").program), end="")
    input 3 -> (dense 4 relu -> dense 4) as head
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.trees import subtrees_of

from .spec_tree import (
    Chain,
    Choice,
    Given,
    Group,
    IfFirst,
    InTraining,
    ListOf,
    Literal,
    Loop,
    Stage,
)
from .tensor_names import make_free_name


def strip_numbers(stages: Sequence[Any]) -> Sequence[Any]:
    """Remove labels that the stages of a sequence would get anyway. If any stage needs its label, label all that would clash."""
    index = 0
    for stage in stages:
        if not _is_numbered(stage, index, stage is stages[-1]):
            return _label_stages(stages)
        index += _count_members(stage)
    return strip_labels(stages)


def strip_labels(stages: Sequence[Any]) -> Sequence[Any]:
    """Remove labels that are not needed in a group without parameters."""
    return [_strip_stage_label(stage) for stage in stages]


def _is_numbered(stage: Any, index: int, last: bool) -> bool:
    """Whether the stage needs no label to be member `index` of a sequence."""
    match stage:
        case Group() | Choice() | InTraining():
            return False
        case Loop(over, _, body, label, start):
            counted = last or isinstance(over, (ListOf, Literal))
            return not label and (start or 0) == index and counted and _is_one_member(body) and not has_first(body)
    return stage.label in (None, str(index))


def _label_group(stage: Any, number: str, numbers: set[str]) -> Any:
    """Label a group that has no label, since otherwise each of its stages would take a number."""
    if not isinstance(stage, Group) or stage.label:
        return stage
    label = number if number not in numbers else make_free_name("stages", numbers)
    numbers.add(label)
    return Group(stage.stages, label)


def _is_one_member(body: Any) -> bool:
    """Whether an iteration is one member of the sequence around its loop. Of several stages, each would be a member."""
    match body:
        case Chain(_, (Stage(activation=activation),)):
            # An activation written as an argument is a member of its own.
            return activation is None
        case Chain():
            return False
    return True


def _label_stages(stages: Sequence[Any]) -> Sequence[Any]:
    """Label the stages whose numbers other stages have as labels. They have no keys, so any label will do."""
    numbers = {label for stage in stages for label in _list_labels(stage)}
    stages = [_label_group(stage, str(index), numbers) for index, stage in enumerate(stages)]
    return _StageLabeling(numbers).label_stages(stages)


class _StageLabeling:
    """Labels the stages of a sequence that would take the numbers of others. The stages of an `if training` are numbered with them."""

    def __init__(self, numbers: set[str]) -> None:
        self._numbers = numbers
        self._given: set[str] = set()
        self._at = 0

    def label_stages(self, stages: Sequence[Any]) -> list[Any]:
        return [self._label_stage(stage) for stage in stages]

    def _label_stage(self, stage: Any) -> Any:
        match stage:
            case Stage(callee=str() as callee, label=None) if str(self._at) in self._numbers:
                label = make_free_name(callee, self._numbers | self._given)
                self._given.add(label)
                return Stage(callee, stage.arguments, stage.tensors, stage.activation, label)
            case Stage(label=None):
                self._at += 1
            case InTraining(Chain(Given() as head, stages), negated):
                members = [_label_group(inner, "stages", self._numbers) for inner in stages]
                return InTraining(Chain(head, tuple(self.label_stages(members))), negated)
        return stage


def _list_labels(stage: Any) -> Sequence[str]:
    """Return the labels that a stage has in the sequence around it."""
    match stage:
        case Stage(label=str() as label) | Group(label=label):
            return [label]
        case Loop(label="", start=start):
            return [str((start or 0) + i) for i in range(_count_members(stage))]
        case InTraining(Chain(_, stages)):
            return [label for inner in stages for label in _list_labels(inner)]
    return []


def _count_members(stage: Any) -> int:
    """Count the members of a sequence that a stage makes."""
    if isinstance(stage, Loop):
        return len(stage.over.items) if isinstance(stage.over, ListOf) else int(getattr(stage.over, "value", 0))
    return 1 + (isinstance(stage, Stage) and stage.activation is not None)


def _strip_stage_label(stage: Any) -> Any:
    match stage:
        case Stage():
            return Stage(stage.callee, stage.arguments, stage.tensors, stage.activation)
        case Loop():
            return Loop(stage.over, stage.binders, stage.body, None)
    return stage


def has_first(tree: Any, up: int = 0) -> bool:
    """Whether something in a loop's body differs in the first iteration. `up`: the number of loops around it in that body."""
    match tree:
        case IfFirst():
            return bool(tree.up == up)
        case Loop():
            return has_first(tree.over, up) or has_first(tree.body, up + 1)
    return any(has_first(part, up) for part in subtrees_of(tree))
