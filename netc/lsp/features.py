"""Handle the notifications and requests about whole documents: changes, hints, outlines, formatting, colors."""

from __future__ import annotations

from lsprotocol import types

from ..service.actions import make_format_edit
from ..service.document_symbols import Symbol, list_folds, list_symbols
from ..service.inlay_hints import list_hints
from ..service.semantic_tokens import KINDS, classify_words
from .server import NetServer

SYMBOLS = {
    "block": types.SymbolKind.Class,
    "model": types.SymbolKind.Module,
    "train": types.SymbolKind.Event,
    "function": types.SymbolKind.Function,
    "let": types.SymbolKind.Constant,
    "shared": types.SymbolKind.Object,
    "tensor": types.SymbolKind.Variable,
    "label": types.SymbolKind.Field,
}
# the protocol has no kind for labels before version 3.18, which editors may not know
TOKENS = types.SemanticTokensLegend([kind if kind != "label" else "enumMember" for kind in KINDS], [])


def register_text_features(server: NetServer) -> None:
    """Register the handlers at a server."""
    _register_changes(server)
    _register_outlines(server)
    _register_hints(server)

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def format_document(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        checked = server.check_text(params.text_document.uri)
        edit = make_format_edit(checked) if checked is not None else None
        return [] if edit is None else [types.TextEdit(server.converter.to_range(edit.span), edit.text)]


def _register_changes(server: NetServer) -> None:
    @server.feature(types.INITIALIZED)
    async def handle_initialized(params: types.InitializedParams) -> None:
        server.watch_files()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def handle_open(params: types.DidOpenTextDocumentParams) -> None:
        server.open_document(params.text_document.uri, params.text_document.text, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def handle_change(params: types.DidChangeTextDocumentParams) -> None:
        if params.content_changes:
            # The server asks for full texts, so the last change is the new text.
            server.change_document(params.text_document.uri, params.content_changes[-1].text, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def handle_save(params: types.DidSaveTextDocumentParams) -> None:
        server.recheck_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def handle_close(params: types.DidCloseTextDocumentParams) -> None:
        server.close_document(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def handle_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        server.recheck_all()


def _register_hints(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def list_inlay_hints(params: types.InlayHintParams) -> list[types.InlayHint]:
        checked = server.check_text(params.text_document.uri)
        if checked is None:
            return []
        positions = server.find_positions(checked.source.text)
        shown_hints = list_hints(checked, positions.to_offset(params.range.start), positions.to_offset(params.range.end))
        return [
            types.InlayHint(
                positions.to_position(hint.offset), hint.text, types.InlayHintKind.Type, tooltip=hint.full_text or None, padding_left=True
            )
            for hint in shown_hints
        ]

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, TOKENS)
    async def list_semantic_tokens(params: types.SemanticTokensParams) -> types.SemanticTokens:
        checked = server.check_text(params.text_document.uri)
        data: list[int] = []
        line = character = 0
        for word in classify_words(checked) if checked is not None else ():
            positions = server.find_positions(checked.source.text) if checked is not None else None
            assert positions is not None
            start, end = positions.to_position(word.start), positions.to_position(word.end)
            # Each token is encoded relative to the previous one: lines, characters, length, kind, modifiers.
            if start.line == end.line:
                data += (start.line - line, start.character - (character if start.line == line else 0))
                data += (end.character - start.character, KINDS.index(word.kind), 0)
                line, character = start.line, start.character
        return types.SemanticTokens(data)


def _register_outlines(server: NetServer) -> None:
    def make_outline(symbol: Symbol) -> types.DocumentSymbol:
        convert = server.converter
        inner = [make_outline(part) for part in symbol.inner]
        return types.DocumentSymbol(
            symbol.text, SYMBOLS[symbol.kind], convert.to_range(symbol.span), convert.to_range(symbol.name), symbol.kind, children=inner
        )

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def list_document_symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        checked = server.check_text(params.text_document.uri)
        return [] if checked is None else [make_outline(symbol) for symbol in list_symbols(checked)]

    @server.feature(types.WORKSPACE_SYMBOL)
    async def find_workspace_symbols(params: types.WorkspaceSymbolParams) -> list[types.SymbolInformation]:
        listed: list[types.SymbolInformation] = []
        for real in server.texts.open_paths:
            checked = server.texts.check_text(real)
            matches = (
                [symbol for symbol in list_symbols(checked) if params.query.casefold() in symbol.text.casefold()]
                if checked is not None
                else []
            )
            listed += [
                types.SymbolInformation(server.converter.to_location(symbol.name), symbol.text, SYMBOLS[symbol.kind]) for symbol in matches
            ]
        return listed

    @server.feature(types.TEXT_DOCUMENT_FOLDING_RANGE)
    async def list_folding_ranges(params: types.FoldingRangeParams) -> list[types.FoldingRange]:
        checked = server.check_text(params.text_document.uri)
        if checked is None:
            return []
        positions = server.find_positions(checked.source.text)
        lines = (
            (positions.to_position(symbol.start).line, positions.to_position(symbol.end).line, symbol.kind)
            for symbol in list_folds(checked)
        )
        return [types.FoldingRange(start, end, kind=kind) for start, end, kind in lines if end > start]
