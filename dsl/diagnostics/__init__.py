"""Diagnostics, and suggestions of similar names.

>>> from netc.dsl.source import SourceFile, Span
>>> source = SourceFile("a.net", "x -> reluu")
>>> apply_edits([Edit(Span(source, 5, 10), "relu")])
'x -> relu'
"""

from .diagnostic import CallSite, Diagnostic, Edit, Mark, Severity, apply_edits, select_safe_edits

__all__ = ["CallSite", "Diagnostic", "Edit", "Mark", "Severity", "apply_edits", "select_safe_edits"]
