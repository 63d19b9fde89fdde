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


def reads(*names: str) -> Callable[[AtenReader], AtenReader]:
    """Register a function as the reader of aten operators."""

    def register(function: AtenReader) -> AtenReader:
        for name in names:
            if name in READERS:
                raise ValueError(f"two functions read {name}")
            READERS[name] = function
        return function

    return register
