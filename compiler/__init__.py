"""Syntax tree to graph to artifacts.

This module connects the two layers of which the lower one needs the higher one: an operator (`ops`) may have the types and the costs of its
definition, which `definitions` elaborates.
"""

from __future__ import annotations

from .ops.operator import Derivation, Operator


def _load_derivation() -> Derivation:
    """Few specs use an operator without a rule of its own, so the layer is imported when the first one does."""
    from .definitions.derivation import DERIVATION

    return DERIVATION


Operator.derivation = staticmethod(_load_derivation)
