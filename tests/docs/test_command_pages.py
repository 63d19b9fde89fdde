"""docs/draw.md is true: its commands print what is shown, and write the files that are shown.

`pytest tests/docs --update` rewrites them; read the difference before you commit it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.drawing.picture_files import FORMATS
from tests.docs.test_readme import masked

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)(?: (?:file=(\S+)|(varying)))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: str) -> str:
    words = shlex.split(command)
    assert words[0] == "netc"
    return CliRunner().invoke(cli, words[1:], prog_name="netc").output.rstrip("\n") + "\n"


def real(kind: str, name: str, varying: str, text: str) -> str:
    """A fence as it should be. A spec with a name is written; other files must have been. What is `varying` may have any numbers."""
    match kind:
        case "net":
            Path(name).write_text(text, encoding="utf-8")
        case "console":
            printed = "".join(f"{line}\n{run(line[2:])}" for line in text.splitlines() if line.startswith("$ "))
            text = text if varying and masked(text) == masked(printed) else printed
        case _:
            text = Path(name).read_text(encoding="utf-8")
    return f"```{kind}{f' file={name}' if name else ''}{f' {varying}' if varying else ''}\n{text}```"


@pytest.mark.parametrize("name", ["draw.md"])
def test_pages_show_what_happens(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    page = DOCS / name
    text = page.read_text(encoding="utf-8")
    now = FENCE.sub(lambda m: real(m[1], m[2] or "", m[3] or "", m[4]), text)
    if update:
        page.write_text(now, encoding="utf-8")
    assert now == text


def test_every_format_is_described() -> None:
    assert re.findall(r"^\| `(\.\w+)` \|", (DOCS / "draw.md").read_text(encoding="utf-8"), re.MULTILINE) == list(FORMATS)
