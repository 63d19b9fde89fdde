"""Diagnostics, and suggestions of similar names."""

from .diagnostic import CallSite, Diagnostic, Edit, Mark, Severity, applied

__all__ = ["CallSite", "Diagnostic", "Edit", "Mark", "Severity", "applied"]
