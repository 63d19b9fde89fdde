"""Rules about one node that several devices have: which inputs are constants, and how many axes there are.

>>> import netc
>>> from ..onnx_model import build_graph
>>> from .typed_nodes import list_nodes
>>> (node,) = list_nodes(build_graph(netc.compile("input 8x8 -> relu").program, {}, "tiny"))
>>> require_rank(4)(node), require_few_axes(5)(node)
('with 4 axes', None)
"""

from __future__ import annotations

from collections.abc import Callable

from .typed_nodes import TypedNode

Limit = Callable[[TypedNode], "str | None"]
"""Returns the form of the operator that a device can run instead of the node's, or None if it runs the node."""


def require_constant(index: int, name: str) -> Limit:
    """Return the rule that an input is a constant."""

    def find_limit(node: TypedNode) -> str | None:
        value = node.find_input(index)
        return None if value is None or value.is_constant else f"with constant {name}"

    return find_limit


def require_rank(*ranks: int) -> Limit:
    """Return the rule that the first input has one of these numbers of axes."""

    def find_limit(node: TypedNode) -> str | None:
        value = node.find_input(0)
        found = None if value is None else value.rank
        return None if found is None or found in ranks else f"with {' or '.join(str(rank) for rank in ranks)} axes"

    return find_limit


def require_few_axes(most: int) -> Limit:
    """Return the rule that no input and no result has more axes."""

    def find_limit(node: TypedNode) -> str | None:
        ranks = [value.rank for value in (*node.inputs, *node.outputs) if value is not None and value.rank is not None]
        return f"with at most {most} axes" if max(ranks, default=0) > most else None

    return find_limit


def join_limits(*limits: Limit) -> Limit:
    """Return the rule that all of these hold."""

    def find_limit(node: TypedNode) -> str | None:
        forms = (limit(node) for limit in limits)
        return next((form for form in forms if form is not None), None)

    return find_limit
