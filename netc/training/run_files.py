"""The files of a run on the disk. Finding and reading them does not import PyTorch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG, METRICS, CURVES = "config.json", "metrics.jsonl", "curves.svg"
CARD, PICTURE = "README.md", "model.svg"
TOKENIZER = "tokenizer.json"
"""The tokenizer of the data, if it has one: a copy, because the run generates text after the original has changed."""
BEST, LAST = "best.safetensors", "last.safetensors"
LOAD = "load"
"""What is done with a run, in messages."""


def find_weights(path: str) -> str:
    """Return the weights file of a run's folder: the best weights, or the last ones if no metric was ever finite. Other paths stay."""
    files = (os.path.join(path, name) for name in (BEST, LAST))
    return next((file for file in files if os.path.isfile(file)), path)


def format_metrics_line(entry: Mapping[str, Any]) -> str:
    """Format an entry as a line of JSON. NaN and infinities become null, because JSON has neither.

    >>> format_metrics_line({"step": 1, "loss": math.nan})
    '{"step": 1, "loss": null}\\n'
    """
    return json.dumps(_replace_nonfinite(entry), allow_nan=False) + "\n"


def _replace_nonfinite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _replace_nonfinite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(folder: str) -> list[dict[str, Any]]:
    """Read the complete lines of the metrics; nothing if there is no file. Lines that are not objects with a step are left out."""
    try:
        lines = (Path(folder) / METRICS).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return []
    entries = []
    # What follows the last newline is empty, or a line that a killed process did not finish.
    for line in lines[:-1]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), (int, float)):
            entries.append(entry)
    return entries
