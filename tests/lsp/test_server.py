"""`netc lsp` as an editor sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient

pytestmark = [pytest.mark.long, pytest.mark.asyncio]
MLP = "input 3 -> dense 2 sigmoid\n  -> dense 1 sigmoid\n"


def opened(client: LanguageClient, path: Path, text: str) -> str:
    path.write_text(text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(path.as_uri(), "net", 1, text)))
    return path.as_uri()


def change(client: LanguageClient, uri: str, text: str, version: int = 2) -> None:
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version, uri), [types.TextDocumentContentChangeWholeDocument(text)]
        )
    )


async def diagnostics(client: LanguageClient, uri: str) -> list[types.Diagnostic]:
    await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    return list(client.diagnostics[uri])


async def test_diagnostics_follow_the_text(client: LanguageClient, tmp_path: Path) -> None:
    uri = opened(client, tmp_path / "x.net", MLP)
    assert await diagnostics(client, uri) == []
    change(client, uri, MLP.replace("dense 1", "dens 1"))
    (one,) = await diagnostics(client, uri)
    assert one.code == "unknown-operator"
    assert one.range == types.Range(types.Position(1, 5), types.Position(1, 9))


async def test_hover_and_hints(client: LanguageClient, tmp_path: Path) -> None:
    uri = opened(client, tmp_path / "x.net", MLP)
    document = types.TextDocumentIdentifier(uri)
    found = await client.text_document_hover_async(types.HoverParams(document, types.Position(0, 12)))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "gives `[N, 2]`" in found.contents.value
    whole = types.Range(types.Position(0, 0), types.Position(9, 0))
    hints = await client.text_document_inlay_hint_async(types.InlayHintParams(document, whole))
    assert hints is not None
    assert [(hint.position.line, hint.label) for hint in hints] == [(0, "# [N, 2]"), (1, "# [N, 1]")]
