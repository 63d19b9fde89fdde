"""Every operator, one class each, one file a family. A family is imported when one of its operators is asked for (`registry.py`)."""

from .base import Operator

__all__ = ["Operator"]
