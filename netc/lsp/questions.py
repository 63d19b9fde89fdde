"""The questions of the protocol about a position: hover, completion, signatures, navigation, code actions, models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from lsprotocol import types

from netc.dsl.record import replace
from netc.dsl.source import Span

from ..service.actions import Action, actions, fix_all
from ..service.checked_text import Checked
from ..service.completion_items import complete
from ..service.hover import hover
from ..service.navigation import RenameRefused, definition, references, renamable, rename
from ..service.signatures import signature
from .protocol import Refused
from .server import NetServer

CHOOSE = "netc.chooseModel"
"""The command that says which model of a text is shown: its arguments are the URI and the name."""
_WORD = re.compile(r"\w*")
ITEMS = {
    "operator": types.CompletionItemKind.Function,
    "block": types.CompletionItemKind.Class,
    "function": types.CompletionItemKind.Function,
    "shared": types.CompletionItemKind.Function,
    "let": types.CompletionItemKind.Constant,
    "parameter": types.CompletionItemKind.Variable,
    "variable": types.CompletionItemKind.Variable,
    "tensor": types.CompletionItemKind.Variable,
    "dimension": types.CompletionItemKind.TypeParameter,
    "argument": types.CompletionItemKind.Property,
    "word": types.CompletionItemKind.EnumMember,
    "type": types.CompletionItemKind.TypeParameter,
    "label": types.CompletionItemKind.Field,
    "file": types.CompletionItemKind.File,
    "keyword": types.CompletionItemKind.Keyword,
}


def register(server: NetServer) -> None:
    """Adds the features to a server."""
    _about(server)
    _navigation(server)
    _actions(server)
    _models(server)


class _Positioned(Protocol):
    """A question about a position."""

    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...
    @property
    def position(self) -> types.Position: ...


def _place(server: NetServer, params: _Positioned) -> tuple[Checked, int] | None:
    """The text and the offset that a question is about."""
    checked = server.checked(params.text_document.uri)
    return None if checked is None else (checked, server.positions(checked.source.text).offset(params.position))


def _about(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        place = _place(server, params)
        found = hover(*place) if place is not None else None
        if found is None:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found.text), server.convert.range(found.span))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[" ", "=", ".", "(", ",", '"', "/"]))
    async def completed(params: types.CompletionParams) -> types.CompletionList:
        place = _place(server, params)
        if place is None:
            return types.CompletionList(False, [])
        checked, offset = place
        items = [
            types.CompletionItem(
                one.label,
                kind=ITEMS[one.kind],
                detail=one.detail or None,
                documentation=types.MarkupContent(types.MarkupKind.Markdown, one.page) if one.page else None,
                sort_text=f"{number:04}",
                text_edit=_insertion(server, Span(checked.source, one.start, offset), one.insert or one.label),
            )
            for number, one in enumerate(complete(checked, offset))
        ]
        return types.CompletionList(False, items)

    @server.feature(types.TEXT_DOCUMENT_SIGNATURE_HELP, types.SignatureHelpOptions(trigger_characters=[" ", "("]))
    async def signed(params: types.SignatureHelpParams) -> types.SignatureHelp | None:
        place = _place(server, params)
        found = signature(*place) if place is not None else None
        if found is None:
            return None
        parameters = [types.ParameterInformation(one.text, one.about or None) for one in found.arguments]
        return types.SignatureHelp(
            [types.SignatureInformation(found.label, found.about or None, parameters, found.active)], 0, found.active
        )


def _insertion(server: NetServer, typed: Span, text: str) -> types.TextEdit | types.InsertReplaceEdit:
    """What replaces the part of a word that is typed; the whole word, if the editor's user wants that."""
    insert = server.convert.range(typed)
    if not server.replaces:
        return types.TextEdit(insert, text)
    rest = _WORD.match(typed.file.text, typed.end)
    return types.InsertReplaceEdit(text, insert, server.convert.range(replace(typed, end=rest.end() if rest else typed.end)))


def _navigation(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def defined(params: types.DefinitionParams) -> types.Location | None:
        place = _place(server, params)
        found = definition(*place) if place is not None else None
        return None if found is None else server.convert.location(found)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def referred(params: types.ReferenceParams) -> list[types.Location]:
        place = _place(server, params)
        found = references(server.texts, *place, params.context.include_declaration) if place is not None else []
        return [server.convert.location(span) for span in found]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    async def highlighted(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        place = _place(server, params)
        found = references(server.texts, *place) if place is not None else []
        return [types.DocumentHighlight(server.convert.range(span)) for span in found if place and span.file is place[0].source]

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepared(params: types.PrepareRenameParams) -> types.Range | None:
        place = _place(server, params)
        try:
            return None if place is None else server.convert.range(renamable(*place))
        except RenameRefused as refused:
            raise Refused(str(refused)) from None

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def renamed(params: types.RenameParams) -> types.WorkspaceEdit | None:
        place = _place(server, params)
        try:
            return None if place is None else server.convert.edits(rename(server.texts, *place, params.new_name))
        except RenameRefused as refused:
            raise Refused(str(refused)) from None


def _actions(server: NetServer) -> None:
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]

    def shown(action: Action, params: types.CodeActionParams) -> types.CodeAction:
        fixes = [d for d in params.context.diagnostics if action.fixes is not None and d.code == action.fixes.code]
        kind = types.CodeActionKind.QuickFix if action.fixes is not None else types.CodeActionKind.SourceFixAll
        return types.CodeAction(
            action.title, kind, fixes or None, action.safe and action.fixes is not None, edit=server.convert.edits(action.edits)
        )

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))
    async def offered(params: types.CodeActionParams) -> list[types.CodeAction]:
        checked = server.checked(params.text_document.uri)
        if checked is None:
            return []
        positions = server.positions(checked.source.text)
        found = actions(checked, positions.offset(params.range.start), positions.offset(params.range.end))
        every = fix_all(checked)
        listed = [shown(action, params) for action in (*found, *((every,) if every is not None else ()))]
        return [one for one in listed if _wanted(one, params.context.only)]


def _wanted(action: types.CodeAction, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether an action is of one of the kinds that are asked for, or of a kind within one."""
    kind = str(getattr(action.kind, "value", action.kind))
    asked = [str(getattr(one, "value", one)) for one in only or ()]
    return only is None or any(kind == one or kind.startswith(f"{one}.") for one in asked)


def _models(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def lenses(params: types.CodeLensParams) -> list[types.CodeLens]:
        checked = server.checked(params.text_document.uri)
        if checked is None or len(checked.models) < 2:
            return []
        spans = {one.name: one.span for one in checked.names.top.names.values() if one.kind == "model"}
        found: list[types.CodeLens] = []
        for model in checked.models:
            if model in spans:
                title = "shapes are of this model" if model == checked.models[0] else "show the shapes of this model"
                command = types.Command(title, CHOOSE, arguments=[params.text_document.uri, model])
                found.append(types.CodeLens(server.convert.range(spans[model]), command))
        return found

    @server.command(CHOOSE)
    async def choose(uri: str, model: str) -> None:
        server.texts.choose(server.path(uri), model)
        server.recheck(uri)
        server.refresh_hints()
