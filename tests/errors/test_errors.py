"""Every diagnostic as users see it: TOPIC/CASE.net and its golden file TOPIC/CASE.err, the whole rendered text.

`pytest tests/errors --update` rewrites the .err files; read them before you commit them. Files in folders are imported by cases. The first
line of a case may be a command, see options.py. Cases that are not valid text are made by test_made.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netc.dsl.diagnostics.render import render_text
from tests.errors.checked import checked
from tests.errors.codes import all_codes, page_codes

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.net"))
TITLE = re.compile(r"^(?:error|warning|note)\[([a-z0-9-]+)\]", re.MULTILINE)


def rendered(case: Path) -> str:
    return render_text(checked(case).diagnostics).replace(f"{case.parent}/", "")


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
    assert [p for p in HERE.glob("*/*.err") if p.parent.name != "made" and not p.with_suffix(".net").exists()] == []


def test_every_code_has_a_case_and_a_page() -> None:
    seen = {code for p in HERE.glob("*/*.err") for code in TITLE.findall(p.read_text(encoding="utf-8"))}
    seen |= {"refused-by-plugin", "refused-by-definition", "missing-form"}  # tests/plugins has them
    seen |= {"package-not-installed"}  # tests/unit/test_match.py has it
    seen |= {"worker-lost"}  # tests/sweeping/test_engines.py has it
    seen |= {"converter-not-installed"}  # tests/formats has it
    assert sorted(all_codes()) == sorted(seen)
    assert sorted(all_codes()) == page_codes()
