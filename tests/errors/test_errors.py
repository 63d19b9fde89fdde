"""Every diagnostic as a person sees it: TOPIC/CASE.net beside TOPIC/CASE.err, the whole rendered text.

`pytest tests/errors --update` writes the .err files anew; read them before you commit them. Files in folders are what cases use.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netc.analysis import Choice, read_and_analyse
from netc.cli.reading import reader
from netc.dsl.diagnostics.render import render_text

HERE = Path(__file__).parent
CASES = sorted(p for p in HERE.glob("*/*.net"))
PAGES = sorted(p.stem for p in (HERE.parents[1] / "docs" / "errors").glob("*.md"))


def rendered(case: Path) -> str:
    analysis = read_and_analyse(reader(str(case), None), Choice())
    text = render_text(list(analysis.diagnostics))
    return text.replace(str(case.parent) + "/", "")


@pytest.mark.parametrize("case", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_rendered(case: Path, update: bool) -> None:
    golden = case.with_suffix(".err")
    text = rendered(case)
    assert text.strip(), "a case that gives no diagnostic"
    if update:
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), "run with --update, and read what it wrote"
    assert text == golden.read_text(encoding="utf-8")


def test_no_orphans() -> None:
    assert [p for p in HERE.glob("*/*.err") if not p.with_suffix(".net").exists()] == []


def test_every_code_has_a_case() -> None:
    seen = {code for p in HERE.glob("*/*.err") for code in re.findall(r"^(?:error|warning|note)\[([a-z-]+)\]", p.read_text(encoding="utf-8"), re.M)}
    assert sorted(set(PAGES) - seen - ELSEWHERE) == []


ELSEWHERE: set[str] = set()
"""Codes that no text alone gives: of the command line, of files and of weights. Their own tests show them."""
