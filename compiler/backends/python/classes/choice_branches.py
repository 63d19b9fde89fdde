"""Turns the `if`s of a body into code.

In: the `if`s that the graph knows of, and the items made for its nodes. Out: their conditions as code, whose integers become formulas when
the bodies of a class are merged, and the items as a tree of branches. Always: an `if` without any items is in the tree too, because other
bodies may have items there.

    >>> from ..code.class_tree import NameCode
    >>> decide_condition(NameCode("norm"), Prefix("not ", NameCode("norm")))
    False
    >>> print(decide_condition(NameCode("norm"), NameCode("bias")))
    None
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ....dims import OPPOSITE
from ....ir.choices import Choice, Key
from ....ir.graph import Graph
from ..code.class_tree import ChoiceItems
from ..code.formula_code import formula_to_code
from ..code.python_expressions import CallCode, Code, Infix, Lit, Prefix

T = TypeVar("T")
NO_ENDS: Mapping[Key, list[Any]] = {}


class Branch(Generic[T]):
    """The members or steps of the branch of an `if` that was taken."""

    def __init__(self, choice: Choice, made: list[T | Branch[T]]) -> None:
        self.choice, self.made = choice, made


def decide_condition(known: Code, asked: Code) -> bool | None:
    """Return whether `asked` holds where `known` does, or None. Only conditions on the same numbers, or on the same flag, decide."""
    if known == asked:
        return True
    match known, asked:
        case Infix(op, left, right), Infix(other, a, b) if (left, right) == (a, b) and OPPOSITE.get(op) == other:
            return False
        case (Prefix("not ", inner), other) | (other, Prefix("not ", inner)) if inner == other:
            return False
    return None


def arrange_by_branch(graph: Graph, numbered: Sequence[tuple[int, T]], ends: Mapping[Key, list[T]] = NO_ENDS) -> list[T | Branch[T]]:
    """Return the items as a tree of the `if`s around them.

    `numbered` has each item with the index of its node, `ends` the items at the ends of branches.
    """
    positions = {node.label: index for index, node in enumerate(graph.nodes)} if graph.choices else {}
    return _arrange_branches(list(numbered), graph.choices, positions, ends)


def _arrange_branches(
    numbered: list[tuple[int, T]], choices: Iterable[Choice], positions: dict[str, int], ends: Mapping[Key, list[T]]
) -> list[T | Branch[T]]:
    items: list[T | Branch[T]] = []
    for choice in choices:
        start, stop = _find_extent(choice, positions)
        items += [item for node, item in numbered if node < start]
        inside = _arrange_branches([m for m in numbered if start <= m[0] < stop], choice.inner, positions, ends)
        # The ends come after all members, since the results of the branch are joined there.
        items.append(Branch(choice, [*inside, *ends.get(choice.key, ())]))
        numbered = [m for m in numbered if m[0] >= stop]
    return [*items, *(item for _, item in numbered)]


def _find_extent(choice: Choice, positions: dict[str, int]) -> tuple[int, int]:
    """Return the index of the first node of the branch, and of the node after its last one."""
    indices = [positions[label] for label in choice.labels if label in positions]
    # An empty branch is an empty range right after the node that it follows.
    start = positions.get(choice.after, -1) + 1
    return (min(indices), max(indices) + 1) if indices else (start, start)


def make_sequence_items(graph: Graph, codes: Sequence[Code]) -> tuple[Code, ...]:
    """Make the items of a sequence, with `ChoiceItems` for the branches of `if`s."""
    return tuple(map(_make_item, arrange_by_branch(graph, list(enumerate(codes)))))


def _make_item(item: Code | Branch[Code]) -> Code:
    if isinstance(item, Code):
        return item
    choice, codes = item.choice, tuple(map(_make_item, item.made))
    branches = (codes, ()) if choice.taken else ((), codes)
    return ChoiceItems(choice.key, choice.taken, formula_to_code(choice.test), *branches)


def splice_choices(code: Code) -> Code | None:
    """Replace choices whose condition is known by the members of the branch."""
    match code:
        case CallCode(_, args) if any(isinstance(a, ChoiceItems) for a in args):
            items = [item for a in args for item in (_choose_items(a) if isinstance(a, ChoiceItems) else (a,))]
            return replace(code, args=tuple(rewrite_downward(item, splice_choices) for item in items))
    return None


def _choose_items(code: ChoiceItems) -> tuple[Code, ...]:
    match code.test:
        case Lit(bool() as value):
            chosen = code.then if value else code.otherwise
            return tuple(
                item
                for item_or_choice in chosen
                for item in (_choose_items(item_or_choice) if isinstance(item_or_choice, ChoiceItems) else (item_or_choice,))
            )
    return (code,)
