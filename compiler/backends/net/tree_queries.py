"""Answers questions about trees of pipelines: whether one is short, has parameters of its own, or may be continued.

In: a tree, as spec_tree.py defines them. Out: the answer, or the tree with one more stage. For `x -> dense 8 -> relu`, `count_stages` is
2, and `extend_chain` of `x -> dense 8` with `relu` writes the activation as an argument: `x -> dense 8 relu`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops import Operator
from .node_stages import can_be_activation
from .spec_tree import Binary, Chain, Declaration, Given, Group, Literal, Loop, Prefix, Ref, Scanned, SharedStage, Stage, TupleOf

LONGEST = 3
"""The number of stages that may be written inside an operand or a tuple."""


def extend_chain(head: Any, stage: Any) -> Chain:
    if not isinstance(head, Chain):
        return Chain(head, (stage,))
    last = head.stages[-1]
    if isinstance(stage, Stage) and isinstance(last, Stage) and can_be_activation(stage, last):
        with_it = Stage(last.callee, last.arguments, last.tensors, stage.callee, last.label)
        return Chain(head.head, (*head.stages[:-1], with_it))
    return Chain(head.head, (*head.stages, stage))


def apply_stage(items: Sequence[Any], stage: Any) -> Chain:
    return Chain(TupleOf(tuple(items)) if len(items) > 1 else items[0], (stage,))


def has_main_result(tree: Any) -> bool:
    """Whether only the first result is passed on, unless all are unpacked."""
    if isinstance(tree, Chain) and isinstance(tree.stages[-1], Scanned):
        return len(tree.stages[-1].results) == 1
    if not isinstance(tree, Chain) or not isinstance(tree.stages[-1], Stage):
        return False
    callee = tree.stages[-1].callee
    return isinstance(callee, str) and Operator.registry[callee].extras


def _has_label(part: Any) -> bool:
    return bool(getattr(part, "label", None))


def has_keys(part: Any) -> bool:
    """Whether the tree may have parameters of its own: a stage with a label, or a use of a shared one."""
    return _has_label(part) or (isinstance(part, Stage) and isinstance(part.callee, SharedStage))


def is_stage(part: Any, stage: str | SharedStage) -> bool:
    """Whether a part of a tree is, or may contain, the stage at a path, or is a use of a shared stage."""
    used = part.callee if isinstance(part, Stage) and isinstance(part.callee, SharedStage) else None
    if isinstance(stage, str):
        label = (getattr(part, "label", None) or "") if used is None else used.label
        return label != "" and stage.startswith(label)
    return used == stage


def begins_with_tuple(tree: Any) -> bool:
    return isinstance(tree, Chain) and isinstance(tree.head, TupleOf)


def is_short(tree: Any) -> bool:
    """Whether the tree may be written inside another one."""
    return count_stages(tree) <= LONGEST


def is_arithmetic(tree: Any) -> bool:
    """Whether the tree has no pipeline in it."""
    match tree:
        case Binary(_, left, right):
            return is_arithmetic(left) and is_arithmetic(right)
        case Prefix(_, operand):
            return is_arithmetic(operand)
    return isinstance(tree, (Ref, Given, Literal))


def count_stages(tree: Any) -> int:
    match tree:
        case Chain(head, stages):
            return count_stages(head) + sum(
                # A loop is as long as an operand may be, so nothing else fits next to it.
                LONGEST if isinstance(s, (Loop, Scanned)) else len(s.stages) if isinstance(s, Group) else 1
                for s in stages
            )
        case TupleOf(items):
            return sum(map(count_stages, items))
        case Binary(_, left, right):
            return count_stages(left) + count_stages(right) + 1
        case Prefix(_, operand):
            return count_stages(operand)
        case Declaration():
            # Over the limit, so that an `input` in an operand or a tuple gets a name first.
            return LONGEST + 1
    return 0
