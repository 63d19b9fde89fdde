"""Composite operators found again in a graph that has them written out: definitions, read backwards.

    found = recognize(maker, node)      # of `x * sigmoid(x)`: silu, on x

In: the operators that make tensors, and one that may be the last of a definition. Out: the operator and its inputs. Always: the result is a
float tensor of the same type, and the values are the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir.graph import OpNode
from ...ir.graph_values import Value
from .definition_patterns import patterns
from .pattern_matching import Recognized as Recognized
from .pattern_matching import match_patterns


def recognize(maker: Callable[[Value], OpNode | None], node: OpNode) -> Recognized | None:
    """The operator that a node is the last step of, if it is one; the first that matches."""
    rank = node.outputs[0].type.rank
    return match_patterns(patterns(rank), maker, node) if rank else None
