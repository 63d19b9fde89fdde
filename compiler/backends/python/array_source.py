"""What the writers of frameworks with NumPy's names share: gradients by tensors are written out, and definitions are found in the text.

>>> list_called_definitions({"one": "def one(): ...", "two": "def two(): one()", "three": "def three(): ..."}, ["two()"])
('def one(): ...', 'def two(): one()')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...derivatives import NoClosedForm, expand_gradients
from ...errors.target_errors import SourceUnsupported
from ...ir.graph import Program
from .unsupported_python import UnsupportedInPython


def expand_derivatives(program: Program, title: str, advice: str) -> Program:
    """Write the program's gradients out: a framework's derivatives take a function, where the spec has two tensors."""
    try:
        return expand_gradients(program)
    except NoClosedForm as error:
        unsupported = UnsupportedInPython(SourceUnsupported("`gradient`", title, f"{error}", advice), program.main)
        unsupported.span = error.span
        raise unsupported from None


def list_called_definitions(definitions: Mapping[str, str], texts: Sequence[str], last: Sequence[str] = ("load",)) -> tuple[str, ...]:
    """List the definitions that texts contain or call, and those that these call, without the `last` ones of a file."""
    used = [name for name in definitions if definitions[name] in texts or _calls(texts, name)]
    for name in used:
        used += [other for other in definitions if other not in used and _calls((definitions[name],), other)]
    return tuple(text for name, text in definitions.items() if name in used and name not in last)


def _calls(texts: Sequence[str], name: str) -> bool:
    return any(re.search(rf"(?<![\w.]){name}\(|\({name}\)", text) for text in texts)
