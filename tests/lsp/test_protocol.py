"""What the protocol, version 3.17, asks of `netc lsp` beyond its answers: documents that are no files, versions, ends of lines."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from lsprotocol import types
from pytest_lsp import LanguageClient

from .test_server import change, opened


def open_document(client: LanguageClient, uri: str, text: str) -> types.TextDocumentIdentifier:
    client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "net", 1, text)))
    return types.TextDocumentIdentifier(uri)


async def until_diagnosed(client: LanguageClient, uri: str, codes: list[str]) -> None:
    """Wait until a document has these diagnostics."""
    async with asyncio.timeout(20):
        while sorted(str(one.code) for one in client.diagnostics.get(uri, ())) != codes or uri not in client.diagnostics:
            await asyncio.sleep(0.02)


async def shapes(client: LanguageClient, document: types.TextDocumentIdentifier) -> list[str]:
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    found = await client.text_document_inlay_hint_async(types.InlayHintParams(document, whole))
    return [str(one.label) for one in found or ()]


async def test_new_documents_are_not_one(client: LanguageClient) -> None:
    first = open_document(client, "untitled:Untitled-1", "input 3 -> dense 5\n")
    second = open_document(client, "untitled:Untitled-2", "input 3 -> dense 6\n")
    assert (await shapes(client, first), await shapes(client, second)) == (["# [N, 5]"], ["# [N, 6]"])


async def test_an_old_version_of_a_file_is_not_the_file(client: LanguageClient, tmp_path: Path) -> None:
    """An editor that shows what has changed opens both; what they use is the same."""
    (tmp_path / "parts.net").write_text("block f { dense 7 }\n")
    now = opened(client, tmp_path / "x.net", 'use "parts.net"\ninput 3 -> f -> dense 5\n')
    before = open_document(client, f"git:{tmp_path}/x.net?%7B%22ref%22%3A%22HEAD%22%7D", 'use "parts.net"\ninput 3 -> f\n')
    assert (await shapes(client, now), await shapes(client, before)) == (["# [N, 5]"], ["# [N, 7]"])
    client.text_document_did_close(types.DidCloseTextDocumentParams(before))
    change(client, now, 'use "parts.net"\ninput 3 -> f -> dense 6\n')
    assert await shapes(client, now) == ["# [N, 6]"]


@pytest.mark.parametrize("uri", ["x:%00", "untitled:a%2Fb%00", "x:" + "é" * 3000, "nothing"])
async def test_an_address_of_nothing(client: LanguageClient, uri: str) -> None:
    assert await shapes(client, open_document(client, uri, "input 3 -> dense 5\n")) == ["# [N, 5]"]


async def test_diagnostics_have_the_version_of_their_text(client: LanguageClient, tmp_path: Path) -> None:
    folder = tmp_path / "a folder, ü and 😀"
    folder.mkdir()
    document = opened(client, folder / "x y.net", "input 3 -> dens 5\n")
    first = await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    change(client, document, "input 3 -> dense 5\n", 7)
    second = await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    assert [(one.version, len(one.diagnostics)) for one in (first, second)] == [(1, 1), (7, 0)]


async def test_changes_that_arrive_in_another_order(client: LanguageClient, tmp_path: Path) -> None:
    """`The version number ... increases after each change`: the text is the last one's."""
    document = opened(client, tmp_path / "x.net", "")
    for version, units in ((2, 5), (4, 7), (3, 6)):
        change(client, document, f"input 3 -> dense {units}\n", version)
    assert await shapes(client, document) == ["# [N, 7]"]
    client.text_document_did_close(types.DidCloseTextDocumentParams(document))
    assert await shapes(client, opened(client, tmp_path / "x.net", "input 3 -> dense 8\n")) == ["# [N, 8]"]


