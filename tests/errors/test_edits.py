"""Every edit that a diagnostic has mends what it is for: of the cases in this folder, and of the syntax errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.analysis import Analysis, analyse
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.source import SourceFile
from tests.dsl.test_syntax_errors import CASES as SYNTAX
from tests.errors.options import chosen
from tests.errors.test_errors import CASES

TEXTS = {f"{case.parent.name}/{case.stem}": (case, case.read_text(encoding="utf-8")) for case in CASES}
TEXTS |= {case: (Path("a.net"), case.replace("\\n", "\n")) for case in SYNTAX}


def analysed(path: Path, text: str) -> Analysis:
    return analyse(SourceFile("a.net", text), chosen(text), str(path))


def with_edits(path: Path, text: str) -> list[Diagnostic]:
    return [d for d in analysed(path, text).diagnostics if d.edits and d.span.file.name == "a.net"]


@pytest.mark.parametrize("name", TEXTS)
def test_edits_mend(name: str) -> None:
    path, text = TEXTS[name]
    for one in with_edits(path, text):
        for edit in one.edits:
            changed = text[: edit.span.start] + edit.text + text[edit.span.end :]
            left = [(d.code, d.message, d.span.start) for d in analysed(path, changed).diagnostics]
            assert (one.code, one.message, one.span.start) not in left


@pytest.mark.parametrize(
    "name",
    ["habits/channels-last", "habits/keras-names", "files/std-without-ending", "input 3,224,224 -> conv 8 3", "x => dense 2"],
)
def test_there_are_edits(name: str) -> None:
    assert with_edits(*TEXTS[name])
