"""Frozen trees and walks over them: formulas of numbers, and the bodies that become `.net` or Python.

The functions take `Tree`s and tuples of them, and return their parts, changed trees, or several trees merged into one. Trees are frozen,
and two trees with equal `shape_key`s differ in their literals only. `conv 64 3x3` and `conv 128 3x3` have one shape key, so `zip_trees`
merges them into one tree, in which the first argument is what its `merge` returns for `64` and `128`.

    >>> class Sum(Tree):
    ...     left: "object"
    ...     right: "object"
    >>> [part.right for part in walk_tree(Sum(Sum(1, 2), 3))]
    [3, 2]
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
        # Decided once for a class: walks visit every part, and most parts are names and numbers.
        kinds = {kind for base in cls.__mro__ for kind in vars(base).get("__annotations__", {}).values() if "ClassVar" not in kind}
        cls._is_searched = not cls.is_literal and not kinds <= {"int", "str", "bool"}

    def child_values(self) -> tuple[Any, ...]:
        """The values of the fields, in order."""
        return self._field_values()


Node = TypeVar("Node", bound=Tree)
_INNER = (Tree, tuple)


def subtrees_of(value: Any) -> tuple[Any, ...]:
    """Return the values directly inside a tree or a tuple."""
    if isinstance(value, tuple):
        return value
    return value._field_values() if isinstance(value, Tree) and value._is_searched else ()


def walk_tree(tree: Any) -> Iterator[Tree]:
    """The tree and every tree in it, from the outside in, in the order of writing."""
    stack: list[Any] = [tree] if isinstance(tree, _INNER) else []
    while stack:
        part = stack.pop()
        values = part
        if isinstance(part, Tree):
            yield part
            values = part._field_values() if part._is_searched else ()
        # Reversed, because the stack returns the last one first, and callers rely on the order of writing.
        stack += [value for value in reversed(values) if isinstance(value, _INNER)]


def has_part(tree: Any, test: Callable[[Any], bool]) -> bool:
    """Whether some part of the tree passes the test."""
    return any(map(test, walk_tree(tree)))


def rewrite_downward(tree: T, change: Callable[[Any], Any]) -> T:
    """The tree with what `change` makes of each part, from the outside in; where it gives None, the parts of the part are changed. What
    does not change stays the same object."""
    if isinstance(tree, Tree):
        replacement: T | None = change(tree)
        if replacement is not None:
            return replacement
    inside = subtrees_of(tree)
    return _with_children(tree, inside, [rewrite_downward(value, change) if isinstance(value, _INNER) else value for value in inside])


def rewrite_upward(tree: T, change: Callable[[Any], Any]) -> T:
    """The tree with what `change` makes of each part, from the leaves up: it gets a part with its parts changed, and None leaves that."""
    inside = subtrees_of(tree)
    rebuilt = _with_children(tree, inside, [rewrite_upward(value, change) if isinstance(value, _INNER) else value for value in inside])
    changed: T | None = change(rebuilt) if isinstance(rebuilt, Tree) else None
    return rebuilt if changed is None else changed


def _with_children(tree: T, before: Sequence[Any], values: Sequence[Any]) -> T:
    # An unchanged tree stays the same object, so that callers may compare by identity.
    if not any(map(is_not, values, before)):
        return tree
    rebuilt: Any = tuple(values) if isinstance(tree, tuple) else type(tree)(*values)
    return rebuilt  # type: ignore[no-any-return]


# --- comparison --------------------------------------------------------------------------------------------------------------


def find_literals(tree: Any) -> list[Any]:
    """Every literal, in the order of writing."""
    return [part for part in walk_tree(tree) if part.is_literal]


def with_literals(tree: T, values: Iterator[Any]) -> T:
    """The tree with other trees in place of its literals, in the order of writing."""
    return rewrite_downward(tree, lambda part: next(values) if part.is_literal else None)


def shape_key(tree: Any) -> object:
    """Equal for trees that differ in nothing but their literals."""
    if isinstance(tree, tuple):
        return tuple([shape_key(item) if isinstance(item, _INNER) else item for item in tree])
    if not isinstance(tree, Tree):
        return tree
    if tree.is_literal:
        return Tree
    fields: tuple[str, ...] = tree.__match_args__ if tree.not_compared else ()
    compared = [getattr(tree, name) for name in fields if name not in tree.not_compared] if fields else tree.child_values()
    return (type(tree), *[shape_key(value) if isinstance(value, _INNER) else value for value in compared])


def zip_trees(trees: Sequence[Node], merge: Callable[[Sequence[Any]], Any]) -> Node:
    """Trees of one kind as one: what `merge` makes of the trees at each place. Raises `Different` if the kinds or plain values differ."""
    kind = require_same_value(map(type, trees))
    fields = zip(kind.__match_args__, *(tree.child_values() for tree in trees), strict=True)
    merged: Node = kind(*(column[0] if name in kind.not_compared else zip_values(column, merge) for name, *column in fields))
    return merged


def zip_values(column: Sequence[Any], merge: Callable[[Sequence[Any]], Any]) -> Any:
    """Merge the values at one place of several trees: trees by `merge`, tuples item by item, and plain values if they are equal."""
    if isinstance(column[0], Tree) or any(isinstance(value, Tree) for value in column):
        return merge(column)
    if isinstance(column[0], tuple):
        require_same_value(len(value) if isinstance(value, tuple) else None for value in column)
        return tuple(zip_values(items, merge) for items in zip(*column, strict=True))
    return require_same_value(column)


def require_same_value(values: Any) -> Any:
    """The one value that all of them are, None for no values. Raises `Different` if there are several."""
    several = list(values)
    if any(value != several[0] for value in several):
        raise Different
    return several[0] if several else None
