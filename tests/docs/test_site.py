"""What site/hooks.py makes for the site: the lists of errors and words."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: `make docs` installs it")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["errors", "words"])
def test_each_line_of_a_list_is_a_whole_sentence(folder: str) -> None:
    made = runpy.run_path(str(ROOT / "site/hooks.py"))["_list"](folder, ROOT / "docs" / folder)
    rows = re.findall(r"^\| \[(.+?)\]\(.+?\) \| (.*) \|$", made, re.MULTILINE)
    assert {name for name, _ in rows} == {page.stem for page in (ROOT / "docs" / folder).glob("*.md")}
    wrong = [name for name, text in rows if not text.endswith(".") or text.count("`") % 2 or text in ("A warning.", "A note.")]
    assert wrong == []
