"""The files of a run, as they are on the disk. PyTorch is not needed to find and read them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG, METRICS, CURVES = "config.json", "metrics.jsonl", "curves.svg"
BEST, LAST = "best.safetensors", "last.safetensors"


def find_weights(path: str) -> str:
    """The file of weights that a path means: of a run its best ones, or the last ones if none were better than infinite."""
    files = (os.path.join(path, name) for name in (BEST, LAST))
    return next((file for file in files if os.path.isfile(file)), path)


def format_metrics_line(entry: Mapping[str, Any]) -> str:
    """An entry as a line of JSON, which has no NaN and no infinities: they are null."""
    return json.dumps(_replace_nonfinite(entry), allow_nan=False) + "\n"


def _replace_nonfinite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _replace_nonfinite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(folder: str) -> list[dict[str, Any]]:
    """The lines that are whole; none if there is no such file. A line that is no object with a step is left out."""
    try:
        lines = (Path(folder) / METRICS).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return []
    entries = []
    for line in lines[:-1]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), (int, float)):
            entries.append(entry)
    return entries
