"""Recognizes composite operators in a graph that has them written out, by matching their definitions.

    found = recognize_operator(view, node)      # for the last step of `x * sigmoid(x)`: silu, with the input x

In: a view of a graph, and an operator that may be the last step of a definition. Out: the operator and its inputs. Always: the result is a
float tensor of the same type, with the same values except for rounding.
"""

from __future__ import annotations

from ...ir.graph import OpNode
from ..graph_view import GraphView
from .definition_patterns import make_hidden_patterns, make_patterns
from .pattern_matching import Recognized as Recognized
from .pattern_matching import match_patterns


def recognize_operator(view: GraphView, node: OpNode) -> Recognized | None:
    """Return the first operator whose definition ends in this node, or None."""
    rank = node.outputs[0].type.rank
    return match_patterns(make_patterns(rank), view, node) if rank else None


def recognize_hidden_attention(view: GraphView, node: OpNode) -> tuple[Recognized, bool] | None:
    """Return attention whose scores a mask replaces by a number, and whether the mask is true where it hides. The mask is the last
    input."""
    rank = node.outputs[0].type.rank
    for hides in (True, False) if rank > 2 else ():
        match = match_patterns(make_hidden_patterns(rank, hides=hides), view, node)
        if match is not None:
            return match, hides
    return None
