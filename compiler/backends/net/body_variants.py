"""Merges bodies of one block that differ in stages that only some of them have, with `if`s.

In: bodies without their literals. Out: one body, in which a `LiteralSlot` says for each literal which literal of each variant it is, and a
`Choice` holds stages that only some variants have: `conv -> if norm { batch_norm } -> relu`. Raises `Different` if too little is the same.
Always: filling the slots with one variant's literals gives that variant's body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from netc.dsl.trees import Different, Tree, has_part, require_same_value, subtrees_of, walk_tree, with_literals, zip_trees, zip_values

from .numbering import strip_numbers
from .spec_tree import Binary, Body, Chain, Choice, Given, Group, IfGiven, Inline, Loop, Ref, Stage

MOST_FLAGS = 3
"""The greatest number of choices that a block may have."""


class LiteralSlot(Tree):
    """A literal of the block: for each variant its number among the variant's literals, or a boolean of the block itself."""

    numbers: tuple[tuple[int, int | bool], ...]


def insert_slots(body: Body, variant: int) -> Body:
    """Replace the literals in the body of one variant by slots."""
    return with_literals(body, (LiteralSlot(((variant, number),)) for number in count()))


def merge_bodies(body: Body, other: Body, variant: int) -> Body:
    """Merge the body of all variants so far with the body of the next one. Raises `Different`."""
    if body.inputs != other.inputs or len(body.statements) != len(other.statements) or len(body.results) != len(other.results):
        raise Different
    aligner = _Aligner(frozenset(range(variant)), frozenset((variant,)))
    merged: Body = zip_trees((body, other), aligner.merge_column)
    common, differing = aligner.count_stages(merged)
    flags = {part.flag for part in walk_tree(merged) if isinstance(part, Choice)}
    # Bodies that share little are easier to read as two blocks than as one with many `if`s.
    if (differing and common < 2) or differing > common or len(flags) > MOST_FLAGS:
        raise Different
    # A flag would put the stage next to others in some uses of the block.
    if flags and has_part(merged, lambda part: isinstance(part, Stage) and part.label == "_"):  # it must be the only stage of its block
        raise Different
    return merged


