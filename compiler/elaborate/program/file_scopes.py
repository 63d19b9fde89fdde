"""Files as scopes: what a text defines, and what it imports from other files with `use`.

All definitions of a file are visible in all of it, so a scope is filled before anything in it is evaluated.

    >>> from netc.dsl.parser import parse_source
    >>> source = SourceFile("<text>", "let width = 4; block b { relu }")
    >>> list(define_file(parse_source(source)[0], source, ElaborationSession()).visible_names())
    ['width', 'b']
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.source import SourceFile

from ...errors.binding_errors import BoundTwice, ReservedName
from ...errors.file_errors import CannotUse, NotInFile, UseCycle
from ...errors.limit_errors import TooMuchNesting
from ...errors.problem import Problem
from ...types.tensor_types import BATCH
from ..elaboration_session import CannotLoad, ElaborationSession
from ..resource_limits import MAX_DEPTH
from ..scopes.compile_time_values import UNKNOWN
from ..scopes.early_exits import Failure
from ..scopes.scope import UNNEEDED, Binding, BlockDef, FnDef, LazyLet, Scope, check_distinct


def define_file(file: ast.File, source: SourceFile, session: ElaborationSession) -> Scope:
    """The scope of a file: its blocks, models, fns, lets, and what it uses. Each is visible everywhere in the file."""
    scope = Scope(None, None)
    session.files[source.name] = scope
    # Before its `use`s are followed, so that a circle of files is noticed.
    session.loading.append(source.name)
    for item in file.items:
        with session.catch_failures(()):
            _define_item(item, scope, session)
    session.loading.pop()
    return scope


def _define_item(item: ast.Item, scope: Scope, session: ElaborationSession) -> None:
    match item:
        case ast.Fn():
            _bind_definition(item.name, FnDef(item, scope), scope, session)
        case ast.Block() | ast.ModelDecl():
            _bind_definition(item.name, BlockDef(item, scope), scope, session)
        case ast.Let():
            _bind_definition(item.name, LazyLet(item, scope), scope, session)
        case ast.Use():
            _import_file(item, scope, session)
        case ast.Broken():
            for name in item.names:
                scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))


def _bind_definition(name: ast.Name, value: FnDef | BlockDef | LazyLet, scope: Scope, session: ElaborationSession) -> None:
    earlier = scope.names.get(name.name)
    if earlier is not None and name.name != UNNEEDED:
        raise _bound_twice(name, earlier, scope)
    parameters = value.node.parameters if isinstance(value, (BlockDef, FnDef)) else ()
    if parameters:
        with session.catch_failures(()):
            check_distinct(p.name for p in parameters)
    for bound in (name, *(p.name for p in parameters)):
        if bound.name == BATCH:
            scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
            raise Failure(ReservedName(BATCH, "it is the batch dimension"), bound.span)
    session.index.record_binding(name, scope.bind_name(name.name, value, name.span))


def _bound_twice(name: ast.Name, earlier: Binding, scope: Scope) -> Failure:
    # Nobody knows which definition was meant, so uses of the name report nothing further.
    scope.names[name.name] = Binding(UNKNOWN, earlier.span)
    return Failure(BoundTwice(name.name), name.span, ((earlier.span, "defined here"),) if earlier.span else ())


def _import_file(node: ast.Use, scope: Scope, session: ElaborationSession) -> None:
    source = _load_source(node, scope, session)
    if source.name in session.loading:
        chain = (*session.loading[session.loading.index(source.name) :], source.name)
        raise _give_up(node, scope, UseCycle(chain))
    if len(session.loading) > MAX_DEPTH:
        raise _give_up(node, scope, TooMuchNesting(MAX_DEPTH, "files that use others"))
    theirs = session.files.get(source.name) or _define_source(source, session)
    # A text may use one large file again and again.
    session.count_items(len(theirs.names), node.path.span)
    for name in node.names or [ast.Name(node.path.span, conflict) for conflict in _import_free_names(theirs, scope)]:
        with session.catch_failures(()):
            _import_name(name, node, theirs, scope)
    for name in node.names:
        session.index.record_name(name.span, name.name, theirs.names.get(name.name))


def _import_free_names(theirs: Scope, scope: Scope) -> list[str]:
    """Import all names of a file except its models' names. Returns the names that have another definition in the scope already.

    In a chain of files, each imports the names of all files after it: an error handler for each name would take most of the time."""
    conflicts: list[str] = []
    for name, binding in theirs.names.items():
        if name == UNNEEDED or theirs.find_model(name) is not None:
            continue
        earlier = scope.names.get(name)
        if earlier is None or earlier.value is binding.value:
            scope.names[name] = binding
        else:
            conflicts.append(name)
    return conflicts


def find_unnamed_model(name: str, file: SourceFile, session: ElaborationSession) -> str:
    """The path of a `use` of `file` whose file has the model, or an empty string. It is called after the name was not found."""
    for (user, path), source in session.used.items():
        if user == file.name and source.name in session.files and session.files[source.name].find_model(name) is not None:
            return path
    return ""


def _load_source(node: ast.Use, scope: Scope, session: ElaborationSession) -> SourceFile:
    path = node.path.value
    try:
        if session.loader is None:
            raise CannotLoad("there are no files to be read here")
        if not path.strip():
            raise CannotLoad("the path is empty")
        source = session.used[node.span.file.name, path] = session.loader(path, node.span.file)
        return source
    except CannotLoad as problem:
        raise _give_up(node, scope, CannotUse(path, problem.why, problem.near, problem.remedy)) from None


def _give_up(node: ast.Use, scope: Scope, problem: Problem) -> Failure:
    """The failure of a `use` whose file is not read. Its names are known, so that nothing more is reported about them."""
    for name in node.names:
        scope.bind_name(name.name, UNKNOWN, name.span)
    # Without a list of names, any unknown name may be from the file that could not be read.
    scope.incomplete |= not node.names
    return Failure(problem, node.path.span)


def _define_source(source: SourceFile, session: ElaborationSession) -> Scope:
    file, diagnostics = session.parse(source)
    session.diagnostics += diagnostics
    return define_file(file, source, session)


def _import_name(name: ast.Name, node: ast.Use, theirs: Scope, scope: Scope) -> None:
    binding = theirs.names.get(name.name)
    if binding is None:
        scope.bind_name(name.name, UNKNOWN, name.span)
        raise Failure(NotInFile(name.name, node.path.value, tuple(find_similar_names(name.name, list(theirs.names)))), name.span)
    earlier = scope.names.get(name.name)
    # The same definition by two paths, as in a diamond of files, is no conflict.
    if earlier is not None and earlier.value is not binding.value:
        raise _bound_twice(name, earlier, scope)
    scope.names[name.name] = binding
