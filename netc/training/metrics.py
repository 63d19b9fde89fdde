"""The metrics of a run, as they are on the disk. PyTorch is not needed to read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"


def read_metrics(folder: str) -> list[dict[str, Any]]:
    """The lines that are whole; none if there is no such file. A line that is no object with a step is left out."""
    try:
        lines = (Path(folder) / METRICS).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return []
    found = []
    for line in lines[:-1]:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), (int, float)):
            found.append(entry)
    return found
