"""The folder of a run, which training writes.

    config.json          the spec's text and hash, the arguments, the versions
    tokenizer.json       the tokenizer, if the data is text with one
    README.md            the card of a run that has ended, see run_card.py
    model.svg            the picture of the network, for the card
    metrics.jsonl        one line for each report and each validation
    checkpoint.pt        everything that resuming needs, see checkpoints.py
    best.safetensors     the parameters with the best metric, under the keys of the spec
    last.safetensors     the newest parameters
    .lock                the process that trains, see run_lock.py

Always: a file is written atomically, so that a killed run can be resumed.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from netc.compiler.errors.run_errors import NAME_THE_RUN, FolderNotEmpty, RunError, RunExists, RunUnreadable

from ..files.atomic_writing import write_bytes, write_files
from .curves import draw_curves
from .run_card import MARKER
from .run_files import CARD, CONFIG, CURVES, METRICS, PICTURE, TOKENIZER, format_metrics_line, read_metrics
from .run_lock import lock_folder


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lines: list[str] = []
        self._flushed = -math.inf

    def check_new(self) -> None:
        """Raise `RunError` if the folder contains a run or any other file."""
        if not os.path.isdir(self.path):
            return
        if (self.path / CONFIG).exists():
            raise RunError(RunExists(os.fspath(self.path)))
        # hidden files do not count, because the lock is one
        other = min((name for name in os.listdir(self.path) if not name.startswith(".")), default=None)
        if other is not None:
            raise RunError(FolderNotEmpty(os.fspath(self.path), other))

    @contextmanager
    def create_locked(self, config: Mapping[str, Any], tokenizer: bytes | None = None) -> Iterator[None]:
        """Create the folder and hold its lock. `tokenizer` is the content of its file. Raises `RunError` as `check_new` does, and if
        another process has the lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.path):
            self.check_new()
            if tokenizer is not None:
                write_bytes(os.fspath(self.path / TOKENIZER), tokenizer)
            self.write_json(CONFIG, config)
            yield

    def read_config(self, action: str = "resume") -> dict[str, Any]:
        """Read `config.json`. Raises `RunError`, which says that `action` is not possible."""
        path = os.fspath(self.path)
        try:
            content = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        except FileNotFoundError:
            why = f"there is no `{CONFIG}` in it" if os.path.isdir(self.path) else "there is no such folder"
            remedy = NAME_THE_RUN
            raise RunError(RunUnreadable(path, why, remedy, action)) from None
        except OSError as error:
            raise RunError(RunUnreadable(path, (error.strerror or str(error)).lower(), action=action)) from None
        except (ValueError, RecursionError):
            raise RunError(RunUnreadable(path, f"its `{CONFIG}` is damaged", action=action)) from None
        if not isinstance(content, dict):
            raise RunError(RunUnreadable(path, f"its `{CONFIG}` is damaged", action=action))
        return content

    def remove_unfinished_run(self) -> None:
        """Remove the files of a run that was stopped before its first checkpoint, so that it can start again."""
        for name in (METRICS, CURVES, TOKENIZER, CONFIG):
            (self.path / name).unlink(missing_ok=True)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        write_files(os.fspath(self.path / name), lambda temporary: _write_text(temporary, text))

    def log_entry(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the metrics. Lines are written together once a second, because a step may take less time than a write."""
        self._lines.append(format_metrics_line(entry))
        if time.monotonic() > self._flushed + 1:
            self.flush_metrics()

    def flush_metrics(self) -> None:
        """Append the logged lines to the file."""
        with (self.path / METRICS).open("a", encoding="utf-8") as stream:
            stream.write("".join(self._lines))
        self._lines.clear()
        self._flushed = time.monotonic()

    def cut_metrics(self, step: int, with_validation: bool) -> None:
        """Remove the lines after a step, which a resumed run logs again; also the validation at that step unless `with_validation`."""
        kept = [
            e
            for e in read_metrics(os.fspath(self.path))
            if e["step"] < step or (e["step"] == step and (with_validation or "validation" not in e))
        ]
        text = "".join(map(format_metrics_line, kept))
        write_files(os.fspath(self.path / METRICS), lambda temporary: _write_text(temporary, text))

    def draw_curves(self) -> None:
        """Draw the curves of the metrics."""
        entries = read_metrics(os.fspath(self.path))
        if entries:
            text = draw_curves({self.path.name: entries})
            write_files(os.fspath(self.path / CURVES), lambda temporary: _write_text(temporary, text))

    def save_card(self, text: str, picture: bytes) -> None:
        """Write the card and its picture, unless the user has changed the card."""
        card = self.path / CARD
        if card.exists() and not card.read_bytes().startswith(MARKER.encode()):
            return
        write_bytes(os.fspath(self.path / PICTURE), picture)
        write_bytes(os.fspath(card), text.encode("utf-8", "surrogateescape"))

    def save_weights(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write the parameters under the keys of the spec. Tied parameters are stored under each of their names."""
        # safetensors refuses tensors that share memory, and those that are a part of a larger storage.
        copies: dict[str, Tensor] = {}
        known: set[int] = set()
        for key, value in tensors.items():
            tensor = value.detach().cpu().contiguous()
            storage = tensor.untyped_storage()
            shared = storage.data_ptr() in known or storage.nbytes() != tensor.nbytes
            copies[key] = tensor.clone() if shared else tensor
            known.add(storage.data_ptr())
        write_files(os.fspath(self.path / name), lambda temporary: save_file(copies, temporary))


def _write_text(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")
