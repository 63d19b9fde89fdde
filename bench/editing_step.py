"""Prints the CPU seconds of the answers after a change of a text that has been checked before, and of the same text checked alone, by
turns: `python bench/editing_step.py SPEC CHANGE STEPS`. The answers are the diagnostics and the hints of the model that is shown, and a
hover."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from netc.lsp.serve import raise_gc_threshold
from netc.service.diagnostics import group_diagnostics
from netc.service.hover import make_hover
from netc.service.inlay_hints import list_hints
from netc.service.workspace import Workspace


def answered(workspace: Workspace, path: str, text: str, offset: int) -> float:
    """The CPU seconds from a change to the last of the answers."""
    start = time.process_time()
    workspace.open_text(path, text)
    checked = workspace.check_text(path)
    assert checked is not None
    group_diagnostics(checked)
    list_hints(checked)
    make_hover(checked, offset)
    return time.process_time() - start


def main(path: str, change: str, steps: int) -> None:
    text = Path(path).read_text(encoding="utf-8")
    before, _, after = text.partition(change)
    workspace = Workspace()
    answered(workspace, path, text, 0)
    raise_gc_threshold()  # as the server does
    gc.freeze()
    found: list[tuple[float, float]] = []
    for step in range(steps):
        changed = f"{before}_step{step} = in\n  {change}{after}" if change.startswith("main") else f"{before}# {step}\n  {change}{after}"
        alone = answered(Workspace(), path, changed, len(before))
        found.append((answered(workspace, path, changed, len(before)), alone))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
