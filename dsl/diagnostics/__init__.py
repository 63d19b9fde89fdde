"""Diagnostics and how they are shown."""

from .model import CallSite, Diagnostic, Edit, Mark, Severity

__all__ = ["CallSite", "Diagnostic", "Edit", "Mark", "Severity"]
