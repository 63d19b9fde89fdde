"""The job of a contender's process, which gets it as a line of JSON on its standard input.

>>> job = Job("m.onnx", "onnx", "m.onnx", (("x", "float32", (1, 3)),), {})
>>> job_from_json(job.to_json()).inputs
(('x', 'float32', (1, 3)),)
"""

from __future__ import annotations

import json
from typing import Any

from netc.dsl.record import Record

DeclaredInput = tuple[str, str, tuple[int, ...]]
"""An input: its name, element type and shape."""


class Job(Record):
    """A contender. `kind` selects the runner. `path` is a file, or the name of a module that is made with `arguments` and gets `weights`.

    `keywords` are the inputs that a module takes by name. `compiled`: the module is compiled with torch.compile. `written` is the file that
    torch.onnx.export writes, in which the axes `dynamic` of each input are symbolic.
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
    """Return the job of a line of JSON. JSON has no tuples, so the inputs become tuples again."""
    fields = json.loads(text)
    fields["inputs"] = tuple((name, dtype, tuple(shape)) for name, dtype, shape in fields["inputs"])
    return Job(**fields)
