"""Diagnostics as text for a person, as one line for an editor, as JSON for a program."""

from .plain import render_short, sort_and_dedupe, summary, to_json
from .text import render_text

__all__ = ["render_short", "render_text", "sort_and_dedupe", "summary", "to_json"]
