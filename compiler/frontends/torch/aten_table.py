"""The table of readers: the function that reads each aten operator.

Always: each operator has one reader, under its name without overload. `add_`, which works in place, has the reader of `add`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...ir.graph_values import Value

if TYPE_CHECKING:
    from .aten_site import AtenSite

Result = Value | tuple[Value | None, ...]
"""A tensor, or several; None for one without elements."""
AtenReader = Callable[["AtenSite"], Result]
READERS: dict[str, AtenReader] = {}
COMPLEX_READERS: dict[str, AtenReader] = {}
"""The readers of operators that are given complex numbers, where these are other functions. Each operator has one in `READERS` too."""


def reads(*names: str) -> Callable[[AtenReader], AtenReader]:
    """Register a function as the reader of aten operators."""

    def register(function: AtenReader) -> AtenReader:
        for name in names:
            if name in READERS:
                raise ValueError(f"two functions read {name}")
            READERS[name] = function
        return function

    return register


def reads_complex(*names: str) -> Callable[[AtenReader], AtenReader]:
    """Register a function as the reader of aten operators of complex numbers."""

    def register(function: AtenReader) -> AtenReader:
        COMPLEX_READERS.update(dict.fromkeys(names, function))
        return function

    return register
