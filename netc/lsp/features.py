"""The questions of the protocol about texts as a whole: changes, diagnostics, hints, outlines, formatting, colours."""

from __future__ import annotations

from lsprotocol import types

from ..service.actions import formatted
from ..service.document_symbols import Symbol, folds, symbols
from ..service.inlay_hints import hints
from ..service.semantic_tokens import KINDS, words
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
TOKENS = types.SemanticTokensLegend([kind if kind != "label" else "enumMember" for kind in KINDS], [])


def register(server: NetServer) -> None:
    """Adds the features to a server."""
    _changes(server)
    _outlines(server)
    _hints(server)

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def laid_out(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        checked = server.checked(params.text_document.uri)
        edit = formatted(checked) if checked is not None else None
        return [] if edit is None else [types.TextEdit(server.convert.range(edit.span), edit.text)]


def _changes(server: NetServer) -> None:
    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        server.watch_files()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.opened(params.text_document.uri, params.text_document.text, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        if params.content_changes:
            server.changed(params.text_document.uri, params.content_changes[-1].text, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.recheck_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        server.recheck_all()


def _hints(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def inlay_hints(params: types.InlayHintParams) -> list[types.InlayHint]:
        checked = server.checked(params.text_document.uri)
        if checked is None:
            return []
        positions = server.positions(checked.source.text)
        found = hints(checked, positions.offset(params.range.start), positions.offset(params.range.end))
        return [
            types.InlayHint(
                positions.position(hint.offset), hint.text, types.InlayHintKind.Type, tooltip=hint.whole or None, padding_left=True
            )
            for hint in found
        ]

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, TOKENS)
    async def semantic_tokens(params: types.SemanticTokensParams) -> types.SemanticTokens:
        checked = server.checked(params.text_document.uri)
        data: list[int] = []
        line = character = 0
        for word in words(checked) if checked is not None else ():
            positions = server.positions(checked.source.text) if checked is not None else None
            assert positions is not None
            start, end = positions.position(word.start), positions.position(word.end)
            if start.line == end.line:
                data += (start.line - line, start.character - (character if start.line == line else 0))
                data += (end.character - start.character, KINDS.index(word.kind), 0)
                line, character = start.line, start.character
        return types.SemanticTokens(data)


def _outlines(server: NetServer) -> None:
    def outline(one: Symbol) -> types.DocumentSymbol:
        convert = server.convert
        inner = [outline(part) for part in one.inner]
        return types.DocumentSymbol(one.text, SYMBOLS[one.kind], convert.range(one.span), convert.range(one.name), one.kind, children=inner)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def outlined(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        checked = server.checked(params.text_document.uri)
        return [] if checked is None else [outline(one) for one in symbols(checked)]

    @server.feature(types.WORKSPACE_SYMBOL)
    async def found(params: types.WorkspaceSymbolParams) -> list[types.SymbolInformation]:
        listed: list[types.SymbolInformation] = []
        for real in server.texts.opened:
            checked = server.texts.checked(real)
            wanted = [one for one in symbols(checked) if params.query.casefold() in one.text.casefold()] if checked is not None else []
            listed += [types.SymbolInformation(server.convert.location(one.name), one.text, SYMBOLS[one.kind]) for one in wanted]
        return listed

    @server.feature(types.TEXT_DOCUMENT_FOLDING_RANGE)
    async def folded(params: types.FoldingRangeParams) -> list[types.FoldingRange]:
        checked = server.checked(params.text_document.uri)
        if checked is None:
            return []
        positions = server.positions(checked.source.text)
        lines = ((positions.position(one.start).line, positions.position(one.end).line, one.kind) for one in folds(checked))
        return [types.FoldingRange(start, end, kind=kind) for start, end, kind in lines if end > start]
