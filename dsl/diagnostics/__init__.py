"""Diagnostics and how they are shown."""

from .model import Diagnostic, Edit, Frame, Mark, Severity

__all__ = ["Diagnostic", "Edit", "Frame", "Mark", "Severity"]
