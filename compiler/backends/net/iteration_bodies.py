"""Iterations over several lists of modules: `attns.{i}` in the body of a `repeat`, where each label has its number.

In: the body of an iteration, and what its labels begin with. Out: the body of all iterations, in which `{}` is in the place of the number.
Always: a label is the same for another number; what no template can be in stays as it is, so that such iterations are no loop.
"""

from __future__ import annotations

from typing import Any, TypeVar

from netc.dsl.record import replace

from ...ir.graph import Iteration
from .tree import Assign, Body, Chain, Given, Group, Param, Ref, Stage, Steps, Tree, changed, is_within

T = TypeVar("T")
PLACE = "{}"
"""Where the number of the iteration is in a label."""


def with_templates(body: T, iteration: Iteration) -> T:
    """The body with templates in the place of labels."""

    def change(part: Any) -> Any:
        if not isinstance(part, Stage | Group | Param) or not part.label:
            return None
        return replace(part, label=_template(part.label, iteration))

    return changed(body, change)


def has_templates(tree: Any) -> bool:
    """Whether labels in the tree have the number of the iteration."""
    return is_within(tree, lambda part: PLACE in (getattr(part, "label", None) or ""))


def filled(tree: T, counter: str) -> T:
    """The tree with the name of the number in its templates."""

    def change(part: Any) -> Any:
        label = getattr(part, "label", None) or ""
        return replace(part, label=label.replace(PLACE, f"{{{counter}}}")) if PLACE in label else None

    return changed(tree, change)


def _template(label: str, iteration: Iteration) -> str:
    for prefix in iteration.prefixes:
        own = f"{prefix}{iteration.number}"
        if label == own or label.startswith(f"{own}."):
            return f"{prefix}{PLACE}{label[len(own) :]}"
    return label


def steps_of(body: Body, carried: int, fresh: int) -> Chain | Steps:
    """The body as what a loop does, where the input `carried` is `in`. It gets a name, by the number `fresh`, if it is read several times,
    or where `in` is something else."""
    uses = [0, 0]

    def count(tree: Any, is_inside: bool) -> None:
        uses[is_inside] += tree == Ref(carried)
        for part in tree if isinstance(tree, tuple) else tree.children() if isinstance(tree, Tree) else ():
            count(part, is_inside or not isinstance(tree, tuple | Body | Chain | Assign))

    count(body, False)
    instead = Given() if uses == [1, 0] else Ref(fresh)
    made = changed(body, lambda part: instead if part == Ref(carried) else None)
    (result,) = made.results
    if instead == Given() and not made.statements and isinstance(result, Chain) and result.head == Given():
        return result
    named = () if instead == Given() else (Assign((fresh,), Given()),)
    return Steps((*named, *made.statements), result)
