"""Diagnostics, and suggestions of similar names."""

from .diagnostic import CallSite, Diagnostic, Edit, Mark, Severity, apply_edits

__all__ = ["CallSite", "Diagnostic", "Edit", "Mark", "Severity", "apply_edits"]
