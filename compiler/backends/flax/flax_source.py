"""Writes a program as Flax source, with the shared writer of Python. The file ends with the function that loads a checkpoint.

>>> import netc
>>> print(WRITER.write_source(netc.compile("input 3 -> relu").program, "net").splitlines()[-1].strip())
return nnx.relu(input)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netc.dsl.record import replace

from ...ir.graph import Program
from ..python.python_source import Parts, SourceWriter
from . import ops
from .flax_emitters import EMITTERS
from .flax_framework import DEFINITIONS, FLAX

assert ops, "importing the package fills the tables"


class FlaxWriter(SourceWriter):
    """Adds `load` to files whose model has a tensor to load."""

    def write_parts(self, program: Program, name: str, used_names: frozenset[str] = frozenset()) -> Parts:
        parts = super().write_parts(program, name, used_names)
        # What registers members is written with the texts, so the definitions that it calls are found in these.
        used = [name for name in DEFINITIONS if DEFINITIONS[name] in parts.definitions or _calls(parts.texts, name)]
        for name in used:
            used += [other for other in DEFINITIONS if other not in used and _calls((DEFINITIONS[name],), other)]
        definitions = tuple(text for name, text in DEFINITIONS.items() if name in used and name != "load")
        holds = any(re.search(r"\bnnx\.Param\(|\bBuffer\(|\bnnx\.BatchStat\(", text) for text in (*definitions, *parts.texts))
        texts = (*parts.texts, DEFINITIONS["load"]) if holds else parts.texts
        return replace(parts, definitions=definitions, texts=texts)


def _calls(texts: Sequence[str], name: str) -> bool:
    return any(re.search(rf"(?<![\w.]){name}\(|\({name}\)", text) for text in texts)


WRITER = FlaxWriter(FLAX, EMITTERS)
