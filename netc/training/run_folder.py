"""A run: the folder that training writes.

    config.json          the spec's text and hash, the arguments, the versions
    metrics.jsonl        one line a report, one a validation
    checkpoint.pt        all that resuming needs; replaced whole
    best.safetensors     the parameters with the best metric, under the keys of the spec
    last.safetensors     the newest ones

Always: a file is written whole or not at all, so that a run that is killed can be resumed from what is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..writing import write_files

CONFIG, METRICS, CHECKPOINT = "config.json", "metrics.jsonl", "checkpoint.pt"
BEST, LAST = "best.safetensors", "last.safetensors"


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def create(self, config: Mapping[str, Any]) -> None:
        """Makes the folder. Raises `FileExistsError` if there is a run in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / CONFIG).exists():
            raise FileExistsError(os.fspath(self.path))
        self.write_json(CONFIG, config)

    def config(self) -> dict[str, Any]:
        """What the run was started with. Raises `OSError` or `ValueError`."""
        found = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        return found

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        write_files(os.fspath(self.path / name), lambda temporary: _write_text(temporary, text))

    def log(self, entry: Mapping[str, Any]) -> None:
        """Appends a line to the metrics."""
        with (self.path / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        """The lines of the metrics that are whole."""
        try:
            lines = (self.path / METRICS).read_text(encoding="utf-8").split("\n")
        except OSError:
            return []
        return [json.loads(line) for line in lines[:-1] if line]

    def cut_metrics(self, step: int) -> None:
        """Removes what was logged after a step, which a resumed run logs again."""
        kept = [e for e in self.entries() if e.get("step", 0) <= step]
        text = "".join(json.dumps(e) + "\n" for e in kept)
        write_files(os.fspath(self.path / METRICS), lambda temporary: _write_text(temporary, text))

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        write_files(os.fspath(self.path / CHECKPOINT), lambda temporary: torch.save(dict(state), temporary))

    def checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint, None if there is none yet."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return found

    def save_weights(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """The parameters under the keys of the spec; tied ones are stored for each of their names."""
        copies = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        write_files(os.fspath(self.path / name), lambda temporary: save_file(copies, temporary))


def _write_text(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")
