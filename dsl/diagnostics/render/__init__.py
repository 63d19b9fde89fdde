"""Renders diagnostics: as text, as one line for an editor, or as JSON."""

from .diagnostic_text import render_text
from .plain import format_summary, render_short, sort_and_dedupe, to_json

__all__ = ["render_short", "render_text", "sort_and_dedupe", "format_summary", "to_json"]
