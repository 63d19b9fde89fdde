"""Questions about texts in which a `|` is where they are asked."""

from __future__ import annotations

from pathlib import Path

from netc.service.checked_text import CheckedText
from netc.service.workspace import Workspace

RESIDUAL = """\
let width = 8
# Adds what it computes.
block residual(units, act=relu) {
  main = in -> dense units act as first
  main + in
}
x = input [T, 8]
y = x -> residual width -> residual 8 act=gelu
y -> dense 2
"""


def checked_at(marked: str, folder: Path | None = None) -> tuple[Workspace, CheckedText, int]:
    """The text without its `|`, and the offset of that."""
    offset = marked.index("|") if "|" in marked else 0
    workspace = Workspace()
    path = str((folder or Path("/nowhere")) / "x.net")
    workspace.open_text(path, marked.replace("|", "", 1))
    found = workspace.check_text(path)
    assert found is not None
    return workspace, found, offset
