"""Every operator, one class each, one file a family. Asking for an operator imports its family (`operator_registry.py`)."""

from .operator import Operator

__all__ = ["Operator"]
