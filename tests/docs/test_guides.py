"""The tutorial, the guides and the comparison are true: each page is followed from its beginning, in a folder of its own.

A `net file=NAME` fence is written; a `console` fence must print what is shown, with any numbers if it is `varying`; `python` fences
run one after the other in one namespace, and print what the `text output` fence after them shows; with `needs=PACKAGE`, where the
package is installed. `pytest tests/docs --update` rewrites what is printed; read it before you commit it.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.test_readme import masked, played

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "comparison.md", DOCS / "bench.md", *sorted((DOCS / "guides").glob("*.md"))]
FENCE = re.compile(
    r"^```(net file=(?P<file>\S+)|console(?P<varying> varying)?|python(?: needs=(?P<needs>\w+))?|text output)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Follower:
    """Somebody who does what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, object] = {}
        self.printed: str | None = ""
        self.missing: dict[str, None] = {}
        """Packages that parts of the page need."""

    def follow(self, match: re.Match[str]) -> str:
        """The fence with what is really printed."""
        text = match["text"]
        if match["file"]:
            (self.folder / match["file"]).write_text(text, encoding="utf-8")
        elif match[1].startswith("console"):
            real = played(text, self.folder)
            assert not match["varying"] or "error" not in real, real
            text = text if match["varying"] and masked(text) == masked(real) else real
        elif match["needs"] and find_spec(match["needs"]) is None:
            self.printed = None
            self.missing[match["needs"]] = None
        elif match[1].startswith("python"):
            self.printed = self.run(text)
        elif self.printed is not None:
            text = self.printed
        return f"```{match[1]}\n{text}```"

    def run(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "example", "exec"), self.names)
        return printed.getvalue()


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {*sys.modules}
    text = page.read_text(encoding="utf-8")
    follower = Follower(tmp_path)
    real = FENCE.sub(follower.follow, text)
    for name in {*sys.modules} - before:  # modules that the page has written
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
    if update:
        page.write_text(real, encoding="utf-8")
    assert real == text
    if follower.missing:
        pytest.skip(f"what needs {', '.join(follower.missing)} was left out: not installed")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_fence_is_followed(page: Path) -> None:
    opened = re.findall(r"^```(\w.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(opened) == len(FENCE.findall(page.read_text(encoding="utf-8")))
