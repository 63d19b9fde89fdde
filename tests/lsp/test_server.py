"""`netc lsp` as an editor sees it: messages in, messages out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import LanguageClient

MLP = "input 3 -> dense 2 sigmoid\n  -> dense 1 sigmoid\n"
WHOLE = types.Range(types.Position(0, 0), types.Position(999, 0))


def opened(client: LanguageClient, path: Path, text: str) -> types.TextDocumentIdentifier:
    path.write_text(text, newline="")
    client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(path.as_uri(), "net", 1, text)))
    return types.TextDocumentIdentifier(path.as_uri())


def change(client: LanguageClient, document: types.TextDocumentIdentifier, text: str, version: int = 2) -> None:
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version, document.uri), [types.TextDocumentContentChangeWholeDocument(text)]
        )
    )


async def diagnostics(client: LanguageClient, document: types.TextDocumentIdentifier) -> list[types.Diagnostic]:
    await client.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    return list(client.diagnostics[document.uri])


async def test_diagnostics_follow_the_text(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", MLP)
    assert await diagnostics(client, document) == []
    change(client, document, MLP.replace("dense 1", "dens 1"))
    (one,) = await diagnostics(client, document)
    assert one.code == "unknown-operator"
    assert one.range == types.Range(types.Position(1, 5), types.Position(1, 9))
    found = await client.text_document_code_action_async(types.CodeActionParams(document, one.range, types.CodeActionContext([one])))
    assert found
    action = found[0]
    assert isinstance(action, types.CodeAction)
    assert action.edit is not None
    assert action.edit.changes is not None
    assert [*action.edit.changes[document.uri]] == [types.TextEdit(one.range, "dense")]
    client.text_document_did_close(types.DidCloseTextDocumentParams(document))
    assert await diagnostics(client, document) == []


async def test_hover_and_hints(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", MLP)
    found = await client.text_document_hover_async(types.HoverParams(document, types.Position(0, 12)))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "gives `[N, 2]`" in found.contents.value
    hints = await client.text_document_inlay_hint_async(types.InlayHintParams(document, WHOLE))
    assert hints is not None
    assert [(hint.position.line, hint.label) for hint in hints] == [(0, "# [N, 2]"), (1, "# [N, 1]")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_positions_count_utf16(client: LanguageClient, tmp_path: Path, end: str) -> None:
    text = end.join(("x = input 3 # 😀é\u2028, a form feed \x0c", 'x -> rearrange "😀" -> dens 4', ""))
    document = opened(client, tmp_path / "x.net", text)
    found = {one.code: one.range for one in await diagnostics(client, document)}
    assert found["unknown-operator"] == types.Range(types.Position(1, 23), types.Position(1, 27))
    hover = await client.text_document_hover_async(types.HoverParams(document, types.Position(1, 0)))
    assert hover is not None
    assert hover.range == types.Range(types.Position(1, 0), types.Position(1, 1))


async def test_completion_replaces_the_word(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", "x = input 3\nx -> lay")
    found = await client.text_document_completion_async(types.CompletionParams(document, types.Position(1, 8)))
    assert isinstance(found, types.CompletionList)
    (item,) = [one for one in found.items if one.label == "layer_norm"]
    typed = types.Range(types.Position(1, 5), types.Position(1, 8))
    assert item.text_edit == types.InsertReplaceEdit("layer_norm", typed, typed)
    help_ = await client.text_document_signature_help_async(types.SignatureHelpParams(document, types.Position(1, 8)))
    assert help_ is None or help_.signatures


async def test_names(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", "let k = 4\ninput 3 -> dense k\n")
    use, bound = types.Position(1, 17), types.Range(types.Position(0, 4), types.Position(0, 5))
    assert await client.text_document_definition_async(types.DefinitionParams(document, use)) == types.Location(document.uri, bound)
    context = types.ReferenceContext(include_declaration=True)
    found = await client.text_document_references_async(types.ReferenceParams(context, document, use))
    assert found is not None
    assert [one.range.start.line for one in found] == [0, 1]
    edit = await client.text_document_rename_async(types.RenameParams(document, use, "size"))
    assert edit is not None
    assert edit.changes is not None
    assert [one.new_text for one in edit.changes[document.uri]] == ["size", "size"]
    with pytest.raises(JsonRpcException, match="cannot be a name"):
        await client.text_document_rename_async(types.RenameParams(document, use, "let"))


async def test_the_text_as_a_whole(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", "block f {\n  dense   3\n}\ninput 3->f\n")
    edits = await client.text_document_formatting_async(types.DocumentFormattingParams(document, types.FormattingOptions(2, True)))
    assert edits
    outline = await client.text_document_document_symbol_async(types.DocumentSymbolParams(document))
    assert outline is not None
    assert [one.name for one in outline] == ["f"]
    folds = await client.text_document_folding_range_async(types.FoldingRangeParams(document))
    assert folds is not None
    assert [(one.start_line, one.end_line) for one in folds] == [(0, 1)]
    tokens = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document))
    assert tokens is not None
    assert list(tokens.data[:5]) == [0, 0, 5, 0, 0]  # `block` is a keyword


async def test_a_used_file_that_is_open_in_another_buffer(client: LanguageClient, tmp_path: Path) -> None:
    parts = opened(client, tmp_path / "parts.net", "block f { in -> dense 3 }\n")
    await diagnostics(client, parts)
    main = opened(client, tmp_path / "main.net", 'use "parts.net"\ninput 3 -> f\n')
    assert await diagnostics(client, main) == []
    change(client, parts, "block f { in -> dens 3 }\n")
    for _ in range(600):
        if client.diagnostics.get(main.uri) and client.diagnostics.get(parts.uri):
            break
        await asyncio.sleep(0.1)
    assert [one.range.start.line for one in client.diagnostics[main.uri]] == [1]
    assert [one.code for one in client.diagnostics[parts.uri]] == ["unknown-operator"]


async def test_models_are_chosen_by_a_lens(client: LanguageClient, tmp_path: Path) -> None:
    document = opened(client, tmp_path / "x.net", "model a { input 3 -> dense 4 }\nmodel b { input 3 -> dense 5 }\n")
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(document))
    assert lenses is not None
    assert [lens.command.title for lens in lenses if lens.command] == ["shapes are of this model", "show the shapes of this model"]
    assert lenses[1].command is not None
    await client.workspace_execute_command_async(
        types.ExecuteCommandParams(lenses[1].command.command, list(lenses[1].command.arguments or []))
    )
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(document))
    assert lenses is not None
    assert lenses[0].range.start.line == 1
