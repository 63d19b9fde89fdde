"""Finds nodes of a tree by position, and the names in it.

No function recurses, since a tree may be as deep as its text is long.

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> [*find_names([parse_source(SourceFile("<text>", "x -> dense (2 * width)"))[0]])]
    ['x', 'dense', 'width']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import attrgetter

from . import ast

_PLAIN = frozenset(("Span", "str", "int", "float", "bool", "None", "tuple"))
"""The words in the types of fields that have no nodes."""


@cache
def node_fields(kind: type[ast.Node], *without: str) -> Callable[[ast.Node], tuple[object, ...]]:
    """Returns a function that reads the fields of such a node that may contain nodes, `without` some of them."""
    # Annotations are texts here (PEP 563), so the words in them say which fields can hold nodes, without importing their types.
    declared = {field: text for base in kind.__mro__ for field, text in vars(base).get("__annotations__", {}).items()}
    inner = [field for field in kind.__match_args__ if field not in without and not _is_plain(declared[field])]
    match inner:
        case []:
            return lambda node: ()
        case [field]:
            read = attrgetter(field)
            return lambda node: (read(node),)
    return attrgetter(*inner)


def _is_plain(annotation: str) -> bool:
    return _PLAIN.issuperset(re.findall(r"\w+", annotation))


def child_nodes(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly inside one, in the order of its fields."""
    for value in node_fields(type(node))(node):
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, ast.Node))


def walk_nodes(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all inside it, outermost first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack += reversed([*child_nodes(current)])


def find_names(nodes: Iterable[ast.Node]) -> Iterator[str]:
    """Every name in the nodes."""
    return (inner.name for node in nodes for inner in walk_nodes(node) if isinstance(inner, (ast.Name, ast.Apply)))


def find_enclosing_nodes(node: ast.Node, offset: int) -> list[ast.Node]:
    """The nodes that contain an offset, or end or begin at it, outermost first. Of two that touch there, the one that begins."""
    path = [node]
    while True:
        inside = [child for child in child_nodes(path[-1]) if child.span.start <= offset <= child.span.end]
        if not inside:
            return path
        path.append(max(inside, key=lambda child: child.span.start))
