"""What a contender's process is asked to do, as JSON that goes to its standard input."""

from __future__ import annotations

import json
from typing import Any

from netc.dsl.record import Record

DeclaredInput = tuple[str, str, tuple[int, ...]]
"""An input: its name, element type and shape."""


class Job(Record):
    """A contender. `kind` is that of a runner; `path` is a file, or the name of a module, made with `arguments`, which gets `weights`.

    `keywords` are the inputs that a module takes by name; `compiled`: by torch.compile. `written` is the file that torch.onnx.export is
    to write, in which the axes `dynamic` of each input are symbolic.
    """

    what: str
    kind: str
    path: str
    inputs: tuple[DeclaredInput, ...]
    arguments: dict[str, Any]
    weights: str | None = None
    keywords: tuple[str, ...] = ()
    compiled: bool = False
    written: str | None = None
    dynamic: tuple[tuple[int, ...], ...] = ()
    seed: int = 0
    threads: int = 1
    device: str = "cpu"

    def to_json(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__match_args__})


def job_from_json(text: str) -> Job:
    """The job that a line is."""
    fields = json.loads(text)
    fields["inputs"] = tuple((name, dtype, tuple(shape)) for name, dtype, shape in fields["inputs"])
    return Job(**fields)