def applied(text: str, edits: Sequence[types.TextEdit]) -> str:
    """The text after edits, as the protocol says: `if the character value is greater than the line length it defaults back to that`."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)

    def offset(at: types.Position) -> int:
        line = lines[at.line].rstrip("\r\n").encode("utf-16-le")[: 2 * at.character].decode("utf-16-le")
        return sum(map(len, lines[: at.line])) + len(line)

    for edit in sorted(edits, key=lambda one: offset(one.range.start), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


@pytest.mark.parametrize(
    ("text", "laid_out"),
    [
        ("x = input 3 # 😀\r\nx->dense   4 # 😀\r\n", "x = input 3  # 😀\r\nx -> dense 4  # 😀\r\n"),
        ("x = input 3\r\n\r\n\r\n\r\nx ->\trelu\n", "x = input 3\r\n\r\nx -> relu\r\n"),
        ("x = input 3\nx -> relu\r\n", "x = input 3\nx -> relu\n"),
        ("x = input  3\nx -> relu\r\nx -> tanh\r\n", "x = input 3\nx -> relu\nx -> tanh\n"),
        ("x = input  3\r\nx -> dens 3\r\n", "x = input 3\r\nx -> dens 3\r\n"),
        ("x = input  3\r\nx -> dense (\r\n", "x = input  3\r\nx -> dense (\r\n"),
    ],
)
async def test_formatting_keeps_the_ends_of_lines(client: LanguageClient, tmp_path: Path, text: str, laid_out: str) -> None:
    document = opened(client, tmp_path / "x.net", text)
    question = types.DocumentFormattingParams(document, types.FormattingOptions(2, True))
    assert applied(text, await client.text_document_formatting_async(question) or ()) == laid_out
    change(client, document, laid_out)
    assert not await client.text_document_formatting_async(question)


async def test_completion_in_a_word_can_replace_all_of_it(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", "x = input 3 # 😀\nx -> layer_nrom bias=false\n")
    found = await client.text_document_completion_async(types.CompletionParams(document, types.Position(1, 8)))
    assert isinstance(found, types.CompletionList)
    (edit,) = [one.text_edit for one in found.items if one.label == "layer_norm"]
    start, cursor, end = (types.Position(1, at) for at in (5, 8, 15))
    assert edit == types.InsertReplaceEdit("layer_norm", types.Range(start, cursor), types.Range(start, end))


async def test_completion_of_the_names_of_a_used_file(client: LanguageClient, tmp_path: Path) -> None:
    (tmp_path / "parts.net").write_text("block one { in -> relu }\nlet two = 2\nmodel three { input 3 -> relu }\nfn four(n) = n\n")
    document = opened(client, tmp_path / "x.net", 'use "parts.net": \n')
    found = await client.text_document_completion_async(types.CompletionParams(document, types.Position(0, 17)))
    assert isinstance(found, types.CompletionList)
    assert [item.label for item in found.items] == ["one", "two", "three", "four"]


async def test_a_link_that_is_replaced_by_a_file(client: LanguageClient, tmp_path: Path) -> None:
    """Diagnostics of another file are not shown at the document for ever, and its text does not stay in place of that file's."""
    (tmp_path / "parts.net").write_text("block half(k) { in -> dense k }\n")
    (tmp_path / "link.net").symlink_to("parts.net")
    link = open_document(client, (tmp_path / "link.net").as_uri(), "block half(k) { in -> dens k }\n")
    user = opened(client, tmp_path / "x.net", 'use "parts.net": half\ninput 3 -> half 4\n')
    await until_diagnosed(client, user.uri, ["unknown-operator"])
    (tmp_path / "link.net").unlink()
    (tmp_path / "link.net").write_text("block half(k) { in -> dens k }\n")
    changed = types.FileEvent(link.uri, types.FileChangeType.Changed)
    client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([changed]))
    await until_diagnosed(client, user.uri, [])
    parts = opened(client, tmp_path / "parts.net", "block half(k) { in -> dense }\n")
    await until_diagnosed(client, user.uri, ["missing-argument"])
    await until_diagnosed(client, parts.uri, ["missing-argument", "unused-name"])
    assert "missing-argument" not in [one.code for one in client.diagnostics[link.uri]]
