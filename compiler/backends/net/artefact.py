"""A spec as files: the text, and next to it the arrays that its tables are.

In: a program, and comments. Out: `x.net`, and `x.net.safetensors` if there are arrays. Always: a text without arrays is one file.
"""

from __future__ import annotations

import os

from netc.dsl.record import Record

from ...ir.graph import Program
from ..backend import WrongOutput
from .array_storage import StoredNames, content
from .spec_source import text_of


class SpecArtefact(Record):
    """A spec, not yet written."""

    program: Program
    comments: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        if StoredNames(self.program.main, "-").arrays:
            raise WrongOutput("the spec has tables whose numbers are in a file next to it: give it a name")
        return text_of(self.program, self.comments).encode()

    def save(self, path: str) -> None:
        stored = stored_names(self.program, os.path.basename(path))
        with open(path, "wb") as file:
            file.write(text_of(self.program, self.comments, stored).encode())
        if stored.arrays:
            with open(f"{path}.safetensors", "wb") as file:
                file.write(content(stored.arrays))


def stored_names(program: Program, name: str) -> StoredNames:
    """The arrays of a program in the file that belongs to a text of this name."""
    return StoredNames(program.main, f"{name}.safetensors")
