"""Writes iterations over several lists of modules as one body, with labels such as `attns.{i}`.

In: the body of an iteration, and the beginnings of its labels. Out: the body of all iterations, with `{}` in place of the number. Always:
the labels of two iterations give the same template. Labels without the number stay unchanged, so such iterations do not become a loop.
"""

from __future__ import annotations

from typing import Any, TypeVar

from netc.dsl.record import replace
from netc.dsl.trees import has_part, rewrite_downward, rewrite_upward, subtrees_of

from ...ir.graph import Iteration
from .spec_tree import Assign, Body, Chain, Given, Group, ListOf, Literal, Loop, Param, Ref, Stage, Steps

T = TypeVar("T")
PLACE = "{}"
"""The placeholder for the number of the iteration in a label."""


def insert_templates(body: T, iteration: Iteration) -> T:
    """Replace labels in the body by templates."""

    def change(part: Any) -> Any:
        if not isinstance(part, Stage | Group | Param) or not part.label:
            return None
        return replace(part, label=_make_label_template(part.label, iteration))

    return rewrite_upward(body, change)


def has_templates(tree: Any) -> bool:
    """Whether a label in the tree is a template."""
    return has_part(tree, lambda part: PLACE in (getattr(part, "label", None) or ""))


def fill_templates(tree: T, counter: str) -> T:
    """Put the loop's variable into the templates of a tree."""

    def change(part: Any) -> Any:
        label = getattr(part, "label", None) or ""
        return replace(part, label=label.replace(PLACE, f"{{{counter}}}")) if PLACE in label else None

    return rewrite_upward(tree, change)


def drop_counted_list(loop: Loop) -> tuple[Loop, int | None]:
    """Leave out the list that holds the numbers of the iterations, `[0, 1, 2]`, and return its position among the lists, or None. The
    loop's variable says the same."""
    if not isinstance(loop.over, ListOf):
        return loop, None
    rows = [item.items if len(loop.binders) > 1 else (item,) for item in loop.over.items]
    columns = list(zip(*rows, strict=True))
    position = next((k for k, column in enumerate(columns) if _counts_up(column, loop.start or 0)), None)
    # Next to other lists, the variable counts from 0: `enumerate([64, 128])`.
    if position is None or (len(columns) > 1 and loop.start):
        return loop, None
    binders = tuple(name for k, name in enumerate(loop.binders) if k != position)
    rest = list(zip(*(column for k, column in enumerate(columns) if k != position), strict=True))
    if not binders:
        return replace(loop, over=Literal(len(rows), "depth"), binders=()), position
    return replace(loop, over=ListOf(tuple(ListOf(row) if len(row) > 1 else row[0] for row in rest)), binders=binders), position


def _counts_up(column: tuple[Any, ...], start: int) -> bool:
    values = [item.value if isinstance(item, Literal) and type(item.value) is int else None for item in column]
    return values == list(range(start, start + len(column)))


def _make_label_template(label: str, iteration: Iteration) -> str:
    for prefix in iteration.prefixes:
        own_label = f"{prefix}{iteration.number}"
        if label == own_label or label.startswith(f"{own_label}."):
            return f"{prefix}{PLACE}{label[len(own_label) :]}"
    return label


def make_steps(body: Body, carried: int, fresh: int) -> Chain | Steps:
    """Make the body of a loop, in which `in` is the input `carried`. The input gets a name, with the number `fresh`, if it is read several
    times, or at a place where `in` means another tensor."""
    # The uses outside and inside of constructs in which `in` means another tensor.
    uses = [0, 0]

    def count(tree: Any, is_inside: bool) -> None:
        uses[is_inside] += tree == Ref(carried)
        for part in subtrees_of(tree):
            count(part, is_inside or not isinstance(tree, tuple | Body | Chain | Assign))

    count(body, False)
    instead = Given() if uses == [1, 0] else Ref(fresh)
    rewritten = rewrite_downward(body, lambda part: instead if part == Ref(carried) else None)
    (result,) = rewritten.results
    if instead == Given() and not rewritten.statements and isinstance(result, Chain) and result.head == Given():
        return result
    named = () if instead == Given() else (Assign((fresh,), Given()),)
    return Steps((*named, *rewritten.statements), result)
