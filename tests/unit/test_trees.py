"""Trees of bodies: taken apart, changed, compared. The judge is a tree that is written out by hand."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from netc.compiler.structure.repeated_runs import Run, find_run
from netc.dsl.trees import (
    Different,
    Tree,
    find_literals,
    has_part,
    rewrite_downward,
    rewrite_upward,
    shape_key,
    walk_tree,
    with_literals,
    zip_trees,
)


class Number(Tree):
    is_literal: ClassVar[bool] = True
    value: Any


class Call(Tree):
    not_compared: ClassVar[tuple[str, ...]] = ("note",)
    name: str
    items: tuple[Any, ...]
    note: str = ""


class Pair(Tree):
    left: Any
    right: Any


TREE = Call("f", (Number(1), Pair(Number(2), Call("g", ())), (Number(3),)))


def test_parts_are_in_the_order_of_writing() -> None:
    assert list(walk_tree(TREE)) == [TREE, Number(1), TREE.items[1], Number(2), Call("g", ()), Number(3)]
    assert [one.value for one in find_literals((TREE, Number(4)))] == [1, 2, 3, 4]
    assert list(walk_tree((7, "text", None))) == []


def test_a_literal_has_no_parts() -> None:
    assert list(walk_tree(Number(Pair(1, 2)))) == [Number(Pair(1, 2))]
    assert not has_part(Number(Pair(1, 2)), lambda part: isinstance(part, Pair))


def test_rewriting_from_the_outside_in_does_not_enter_what_was_made() -> None:
    def swap(part: Any) -> Any:
        return Pair(part.right, part.left) if isinstance(part, Pair) else None

    nested = Pair(Pair(1, 2), 3)
    assert rewrite_downward(nested, swap) == Pair(3, Pair(1, 2))
    assert rewrite_upward(nested, swap) == Pair(3, Pair(2, 1))


@pytest.mark.parametrize("way", [rewrite_downward, rewrite_upward])
def test_what_does_not_change_stays_the_same_object(way: Any) -> None:
    assert way(TREE, lambda part: None) is TREE
    made = way(TREE, lambda part: Number(9) if part == Number(3) else None)
    assert made.items[1] is TREE.items[1]
    assert made == Call("f", (Number(1), TREE.items[1], (Number(9),)))


def test_shapes_differ_in_all_but_literals() -> None:
    other = with_literals(TREE, map(Number, (True, "x", None)))
    assert shape_key(TREE) == shape_key(other)
    assert [one.value for one in find_literals(other)] == [True, "x", None]
    assert shape_key(Call("f", ())) == shape_key(Call("f", (), "note"))
    assert len({shape_key(one) for one in (Call("f", ()), Call("g", ()), Call("f", (Number(1),)), Call("f", ((Number(1),),)))}) == 4


def test_trees_of_one_shape_are_one() -> None:
    def merge(column: Any) -> Any:
        return Number(tuple(one.value for one in column)) if isinstance(column[0], Number) else zip_trees(column, merge)

    other = with_literals(TREE, map(Number, (4, 5, 6)))
    assert [one.value for one in find_literals(merge((TREE, other)))] == [(1, 4), (2, 5), (3, 6)]
    assert zip_trees((Call("f", (), "first"), Call("f", (), "second")), merge).note == "first"


@pytest.mark.parametrize("other", [Call("g", ()), Call("f", (Number(1),)), Pair(1, 2), Call("f", (1,)), Call("f", ((),))], ids=repr)
def test_other_trees_are_different(other: Tree) -> None:
    with pytest.raises(Different):
        zip_trees((Call("f", ()), other), lambda column: zip_trees(column, lambda inner: inner[0]))


@pytest.mark.parametrize(
    ("row", "unit", "rest", "counts"),
    [
        ("cpcpccp", 1, 1, (1, 1, 2)),
        ("cpcpccp", 2, 0, (2,)),
        ("cpcp", 1, 1, (1, 1)),
        ("cpcc", 1, 1, (1,)),
        ("ccc", 1, 0, (3,)),
        ("c", 2, 0, ()),
        ("cd", 1, 2, ()),
        ("", 1, 0, ()),
    ],
)
def test_pieces_of_a_row(row: str, unit: int, rest: int, counts: tuple[int, ...]) -> None:
    run = find_run(row, row, row, 0, unit, rest)
    assert run == Run(0, unit, rest, counts)
    assert row.startswith("".join(row[:unit] * count + row[counts[0] * unit :][:rest] for count in counts))


def test_units_of_a_piece_may_have_to_be_more_alike_than_those_of_others() -> None:
    assert find_run("ccccp", "aabb", "ccccp", 0, 1, 0).counts == (2, 2)
