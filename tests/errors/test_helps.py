"""Following a help never leads to the next error: every edit, of the cases in this folder, of the syntax errors, and of random mutations.

In: a text with diagnostics. Out: the text with the edits of one of them. Always: what is reported then was there before, or is elsewhere in
the text, where an error had hidden it. Helps that show a replacement have an edit; others are examples, which are found by their words.
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from netc.dsl.diagnostics import Diagnostic, Edit
from tests.dsl.test_syntax_errors import CASES as SYNTAX
from tests.errors.test_edits import TEXTS, analyzed, check_edits_mend
from tests.fuzz.texts import mangled

SYNTAX_CODES = frozenset(("syntax", "stray-character", "bad-number", "missing-bracket", "unexpected-bracket"))
"""Of texts without a model, in which names are not defined, only these count."""
WRITE = re.compile(r"write `([^`]*)`")
WORD = re.compile(r"[A-Za-z_]\w*")
MANGLED = 400


def applied(text: str, edits: list[Edit]) -> tuple[str, list[tuple[int, int]]]:
    """The text after the edits, and where they are in it."""
    places: list[tuple[int, int]] = []
    shift = 0
    for edit in sorted(edits, key=lambda one: one.span.start):
        start, end = edit.span.start + shift, edit.span.end + shift
        text = text[:start] + edit.text + text[end:]
        places.append((start, start + len(edit.text)))
        shift += len(edit.text) - (edit.span.end - edit.span.start)
    return text, places


def caused(path: Path, text: str, one: Diagnostic, before: list[Diagnostic]) -> list[Diagnostic]:
    """The errors that only come with the edits of a diagnostic, within what they wrote, or the same error as before."""
    changed, places = applied(text, [edit for edit in one.edits if edit.span.file.name == "a.net"])
    known = {(d.code, d.message) for d in before if d is not one}
    return [
        d
        for d in analyzed(path, changed).diagnostics
        if d.severity == "error" and d.span.file.name == "a.net" and (d.code, d.message) not in known
        if any(d.span.start < end and d.span.end > start for start, end in places)
    ]


def with_edits(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    return [d for d in diagnostics if any(edit.span.file.name == "a.net" for edit in d.edits)]


@pytest.mark.share(4)
@pytest.mark.parametrize("name", TEXTS)
def test_helps(name: str) -> None:
    path, text = TEXTS[name]
    check_edits_mend(path, text)
    before = list(analyzed(path, text).diagnostics)
    for one in with_edits(before):
        left = caused(path, text, one, before)
        wrong = [d for d in left if name not in SYNTAX or d.code in SYNTAX_CODES]
        assert [(d.code, d.message) for d in wrong] == [], one.help
    for one in before:
        assert replacements_without_edit(one, text) == []


def replacements_without_edit(one: Diagnostic, text: str) -> list[str]:
    """The helps "write `...`" that have only words of the text and no two alternatives, so that they should be edits."""
    helps = () if one.edits or one.span.file.name != "a.net" else one.help
    shown = [WRITE.findall(help) for help in helps if " or " not in help]
    replaced = [found[0] for found in shown if len(found) == 1 and "..." not in found[0] and found[0].strip()]
    return [written for written in replaced if (words := set(WORD.findall(written))) and words <= set(WORD.findall(text))]


def test_random_texts() -> None:
    _check_random(range(MANGLED))


@pytest.mark.long
def test_many_random_texts() -> None:
    _check_random(range(MANGLED, 8 * MANGLED))


def _check_random(numbers: range) -> None:
    """Values are random, so that many are refused whatever is written around them: the form counts."""
    for number in numbers:
        text = mangled(Random(f"helps {number}"))
        text = re.sub(r"^# netc .*", "", text)  # options, which are no part of the text
        before = list(analyzed(Path("a.net"), text).diagnostics)
        for one in with_edits(before):
            wrong = [d for d in caused(Path("a.net"), text, one, before) if d.code in SYNTAX_CODES and not _is_own_mistake(d, text)]
            if one.code == "stray-character":  # a digit of another script is meant, and stands where no digit may stand
                wrong = [d for d in wrong if d.code == one.code]
            assert [(d.code, d.message) for d in wrong] == [], (text, one.help)


def _is_own_mistake(one: Diagnostic, text: str) -> bool:
    """Whether it is about a word that was in the text before, such as `0fn`, `²` or ` -1`: an error ahead of it had hidden it."""
    return (one.code in ("bad-number", "stray-character") or "negative positional argument" in one.message) and one.span.text in text
