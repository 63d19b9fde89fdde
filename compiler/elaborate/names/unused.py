"""Names that are never used, and results that go nowhere: found in the text alone, so that a branch not taken counts as a use.

In: a file. Out: its warnings. Always: those of a block, and of a model that no train section uses, depend on nothing but its text, so they
are found once for all models of a file, and for all texts that still have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from operator import attrgetter
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...errors.base import Problem
from ...errors.names import UnusedName, UnusedResult
from ...ir.training import LOSS
from .setting_words import mistaken

_BINDING = {
    ast.Block: ("name",),
    ast.ModelDecl: ("name",),
    ast.Assign: ("targets",),
    ast.Let: ("name",),
    ast.Unpacked: ("pattern", "name"),
    ast.ForClause: ("binders",),
    ast.Repeat: ("binders",),
    ast.Each: ("binders",),
    ast.Shared: ("name",),
    ast.ParameterDecl: ("name",),
    ast.TensorParameter: ("name",),
    ast.ScanState: ("name",),
}


_PLAIN = frozenset(("Span", "str", "int", "float", "bool", "None", "tuple"))
"""The words of types of fields that no node is in."""

Found = tuple[Problem, Span]


class OfItem(Record):
    """What one block or model has: its warnings, the names that it uses, and whether a part of it did not parse."""

    warnings: tuple[Found, ...]
    mentioned: frozenset[str]
    broken: bool


Known = dict[int, tuple[ast.Item, OfItem]]
"""What has been found of blocks and models, by their identity, which the item itself keeps."""


def unused(file: ast.File, known: Known) -> Iterator[Found]:
    """The warnings for all bodies of a file. A file's own `let`s are its parameters, which other files may set or use."""
    sections = tuple(item for item in file.items if isinstance(item, ast.TrainDecl))
    alone = (ast.Block,) if sections else (ast.Block, ast.ModelDecl)
    items = [_of_item(item, known) for item in file.items if isinstance(item, alone)]
    others = tuple(item for item in file.items if not isinstance(item, alone))
    nodes = [*nodes_within(others)]
    if any(item.broken for item in items) or _is_broken(nodes):
        return  # the names may be used in what did not parse
    for item in items:
        yield from item.warnings
    loose = tuple(i for i in others if isinstance(i, ast.Statement))
    if not any(isinstance(i, ast.ModelDecl) for i in file.items):
        yield from _body(loose, lambda: {*_mentioned(nodes), *(name for item in items for name in item.mentioned)}, lets=False)
    of_sections = frozenset(mentions(sections))  # of all sections at once, since a section may be derived from any other
    for other in others:
        if isinstance(other, (ast.ModelDecl, ast.TrainDecl)):
            own = mentions((other,)) if isinstance(other, ast.ModelDecl) and other.parameters else ()
            yield from _parameters(other, of_sections.union(own))
    of_section_bodies = {id(section.body) for section in sections}
    of_model_bodies = {id(i.body) for i in others if isinstance(i, ast.ModelDecl)}
    purposes = {LOSS, *_inputs(nodes)} if sections else set()
    for body, states in _bodies(nodes):
        text = (*body.statements, *states)
        statements, of_section = body.statements, id(body) in of_section_bodies
        if of_section:  # what only looks like a setting is an error
            statements = tuple(s for s in statements if not mistaken(s))
        if of_section:
            found = _body(statements, partial(iter, of_sections))
        elif id(body) in of_model_bodies:
            found = _body(statements, partial(of_sections.union, mentions(text)))
        else:
            found = _body(statements, partial(mentions, text))
        if of_section:
            found = ((problem, span) for problem, span in found if not isinstance(problem, UnusedName) or problem.name not in purposes)
        yield from found


def _of_item(item: ast.Block | ast.ModelDecl, known: Known) -> OfItem:
    if id(item) not in known:
        known[id(item)] = item, _found(item)
    return known[id(item)][1]


def _found(item: ast.Block | ast.ModelDecl) -> OfItem:
    nodes = [*nodes_within(item)]
    mentioned = frozenset(_mentioned(nodes))
    warnings = [*_parameters(item, mentioned)]
    for body, states in _bodies(nodes):
        warnings += _body(body.statements, partial(mentions, (*body.statements, *states)))
    return OfItem(tuple(warnings), mentioned, _is_broken(nodes))


