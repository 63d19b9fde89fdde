"""Writes a spec as files: the text, and next to it the arrays that its tables read.

In: a program, and comments. Out: `x.net`, and `x.net.safetensors` if there are arrays. Always: a text without arrays is one file. A
program that was elaborated from a text has the definitions of that text.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from netc.dsl.record import Record

from ...ir.graph import Program
from ..backend import WrongOutput
from .array_storage import StoredNames, serialize_arrays
from .bundled_text import CannotBundle, bundle_text
from .spec_source import write_program


class SpecArtifact(Record):
    """A spec that is not written yet."""

    program: Program
    comments: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        if StoredNames(self.program.main, "-").arrays:
            raise WrongOutput("the spec has tables whose numbers are in a file next to it: give it a name")
        return write_spec(self.program, self.comments).encode()

    def save(self, path: str) -> None:
        stored = name_stored_arrays(self.program, os.path.basename(path))
        with open(path, "wb") as file:
            file.write(write_spec(self.program, self.comments, stored).encode())
        if stored.arrays:
            with open(f"{path}.safetensors", "wb") as file:
                file.write(serialize_arrays(stored.arrays))


def write_spec(program: Program, comments: Sequence[str] = (), stored: StoredNames | None = None) -> str:
    """Write the text that a program was elaborated from as one file, or a text made from its graph. `comments` and `stored` are for a text
    made from the graph."""
    # The original text says more than its graph: names, comments, conditions and formulas.
    with suppress(CannotBundle):
        return bundle_text(program)
    return write_program(program, comments, stored)


def name_stored_arrays(program: Program, name: str) -> StoredNames:
    """Name the arrays of a program in the file that belongs to a text of this name."""
    return StoredNames(program.main, f"{name}.safetensors")
