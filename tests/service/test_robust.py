"""Any text has answers: random edits of the zoo's files, one after another, and every question at random offsets."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from netc.service.actions import find_actions, fix_all, make_format_edit
from netc.service.checked_text import CheckedText
from netc.service.completion_items import find_completions
from netc.service.diagnostics import group_diagnostics
from netc.service.document_symbols import list_folds, list_symbols
from netc.service.hover import make_hover
from netc.service.inlay_hints import list_hints
from netc.service.navigation import RenameRefused, find_definition, find_references, make_rename
from netc.service.semantic_tokens import classify_words
from netc.service.signatures import find_signature
from netc.service.workspace import Workspace

from .edits import edited

SPECS = sorted((Path(__file__).parents[2] / "specs").rglob("*.net"))
IN_A_ROW = 6
"""The edits of one text before it is the file's again."""


def ask_everything(workspace: Workspace, checked: CheckedText, random: Random) -> None:
    """Every question, those about a position at two of them."""
    text = checked.source.text
    for shown in group_diagnostics(checked).values():
        assert all(0 <= one.diagnostic.span.start <= one.diagnostic.span.end <= len(one.diagnostic.span.file.text) for one in shown)
    assert all(0 <= hint.offset <= len(text) for hint in list_hints(checked))
    assert all(0 <= word.start < word.end <= len(text) for word in classify_words(checked))
    for about_all in (list_symbols, list_folds, fix_all, make_format_edit):
        about_all(checked)
    for offset in (random.randint(0, len(text)), random.randint(0, len(text))):
        for about_one in (make_hover, find_completions, find_signature, find_definition):
            about_one(checked, offset)
        find_actions(checked, offset, min(offset + 5, len(text)))
    if random.random() < 0.02:
        find_references(workspace, checked, offset)
        with suppress(RenameRefused):
            make_rename(workspace, checked, offset, "renamed")


def edit_and_ask(count: int, seed: int) -> None:
    random = Random(seed)
    texts = [path.read_text(encoding="utf-8") for path in SPECS]
    workspace, text, path = Workspace(), "", ""
    for number in range(count):
        if number % IN_A_ROW == 0:
            at = random.randrange(len(SPECS))
            text, path = texts[at], str(SPECS[at])
        text = edited(text, random, random.choice(texts))
        workspace.open_text(path, text)
        checked = workspace.check_text(path)
        assert checked is not None
        try:
            ask_everything(workspace, checked, random)
        except BaseException as error:
            error.add_note(f"edit {number} of seed {seed}, of {path}:\n{text}")
            raise


@pytest.mark.long
def test_random_edits_of_the_zoo_have_answers() -> None:
    edit_and_ask(300, seed=1)
