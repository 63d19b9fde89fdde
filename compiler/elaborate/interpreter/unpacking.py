"""Names for the items of a list: of `let (a, b) = ...`, of a loop, of a comprehension.

>>> from netc.dsl.parser import parse_source
>>> from netc.dsl.source import SourceFile
>>> loop = parse_source(SourceFile("<text>", "x -> repeat (i, (a, b)) in pairs { relu }"))[0].items[0].pipeline.stages[0]
>>> [(name.name, value) for name, value in unpack_pattern(loop.binders, (0, (1, 2)))]
[('i', 0), ('a', 1), ('b', 2)]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.dsl import ast

from ...errors.structure_errors import IterationMismatch
from ..scopes.early_exits import Failure
from ..scopes.value_text import format_value


def unpack_pattern(pattern: ast.NamePattern, value: Any) -> Iterator[tuple[ast.Name, Any]]:
    """Each name of a pattern with its part of the value. A pattern of one name is that name."""
    parts = pattern.parts
    if len(parts) == 1:
        value = (value,)
    elif not isinstance(value, tuple) or len(value) != len(parts):
        raise Failure(IterationMismatch(len(parts), format_value(value)), pattern.span)
    for part, item in zip(parts, value, strict=True):
        if isinstance(part, ast.Name):
            yield part, item
        else:
            yield from unpack_pattern(part, item)
