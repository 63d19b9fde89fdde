"""The definitions of library.py as text, and which of them some classes use.

In: the classes of a program, whose code calls definitions by their names. Out: those names, in the order of the library, and their texts.
Always: no torch is imported, and no other class of a file that uses a definition has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from ..python.code.classes import ClassBody
from ..python.code.expressions import CallCode, Code
from ..python.code.tree import parts

_NAME = re.compile(r"(?:class|def) (\w+)")


@cache
def definitions() -> Mapping[str, str]:
    """The texts by name."""
    blocks = Path(__file__).with_name("library.py").read_text(encoding="utf-8").rstrip().split("\n\n\n")
    return {found.group(1): block for block in blocks if (found := _NAME.match(block))}


def used(bodies: Iterable[ClassBody]) -> list[str]:
    """The names of the definitions that the bodies call, and of those that these call."""
    called = {p.function for body in bodies for code in _codes(body) for p in parts(code) if isinstance(p, CallCode)}
    texts = definitions()
    wanted = [name for name in texts if name in called]
    for name in wanted:
        wanted += [other for other in texts if other not in wanted and re.search(rf"\b{other}\(", texts[name])]
    return [name for name in texts if name in wanted]


def _codes(body: ClassBody) -> Iterator[Code]:
    yield from body.made()
    yield from (step.code for step in body.steps)