def _is_broken(nodes: list[ast.Node]) -> bool:
    return any(isinstance(node, ast.Broken) for node in nodes)


def _bodies(nodes: list[ast.Node]) -> Iterator[tuple[ast.Body, tuple[ast.Name, ...]]]:
    """Each body; that of a scan with its states, which the next step uses."""
    states: dict[int, tuple[ast.Name, ...]] = {}
    for node in nodes:
        if isinstance(node, ast.Scan):
            states[id(node.body)] = tuple(state.name for state in node.states)
        elif isinstance(node, ast.Body):
            yield node, states.get(id(node), ())


def _inputs(nodes: list[ast.Node]) -> Iterator[str]:
    """The names of all inputs: a train section that binds one says what the model is given."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value.head, ast.InputDecl):
            yield from (target.name for target in node.targets)


def _body(statements: tuple[ast.Statement, ...], mentioned: Callable[[], Iterable[str]], lets: bool = True) -> Iterator[Found]:
    """The names that `statements` bind and that are not mentioned. Most bodies bind none: then that is not asked for."""
    last = _last_pipeline(statements)
    bound = [[*_bound(statement, lets)] for statement in statements]
    used = set(mentioned()) if any(bound) else set()
    for statement, names in zip(statements, bound, strict=True):
        for name, what in names:
            if name.name not in used and statement is not last and not name.name.startswith("_"):
                yield UnusedName(name.name, what), name.span
        if isinstance(statement, ast.Flow) and statement is not last:
            yield UnusedResult(), statement.span


def _last_pipeline(statements: tuple[ast.Statement, ...]) -> ast.Statement | None:
    if any(isinstance(s, ast.Out) for s in statements):
        return None
    return next((s for s in reversed(statements) if isinstance(s, (ast.Flow, ast.Assign))), None)


def _bound(statement: ast.Statement, lets: bool) -> Iterator[tuple[ast.Name, str]]:
    match statement:
        case ast.Assign(value=ast.Pipeline(head=ast.Scalar(), stages=())):
            return  # reported already: a number is no tensor
        case ast.Assign(targets=targets):
            yield from ((t, "name") for t in targets)
        case ast.Let(name=name) if lets:
            yield name, "name"
        case ast.Shared(name=name):
            yield name, "shared stage"


def _parameters(item: ast.Block | ast.ModelDecl | ast.TrainDecl, mentioned: frozenset[str]) -> Iterator[Found]:
    """Those of `item` that are not mentioned."""
    first_tensor = next((p for p in item.parameters if isinstance(p, ast.TensorParameter)), None)
    for parameter in item.parameters:
        name = parameter.name
        if name.name not in mentioned and not name.name.startswith("_") and parameter is not first_tensor:
            yield UnusedName(name.name, "parameter"), name.span


def mentions(nodes: tuple[Any, ...]) -> Iterator[str]:
    """Every name that is used, not bound, in the nodes."""
    return _mentioned(nodes_within(nodes))


def _mentioned(everything: Iterable[ast.Node]) -> Iterator[str]:
    return (node.name for node in everything if isinstance(node, (ast.Name, ast.Apply)))


def nodes_within(root: object) -> Iterator[ast.Node]:
    """All nodes but the names that they bind."""
    stack = [root]
    unpacked: set[int] = set()  # the lists of `let (a, b) = ...` that were visited: each of their names refers to the whole list
    while stack:
        found = stack.pop()
        if isinstance(found, tuple):
            stack += found
        elif isinstance(found, ast.Unpacked):
            yield found
            if id(found.value) not in unpacked:
                unpacked.add(id(found.value))
                stack.append(found.value)
        elif isinstance(found, ast.Node):
            yield found
            stack += _contents(type(found))(found)


@cache
def _contents(kind: type[ast.Node]) -> Callable[[ast.Node], tuple[object, ...]]:
    """Returns the fields of such a node that may have nodes in them, without those that it binds."""
    declared = {field: text for base in kind.__mro__ for field, text in vars(base).get("__annotations__", {}).items()}
    inner = [field for field in kind.__match_args__ if field not in _BINDING.get(kind, ()) and not _is_plain(declared[field])]
    match inner:
        case []:
            return lambda node: ()
        case [field]:
            only = attrgetter(field)
            return lambda node: (only(node),)
    return attrgetter(*inner)


def _is_plain(annotation: str) -> bool:
    return _PLAIN.issuperset(re.findall(r"\w+", annotation))
