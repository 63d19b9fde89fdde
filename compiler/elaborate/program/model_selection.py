"""Selects the model of a file: the one that is asked for, the one with the name of the file, the only one, or the file's statements.

>>> _make_identifier("resnet-18"), _make_identifier("2023 best")
('resnet_18', 'net_2023_best')
"""

from __future__ import annotations

import os

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.source import SourceFile, Span

from ...errors.structure_errors import MARKED, AmbiguousModel, ExpectMisplaced, UnknownModel
from ..elaboration_session import ElaborationSession
from ..scopes.scope import Scope
from .file_definitions import FileDefinitions
from .file_scopes import find_unnamed_model
from .option_origin import option_span


class SelectedModel:
    """The model to be elaborated: its name and body. `node` is None for the file's own statements. `scope` is the scope of the model's
    file, if that is another one."""

    def __init__(self, name: str, body: ast.Body, node: ast.ModelDecl | None, scope: Scope | None = None) -> None:
        self.name = name
        self.body = body
        self.node = node
        self.scope = scope
        self.span = node.name.span if node is not None else Span(body.span.file, 0, 0)


def select_model(definitions: FileDefinitions, files: Scope, wanted: str | None, session: ElaborationSession) -> SelectedModel | None:
    """The selected model; None if there is none, or if the choice is ambiguous (which is reported). One that the file imports is selected
    only if it is `wanted`."""
    models, source, complete = definitions.models, definitions.source, definitions.complete
    stem = os.path.splitext(os.path.basename(source.name))[0]
    imported = find_model(wanted, files) if wanted is not None and wanted not in models else None
    if imported is not None:
        return imported
    if not models:
        return _select_statements(definitions.statements, source, stem, wanted, session)
    # A model without defaults is a base for others, so only complete ones make the choice ambiguous.
    if wanted is None and len(complete) > 1 and stem not in complete:
        first, *others = (models[n].name.span for n in complete[:MARKED])
        session.report_problem(AmbiguousModel(tuple(complete)), first, tuple((o, "another one") for o in others))
        return None
    name = wanted or (stem if stem in complete else complete[0])
    if name not in models:
        known = [*files.model_names()]
        path = find_unnamed_model(name, definitions.source, session)
        session.report_problem(UnknownModel(name, tuple(find_similar_names(name, known)), tuple(known), path), option_span("--model", name))
        return None
    return SelectedModel(name, models[name].body, models[name])


def find_model(name: str, files: Scope) -> SelectedModel | None:
    """The model of this name that the file of the scope defines or imports."""
    definition = files.find_model(name)
    if definition is None or not isinstance(definition.node, ast.ModelDecl):
        return None
    return SelectedModel(definition.node.name.name, definition.node.body, definition.node, definition.scope)


def _select_statements(
    statements: tuple[ast.Statement, ...], source: SourceFile, stem: str, wanted: str | None, session: ElaborationSession
) -> SelectedModel | None:
    """The model that a file's own statements are."""
    # The model of `my-net.net` is called `my_net`; both names select it.
    if wanted is not None and wanted not in (stem, _make_identifier(stem)):
        session.report_problem(UnknownModel(wanted, (), ()), option_span("--model", wanted))
        return None
    # A library: nothing computes a tensor.
    if all(isinstance(i, (ast.Let, ast.Broken, ast.Expect)) for i in statements):
        for statement in statements:
            if isinstance(statement, ast.Expect):
                session.report_problem(ExpectMisplaced(lone=True), statement.span)
        return None
    span = statements[0].span.to(statements[-1].span)
    return SelectedModel(_make_identifier(stem), ast.Body(span, statements), None)


def _make_identifier(stem: str) -> str:
    if stem.startswith("<"):  # `<text>`, `<stdin>`: no file
        return "net"
    if not stem.isascii():  # letters without their accents
        from unicodedata import combining, normalize

        stem = "".join(c for c in normalize("NFKD", stem.replace("ß", "ss")) if not combining(c))
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in stem).strip("_")
    return name if name and not name[0].isdigit() else f"net_{name}" if name else "net"
