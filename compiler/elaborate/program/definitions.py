"""What a file defines, found once for all of its models and train sections: `netc check` elaborates each of them.

In: a file, and the session of each elaboration. Out: the scope of the file, as it was before any elaboration; its models and sections by
name; the names that it does not use. Always: n models take n times what one takes, not n * n, since nothing here is done again for each.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from netc.dsl import ast
from netc.dsl.source import SourceFile

from ...errors.structure import StrayStatement
from ..limits import MAX_ERRORS, Budget, Resource
from ..names.unused import Found, Known, unused
from ..scopes.scope import Binding, Scope
from ..session import ElaborationSession
from .files import define


class Definitions:
    def __init__(self, file: ast.File, source: SourceFile, names: Known | None = None) -> None:
        """`names` is what was found of the names in this file, or in nearly the same text."""
        self.file = file
        self.source = source
        self.models: dict[str, ast.ModelDecl] = {m.name.name: m for m in file.items if isinstance(m, ast.ModelDecl)}
        self.complete = complete_models(file)
        """The models that can be elaborated as they are."""
        self.statements = tuple(i for i in file.items if isinstance(i, ast.Statement))
        """Those of the file itself."""
        self._names: Known = {} if names is None else names
        self._unused: list[Found] | None = None
        self._scopes: dict[str, tuple[Scope, bool]] = {}
        self._failure: ElaborationSession | None = None
        self._settled: list[tuple[Binding, Any]] = []
        self._spent: dict[Resource, int] = {}

    def next_budget(self) -> Budget:
        """What the next elaboration may take."""
        return Budget(self._spent)

    def unused_names(self) -> list[Found]:
        """The warnings of names that are not used, at most as many as are shown."""
        if self._unused is None:
            self._unused = [*islice(unused(self.file, self._names), MAX_ERRORS)]
        return self._unused

    def file_scope(self, session: ElaborationSession) -> Scope:
        """The scope of the file. Its errors are reported to the first session; each further one gets the first of them."""
        if self._scopes:
            self._restore_bindings()
            session.files = {name: scope for name, (scope, _) in self._scopes.items()}
            first = None if self._failure is None else next((d for d in self._failure.diagnostics if d.severity == "error"), None)
            session.diagnostics += () if first is None else (first,)
            session.errors += first is not None
            return session.files[self.source.name]
        made = define(self.file, self.source, session)
        for statement in self.statements if self.models else ():
            if not isinstance(statement, (ast.Let, ast.Broken)):
                session.report(StrayStatement(), statement.span)
        if session.failed:
            self._failure = session
        self._scopes = {name: (scope, scope.incomplete) for name, scope in session.files.items()}
        return made

    def record_elaboration(self, session: ElaborationSession) -> None:
        """After an elaboration: what it has taken counts for the next one."""
        self._settled = session.settled
        for resource, amount in session.budget.total_spent().items():
            self._spent[resource] = self._spent.get(resource, 0) + amount

    def _restore_bindings(self) -> None:
        """What the last elaboration evaluated at its first use is forgotten, since another model may give it another value."""
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
