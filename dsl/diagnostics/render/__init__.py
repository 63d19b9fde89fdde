"""Renders diagnostics: as text, as one line for an editor, or as JSON.

>>> from ...parser import parse_source
>>> from ...source import SourceFile
>>> print(render_short(parse_source(SourceFile("a.net", "x -> -> relu"))[1]), end="")
a.net:1:6: error[syntax]: expected a stage after `->`, found `->`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plain import format_summary, render_short, sort_and_dedupe, to_json

if TYPE_CHECKING:
    from .diagnostic_text import render_text

__all__ = ["render_short", "render_text", "sort_and_dedupe", "format_summary", "to_json"]


def __getattr__(name: str) -> object:
    """Import the snippets with the first diagnostic that is shown: a check without one needs none of it."""
    if name != "render_text":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .diagnostic_text import render_text

    return render_text
