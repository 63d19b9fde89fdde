"""Frozen trees, and walks over them: formulas of numbers, and the bodies that become `.net` or Python.

In: `Tree`s, and tuples of them. Out: their parts, changed trees, several trees as one. Always: trees are frozen, and trees of one `shape`
differ in literals alone. `conv 64 3x3` and `conv 128 3x3` have one shape: `zipped` makes one tree of them, in which the first argument is
what its `merge` makes of `64` and `128`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import is_not
from typing import Any, ClassVar, TypeVar

from .record import Record

T = TypeVar("T")


class Different(Exception):
    """Two bodies have too little in common to be written as one."""


class Tree(Record):
    """A node. Each field is a tree, a tuple of fields, or a plain value."""

    is_literal: ClassVar[bool] = False
    """Whether it is a leaf in which trees of one shape may differ. Its fields are then no trees."""
    not_compared: ClassVar[tuple[str, ...]] = ()
    """The fields that are no part of the shape."""

    _is_searched: ClassVar[bool] = True
    """Whether there may be trees in its fields. References and names, which are most of the parts, have none."""

    def __init_subclass__(cls) -> None:
        kinds = {kind for base in cls.__mro__ for kind in vars(base).get("__annotations__", {}).values() if "ClassVar" not in kind}
        cls._is_searched = not cls.is_literal and not kinds <= {"int", "str", "bool"}

    def children(self) -> tuple[Any, ...]:
        """The values of the fields, in order."""
        return self._values()


Node = TypeVar("Node", bound=Tree)
_INNER = (Tree, tuple)


def children_of(value: Any) -> tuple[Any, ...]:
    """What is directly inside a tree or a tuple."""
    if isinstance(value, tuple):
        return value
    return value._values() if isinstance(value, Tree) and value._is_searched else ()


def parts(tree: Any) -> Iterator[Tree]:
    """The tree and every tree in it, from the outside in, in the order of writing."""
    stack: list[Any] = [tree] if isinstance(tree, _INNER) else []
    while stack:
        part = stack.pop()
        values = part
        if isinstance(part, Tree):
            yield part
            values = part._values() if part._is_searched else ()
        stack += [value for value in reversed(values) if isinstance(value, _INNER)]


def contains(tree: Any, test: Callable[[Any], bool]) -> bool:
    """Whether some part of the tree passes the test."""
    return any(map(test, parts(tree)))


def rewrite(tree: T, change: Callable[[Any], Any]) -> T:
    """The tree with what `change` makes of each part, from the outside in; where it gives None, the parts of the part are changed. What
    does not change stays the same object."""
    if isinstance(tree, Tree):
        made: T | None = change(tree)
        if made is not None:
            return made
    inside = children_of(tree)
    return _with_children(tree, inside, [rewrite(value, change) if isinstance(value, _INNER) else value for value in inside])


def rewrite_upward(tree: T, change: Callable[[Any], Any]) -> T:
    """The tree with what `change` makes of each part, from the leaves up: it gets a part with its parts changed, and None leaves that."""
    inside = children_of(tree)
    made = _with_children(tree, inside, [rewrite_upward(value, change) if isinstance(value, _INNER) else value for value in inside])
    changed: T | None = change(made) if isinstance(made, Tree) else None
    return made if changed is None else changed


def _with_children(tree: T, before: Sequence[Any], values: Sequence[Any]) -> T:
    if not any(map(is_not, values, before)):
        return tree
    made: Any = tuple(values) if isinstance(tree, tuple) else type(tree)(*values)
    return made  # type: ignore[no-any-return]


# --- comparison --------------------------------------------------------------------------------------------------------------


def literals(tree: Any) -> list[Any]:
    """Every literal, in the order of writing."""
    return [part for part in parts(tree) if part.is_literal]


def with_literals(tree: T, values: Iterator[Any]) -> T:
    """The tree with other trees in place of its literals, in the order of writing."""
    return rewrite(tree, lambda part: next(values) if part.is_literal else None)


def shape(tree: Any) -> object:
    """Equal for trees that differ in nothing but their literals."""
    if isinstance(tree, tuple):
        return tuple([shape(item) if isinstance(item, _INNER) else item for item in tree])
    if not isinstance(tree, Tree):
        return tree
    if tree.is_literal:
        return Tree
    fields: tuple[str, ...] = tree.__match_args__ if tree.not_compared else ()
    compared = [getattr(tree, name) for name in fields if name not in tree.not_compared] if fields else tree.children()
    return (type(tree), *[shape(value) if isinstance(value, _INNER) else value for value in compared])


def zipped(trees: Sequence[Node], merge: Callable[[Sequence[Any]], Any]) -> Node:
    """Trees of one kind as one: what `merge` makes of the trees at each place. Raises `Different` if the kinds or plain values differ."""
    kind = same(map(type, trees))
    fields = zip(kind.__match_args__, *(tree.children() for tree in trees), strict=True)
    made: Node = kind(*(column[0] if name in kind.not_compared else zip_values(column, merge) for name, *column in fields))
    return made


def zip_values(column: Sequence[Any], merge: Callable[[Sequence[Any]], Any]) -> Any:
    """What is at one place of several trees as one: trees as `merge` says, tuples item by item, and plain values if they are equal."""
    if isinstance(column[0], Tree) or any(isinstance(value, Tree) for value in column):
        return merge(column)
    if isinstance(column[0], tuple):
        same(len(value) if isinstance(value, tuple) else None for value in column)
        return tuple(zip_values(items, merge) for items in zip(*column, strict=True))
    return same(column)


def same(values: Any) -> Any:
    """The one value that all of them are, None for no values. Raises `Different` if there are several."""
    several = list(values)
    if any(value != several[0] for value in several):
        raise Different
    return several[0] if several else None
