"""The nodes of a tree by position. In: any node, and offsets. Out: the nodes inside it. Always: no recursion, since a tree may be deep."""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl import ast


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly inside one, in the order of its fields."""
    for field in node.__match_args__:
        value = getattr(node, field)
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, ast.Node))


def walk(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all inside it, outermost first."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        stack += reversed([*children(one)])


def enclosing(node: ast.Node, offset: int) -> list[ast.Node]:
    """The nodes that contain an offset, or end or begin at it, outermost first. Of two that touch there, the one that begins."""
    path = [node]
    while True:
        inside = [one for one in children(path[-1]) if one.span.start <= offset <= one.span.end]
        if not inside:
            return path
        path.append(max(inside, key=lambda one: one.span.start))
