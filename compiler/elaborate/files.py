"""Files as scopes: what a text defines, and what it takes from other files by `use`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.parser import parse
from netc.dsl.source import SourceFile

from ..errors.files import CannotUse, NotInFile, UseCycle
from ..errors.names import BoundTwice, ReservedName
from ..ir.types import BATCH
from .scope import Binding, Scope, distinct
from .session import CannotLoad, Session
from .values import UNKNOWN, BlockDef, Failure, FnDef, LazyLet


def define(file: ast.File, source: SourceFile, session: Session) -> Scope:
    """The scope of a file: its blocks, models, fns, lets, and what it uses. Everything is visible from everywhere in the file."""
    scope = Scope(None, None)
    session.files[source.name] = scope
    session.loading.append(source.name)
    for item in file.items:
        rule = _RULES.get(type(item))
        if rule is not None:
            with session.catching(()):
                rule(item, scope, session)
    session.loading.pop()
    return scope


def _put(name: ast.Name, value: Any, scope: Scope, session: Session) -> None:
    earlier = scope.names.get(name.name)
    if earlier is not None:
        scope.names[name.name] = Binding(UNKNOWN, earlier.span)
        raise Failure(BoundTwice(name.name), name.span, ((earlier.span, "bound here"),) if earlier.span else ())
    parameters = value.node.parameters if isinstance(value, (BlockDef, FnDef)) else ()
    with session.catching(()):
        distinct(p.name for p in parameters)
    for bound in (name, *(p.name for p in parameters)):
        if bound.name == BATCH:
            scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
            raise Failure(ReservedName(BATCH, "it is the batch dimension"), bound.span)
    scope.bind(name.name, value, name.span)


def _use(node: ast.Use, scope: Scope, session: Session) -> None:
    using = node.span.file
    path = node.path.value
    try:
        if session.loader is None:
            raise CannotLoad("there are no files to be read here")
        if not path.strip():
            raise CannotLoad("the path is empty")
        source = session.loader(path, using)
    except CannotLoad as problem:
        for name in node.names:
            scope.bind(name.name, UNKNOWN, name.span)
        raise Failure(CannotUse(path, problem.why, problem.near), node.path.span) from None
    if source.name in session.loading:
        chain = (*session.loading[session.loading.index(source.name) :], source.name)
        raise Failure(UseCycle(chain), node.path.span)
    theirs = session.files.get(source.name) or _load(source, session)
    wanted = node.names or tuple(ast.Name(node.path.span, n) for n, b in theirs.names.items() if not _is_model(b))
    for name in wanted:
        with session.catching(()):
            _take(name, node, theirs, scope)


def _is_model(binding: Binding) -> bool:
    return isinstance(binding.value, BlockDef) and isinstance(binding.value.node, ast.Model)


def _load(source: SourceFile, session: Session) -> Scope:
    file, diagnostics = parse(source)
    session.diagnostics += diagnostics
    return define(file, source, session)


def _take(name: ast.Name, node: ast.Use, theirs: Scope, scope: Scope) -> None:
    binding: Binding | None = theirs.names.get(name.name)
    if binding is None:
        scope.bind(name.name, UNKNOWN, name.span)
        raise Failure(NotInFile(name.name, node.path.value, tuple(near(name.name, list(theirs.names)))), name.span)
    earlier = scope.names.get(name.name)
    if earlier is not None and earlier.value is not binding.value:
        scope.names[name.name] = Binding(UNKNOWN, earlier.span)
        raise Failure(BoundTwice(name.name), name.span, ((earlier.span, "bound here"),) if earlier.span else ())
    scope.names[name.name] = binding


def _broken(node: ast.Broken, scope: Scope, session: Session) -> None:
    for name in node.names:
        scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))


_RULES: dict[type[ast.Node], Callable[[Any, Scope, Session], None]] = {
    ast.Broken: _broken,
    ast.Use: _use,
    ast.Fn: lambda node, scope, session: _put(node.name, FnDef(node, scope), scope, session),
    ast.Block: lambda node, scope, session: _put(node.name, BlockDef(node, scope), scope, session),
    ast.Model: lambda node, scope, session: _put(node.name, BlockDef(node, scope), scope, session),
    ast.Let: lambda node, scope, session: _put(node.name, LazyLet(node, scope), scope, session),
}
