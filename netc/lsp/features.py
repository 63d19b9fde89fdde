"""The questions of the protocol, each answered by one function of the service."""

from __future__ import annotations

from lsprotocol import types

from ..service.hints import hints
from ..service.hover import hover
from .server import NetServer


def register(server: NetServer) -> None:
    """Adds all features to a server."""
    _texts(server)
    _shown(server)


def _texts(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        server.changed(params.text_document.uri, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        if params.content_changes:
            server.changed(params.text_document.uri, params.content_changes[-1].text)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.recheck_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        server.recheck_all()


def _shown(server: NetServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        checked = server.checked(params.text_document.uri)
        if checked is None:
            return None
        found = hover(checked, server.positions(checked.source.text).offset(params.position))
        if found is None:
            return None
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found.text), server.convert.range(found.span))

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
