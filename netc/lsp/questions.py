"""Handle the requests about positions: hover, completion, signatures, navigation, code actions, models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from lsprotocol import types

from netc.dsl.record import replace
from netc.dsl.source import Span

from ..service.actions import Action, find_actions, fix_all
from ..service.checked_text import CheckedText
from ..service.completion_items import find_completions
from ..service.hover import make_hover
from ..service.navigation import RenameRefused, find_definition, find_references, find_renamable, make_rename
from ..service.signatures import find_signature
from .protocol import Refused
from .server import NetServer

CHOOSE_MODEL = "netc.chooseModel"
"""The command that chooses the shown model of a text. Its arguments are the URI and the name."""
_WORD = re.compile(r"\w*")
ITEMS = {
    "operator": types.CompletionItemKind.Function,
    "block": types.CompletionItemKind.Class,
    "model": types.CompletionItemKind.Module,
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


def register_position_features(server: NetServer) -> None:
    """Register the handlers at a server."""
    _register_descriptions(server)
    _register_navigation(server)
    _register_actions(server)
    _register_models(server)


class _Positioned(Protocol):
    """The parameters of a request about a position."""

    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...
    @property
    def position(self) -> types.Position: ...


def _resolve_position(server: NetServer, params: _Positioned) -> tuple[CheckedText, int] | None:
    """Return the text and the offset of a request."""
    checked = server.check_text(params.text_document.uri)
    return None if checked is None else (checked, server.find_positions(checked.source.text).to_offset(params.position))


def _register_descriptions(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def handle_hover(params: types.HoverParams) -> types.Hover | None:
        place = _resolve_position(server, params)
        answer = make_hover(*place) if place is not None else None
        if answer is None:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, answer.text), server.converter.to_range(answer.span))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[" ", "=", ".", "(", ",", '"', "/"]))
    async def handle_completion(params: types.CompletionParams) -> types.CompletionList:
        place = _resolve_position(server, params)
        if place is None:
            return types.CompletionList(False, [])
        checked, offset = place
        items = [
            types.CompletionItem(
                suggestion.label,
                kind=ITEMS[suggestion.kind],
                detail=suggestion.detail or None,
                documentation=types.MarkupContent(types.MarkupKind.Markdown, suggestion.page) if suggestion.page else None,
                # Editors sort by this text: it keeps the order of the suggestions, in which the likely ones come first.
                sort_text=f"{number:04}",
                text_edit=_make_insertion(server, Span(checked.source, suggestion.start, offset), suggestion.insert or suggestion.label),
            )
            for number, suggestion in enumerate(find_completions(checked, offset))
        ]
        return types.CompletionList(False, items)

    @server.feature(types.TEXT_DOCUMENT_SIGNATURE_HELP, types.SignatureHelpOptions(trigger_characters=[" ", "("]))
    async def handle_signature_help(params: types.SignatureHelpParams) -> types.SignatureHelp | None:
        place = _resolve_position(server, params)
        answer = find_signature(*place) if place is not None else None
        if answer is None:
            return None
        parameters = [types.ParameterInformation(suggestion.text, suggestion.about or None) for suggestion in answer.arguments]
        return types.SignatureHelp(
            [types.SignatureInformation(answer.label, answer.about or None, parameters, answer.active)], 0, answer.active
        )


def _make_insertion(server: NetServer, typed: Span, text: str) -> types.TextEdit | types.InsertReplaceEdit:
    """Make the edit that replaces the typed part of a word, or the full word if the editor's user prefers that."""
    insert = server.converter.to_range(typed)
    if not server.can_replace:
        return types.TextEdit(insert, text)
    rest = _WORD.match(typed.file.text, typed.end)
    return types.InsertReplaceEdit(text, insert, server.converter.to_range(replace(typed, end=rest.end() if rest else typed.end)))


def _register_navigation(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def handle_definition(params: types.DefinitionParams) -> types.Location | None:
        place = _resolve_position(server, params)
        span = find_definition(*place) if place is not None else None
        return None if span is None else server.converter.to_location(span)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def handle_references(params: types.ReferenceParams) -> list[types.Location]:
        place = _resolve_position(server, params)
        spans = find_references(server.texts, *place, params.context.include_declaration) if place is not None else []
        return [server.converter.to_location(span) for span in spans]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    async def handle_highlights(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        place = _resolve_position(server, params)
        spans = find_references(server.texts, *place) if place is not None else []
        return [types.DocumentHighlight(server.converter.to_range(span)) for span in spans if place and span.file is place[0].source]

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def handle_prepare_rename(params: types.PrepareRenameParams) -> types.Range | None:
        place = _resolve_position(server, params)
        try:
            return None if place is None else server.converter.to_range(find_renamable(*place))
        except RenameRefused as refused:
            raise Refused(str(refused)) from None

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def handle_rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        place = _resolve_position(server, params)
        try:
            return None if place is None else server.converter.to_workspace_edit(make_rename(server.texts, *place, params.new_name))
        except RenameRefused as refused:
            raise Refused(str(refused)) from None


def _register_actions(server: NetServer) -> None:
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]

    def convert_action(action: Action, params: types.CodeActionParams) -> types.CodeAction:
        fixes = [d for d in params.context.diagnostics if action.fixes is not None and d.code == action.fixes.code]
        kind = types.CodeActionKind.QuickFix if action.fixes is not None else types.CodeActionKind.SourceFixAll
        return types.CodeAction(
            action.title,
            kind,
            fixes or None,
            action.safe and action.fixes is not None,  # preferred: the editor's command for fixes applies it without a choice
            edit=server.converter.to_workspace_edit(action.edits),
        )

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))
    async def handle_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        checked = server.check_text(params.text_document.uri)
        if checked is None:
            return []
        positions = server.find_positions(checked.source.text)
        found_actions = find_actions(checked, positions.to_offset(params.range.start), positions.to_offset(params.range.end))
        every = fix_all(checked)
        listed = [convert_action(action, params) for action in (*found_actions, *((every,) if every is not None else ()))]
        return [listed_action for listed_action in listed if _has_requested_kind(listed_action, params.context.only)]


def _has_requested_kind(action: types.CodeAction, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether an action has one of the requested kinds, or a kind below one, as `source.fixAll` is below `source`."""
    kind = str(getattr(action.kind, "value", action.kind))
    requested = [str(getattr(item, "value", item)) for item in only or ()]
    return only is None or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in requested)


def _register_models(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def handle_code_lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        checked = server.check_text(params.text_document.uri)
        if checked is None or len(checked.models) < 2:
            return []
        spans = {definition.name: definition.span for definition in checked.names.top.names.values() if definition.kind == "model"}
        lenses: list[types.CodeLens] = []
        for model in checked.models:
            if model in spans:
                title = "shapes are of this model" if model == checked.models[0] else "show the shapes of this model"
                command = types.Command(title, CHOOSE_MODEL, arguments=[params.text_document.uri, model])
                lenses.append(types.CodeLens(server.converter.to_range(spans[model]), command))
        return lenses

    @server.command(CHOOSE_MODEL)
    async def handle_choose_model(uri: str, model: str) -> None:
        server.texts.choose_model(server.find_path(uri), model)
        server.recheck_document(uri)
        server.refresh_hints()