class _Aligner:
    """Aligns two bodies. `first` and `second` are their variants."""

    def __init__(self, first: frozenset[int], second: frozenset[int]) -> None:
        self.first, self.second = first, second

    def merge_column(self, column: Sequence[Any]) -> Any:
        """Merge a column of two trees."""
        match column:
            case (Chain() as a, b) | (a, Chain() as b):
                return self._merge_chains(_to_chain(a), _to_chain(b))
            case LiteralSlot(ours), LiteralSlot(other):
                return LiteralSlot(ours + other)
            case Group(stages, label), Group(others, str() as its):
                return Group(self._merge_members(stages, others), require_same_value((label, its)))
        return zip_trees(column, self.merge_column)

    def _merge_members(self, a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
        """Merge the stages of two groups. A group with a choice counts no stages. If both are one choice, a single stage keeps its
        number."""
        merged = self._merge_stages(strip_numbers(a), strip_numbers(b))
        if len(merged) == 1 and isinstance(merged[0], Choice):
            return self._merge_stages(
                *(stages if len(stages) == 1 and isinstance(stages[0], Stage) else strip_numbers(stages) for stages in (a, b))
            )
        return merged

    def _merge_chains(self, a: Chain, b: Chain) -> Any:
        stages = self._merge_stages(a.stages, b.stages)
        head = zip_values((a.head, b.head), self.merge_column)
        return Chain(head, stages) if stages else head

    def _merge_stages(self, a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
        """Merge two rows of stages, with choices where only one of them has some."""
        best = self._compute_costs(a, b)
        merged: list[Any] = []
        only_a: list[Any] = []
        only_b: list[Any] = []
        i = j = 0
        while i < len(a) or j < len(b):
            both = best[i, j][1]
            if both is not None:
                self._close_choice(merged, only_a, only_b)
                merged.append(both[0])
                i, j = i + both[1], j + both[2]
            elif i < len(a) and best[i, j][0] == best[i + 1, j][0] + 1:
                only_a.append(a[i])
                i += 1
            else:
                only_b.append(b[j])
                j += 1
        self._close_choice(merged, only_a, only_b)
        return tuple(merged)

    def _compute_costs(self, a: Sequence[Any], b: Sequence[Any]) -> dict[tuple[int, int], tuple[float, Any]]:
        """Compute, from each pair of positions on, the least number of stages that are not shared, and what is shared there."""
        # Alignment by dynamic programming, as in a diff: positions in both lists, the fewest unshared stages.
        best: dict[tuple[int, int], tuple[float, Any]] = {(len(a), len(b)): (0, None)}
        for i in range(len(a), -1, -1):
            for j in range(len(b), -1, -1):
                if (i, j) in best:
                    continue
                options: list[tuple[float, Any]] = []
                if i < len(a):
                    options.append((best[i + 1, j][0] + 1, None))
                if j < len(b):
                    options.append((best[i, j + 1][0] + 1, None))
                for both, length in self._iterate_stage_merges(a, b, i, j):
                    options.append((best[i + 1, j + length][0], (both, 1, length)))
                best[i, j] = min(options, key=lambda option: (option[0], option[1] is None))
        return best

    def _iterate_stage_merges(self, a: Sequence[Any], b: Sequence[Any], i: int, j: int) -> Iterator[tuple[Any, int]]:
        """Iterate over the ways to share the first list's stage: the merged stage, and how many stages of the second list it covers."""
        if i == len(a):
            return
        if isinstance(a[i], Choice) and not a[i].others:
            flag, size = a[i].flag, len(a[i].stages)
            yield Choice(self._extend_flag(flag, False), a[i].stages, (), a[i].name), 0
            try:
                stages = zip_values((a[i].stages, tuple(b[j : j + size])), self.merge_column)
            except Different:
                return
            yield Choice(self._extend_flag(flag, True), stages, (), a[i].name), size
        elif j < len(b):
            try:
                yield self.merge_column((a[i], b[j])), 1
            except Different:
                return

    def _extend_flag(self, flag: LiteralSlot, value: bool) -> LiteralSlot:
        return LiteralSlot((*flag.numbers, *((variant, value) for variant in sorted(self.second))))

    def _close_choice(self, merged: list[Any], only_a: list[Any], only_b: list[Any]) -> None:
        """Turn stages that only one of the bodies has into a choice."""
        if not only_a and not only_b:
            return
        # The flag is true where the stages are: the `if` without an `else` reads better than one with an empty first branch.
        has = self.first if only_a and not only_b else self.second
        flag = LiteralSlot(tuple((variant, variant in has) for variant in sorted(self.first | self.second)))
        stages, others = (tuple(only_a), ()) if not only_b else (tuple(only_b), tuple(only_a))
        merged.append(Choice(flag, stages, others, _name_choice(stages)))
        only_a.clear()
        only_b.clear()

    @staticmethod
    def count_stages(tree: Any) -> tuple[int, int]:
        """Count the stages that all variants have, and the stages that only some have."""
        match tree:
            case Choice(_, stages, others):
                return 0, sum(sum(_Aligner.count_stages(part)) for part in (stages, others))
            case Stage() | Loop() | Inline():
                return 1, 0
            case IfGiven():
                return 0, 0
        inside = [_Aligner.count_stages(part) for part in subtrees_of(tree)]
        return sum(common for common, _ in inside), sum(differing for _, differing in inside)


def _to_chain(tree: Any) -> Chain:
    """Convert a tree to a pipeline. Arithmetic with a named tensor becomes its other operand with the arithmetic as the last stage."""
    match tree:
        case Chain():
            return tree
        case Binary(symbol, Chain(head, stages), Ref() as other):
            return Chain(head, (*stages, Inline(Binary(symbol, Given(), other))))
        case Binary(symbol, Ref() as other, Chain(head, stages)):
            return Chain(head, (*stages, Inline(Binary(symbol, other, Given()))))
    return Chain(tree, ())


def _name_choice(stages: Sequence[Any]) -> str:
    """Return a name for the flag of the choice: the label of the first stage that has one, or its operator."""
    if isinstance(stages[0], Inline):
        return "residual"
    for stage in stages:
        label = (getattr(stage, "label", None) or "").rpartition(".")[2]
        if label and not label.isdecimal() and label != "_":
            return label
    callee = getattr(stages[0], "callee", "")
    return f"with_{callee}" if isinstance(callee, str) and callee else "extended"


def get_slot_literal(slot: LiteralSlot, variant: int, literals: Mapping[int, Sequence[Any]]) -> Any:
    """Return the literal of a variant, or None if it has none. Booleans of the block are returned unchanged."""
    for of, number in slot.numbers:
        if of == variant:
            return number if isinstance(number, bool) else literals[variant][number]
    return None
