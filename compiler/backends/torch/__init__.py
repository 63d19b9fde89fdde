"""Graph to PyTorch source to live module."""

from __future__ import annotations

from .emit import class_name, source

__all__ = ["class_name", "source"]
