"""The definitions of a file, which all of its models and train sections share: `netc check` elaborates each of them.

`FileDefinitions` has the scope of the file as it was before any elaboration, its models and train sections by name, and the names that it
does not use. Checking n models or n train sections takes n times as long as one, not n * n times, because this work is done once per file.

    >>> from netc.dsl.parser import parse_source
    >>> file, _ = parse_source(SourceFile("<text>", "model base(width) { input 3 -> dense width }; model small = base width=4"))
    >>> complete_models(file)
    ['small']
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from netc.dsl import ast
from netc.dsl.source import SourceFile

from ...binding.declarations import kind_of
from ...binding.file_names import FileNames, bind_file
from ...binding.name_scopes import Definition
from ...binding.section_names import section_name, sections_of
from ...errors.structure_errors import StrayStatement
from ..elaboration_session import ElaborationSession
from ..names.unused import UnusedWarning, find_unused_names
from ..resource_limits import MAX_DEPTH, MAX_ERRORS, Budget, Resource, deep_stack
from ..scopes.scope import Binding, BlockDef, FnDef, LazyLet, Scope
from .file_scopes import define_file


class FileDefinitions:
    """The definitions of one file, for any number of elaborations."""

    def __init__(self, file: ast.File, source: SourceFile, names: FileNames | None = None) -> None:
        """`names` are the names of this file, if they are bound already."""
        self.file = file
        self.source = source
        self.models: dict[str, ast.ModelDecl] = {m.name.name: m for m in file.items if isinstance(m, ast.ModelDecl)}
        self.complete = complete_models(file)
        """The models that can be elaborated as they are."""
        self.sections: dict[str, ast.TrainDecl] = {}
        """The train sections by name: of several with one name, the first."""
        self.repeated_sections = tuple(s for s in sections_of(file) if self.sections.setdefault(section_name(s), s) is not s)
        """The others with a name that is taken."""
        self.statements = tuple(i for i in file.items if isinstance(i, ast.Statement))
        """The statements outside of all definitions."""
        self._names = names
        self._unused: list[UnusedWarning] | None = None
        self._scopes: dict[str, tuple[Scope, bool]] = {}
        self._used: dict[tuple[str, str], SourceFile] = {}
        self._failure: ElaborationSession | None = None
        self._settled: list[tuple[Binding, Any]] = []
        self._spent: dict[Resource, int] = {}

    def next_budget(self) -> Budget:
        """The budget of the next elaboration."""
        return Budget(self._spent)

    def unused_names(self) -> list[UnusedWarning]:
        """The warnings about unused names, at most as many as are shown."""
        if self._unused is None:
            self._unused = [*islice(find_unused_names(self.names), MAX_ERRORS)]
        return self._unused

    @property
    def names(self) -> FileNames:
        """The definitions that the names of the file refer to."""
        if self._names is None:
            with deep_stack():
                self._names = bind_file(self.file, self._imported_names)
        return self._names

    def _imported_names(self, use: ast.Use) -> dict[str, Definition]:
        """Return the definitions that a `use` has made visible in the scope of the file."""
        scope, _ = self._scopes.get(self.source.name, (None, False))
        if scope is None:
            return {}
        wanted = [name.name for name in use.names] or scope.names
        bound = ((name, _imported_definition(name, scope.names.get(name), self.source)) for name in wanted)
        return {name: definition for name, definition in bound if definition is not None}

    def file_scope(self, session: ElaborationSession) -> Scope:
        """The scope of the file. Its errors are reported to the first session. Each further session gets only the first error, so that it
        has failed too."""
        if self._scopes:
            self._restore_bindings()
            session.used = self._used
            session.files = {name: scope for name, (scope, _) in self._scopes.items()}
            # Enough for the session to have failed; all errors would be printed once for each model.
            first = None if self._failure is None else next((d for d in self._failure.diagnostics if d.severity == "error"), None)
            session.diagnostics += () if first is None else (first,)
            session.errors += first is not None
            return session.files[self.source.name]
        scope = define_file(self.file, self.source, session)
        for statement in self.statements if self.models else ():
            # The parser has reported a broken statement.
            if not isinstance(statement, (ast.Let, ast.Broken)):
                session.report_problem(StrayStatement(), statement.span)
        if session.has_failed:
            self._failure = session
        self._scopes = {name: (scope, scope.incomplete) for name, scope in session.files.items()}
        self._used = session.used
        _ = self.names  # before any `let` gets its value, which is no definition
        return scope

    def record_elaboration(self, session: ElaborationSession) -> None:
        """Records an elaboration at its end: its resources count for the next one, and its bindings will be restored."""
        self._settled = session.lazily_bound
        for resource, amount in session.budget.total_spent().items():
            self._spent[resource] = self._spent.get(resource, 0) + amount

    def _restore_bindings(self) -> None:
        """Forgets the values that the last elaboration gave to names, since another model may give them other values."""
        for binding, value in reversed(self._settled):
            binding.value = value
        for scope, incomplete in self._scopes.values():
            scope.incomplete = incomplete


def complete_models(file: ast.File) -> list[str]:
    """The models of a file that can be elaborated as they are. One with a parameter without a default is a base for others; if there is
    no complete one, all are returned."""
    models = [item for item in file.items if isinstance(item, ast.ModelDecl)]
    complete = [m for m in models if all(p.default is not None for p in m.parameters if isinstance(p, ast.ParameterDecl))]
    return [m.name.name for m in complete or models]


def _imported_definition(name: str, binding: Binding | None, source: SourceFile) -> Definition | None:
    """The definition of a name in another file."""
    if binding is None or binding.span is None or binding.span.file is source or not isinstance(binding.value, (BlockDef, FnDef, LazyLet)):
        return None
    return _define(name, binding, binding.value)


def _define(name: str, binding: Binding, value: BlockDef | FnDef | LazyLet, depth: int = 0) -> Definition:
    """The definition of a name, with the model that a model is derived from. Models that are derived from each other are an error, which is
    reported when one is elaborated."""
    node, base = value.node, None
    assert binding.span is not None
    if isinstance(node, ast.ModelDecl) and node.base is not None and depth < MAX_DEPTH:
        target, theirs = value.scope.names.get(node.base.name), value.scope.find_model(node.base.name)
        if target is not None and theirs is not None and target.span is not None:
            base = _define(node.base.name, target, theirs, depth + 1)
    return Definition(binding.span, name, kind_of(node), node, base=base)
