"""Composite operators found again in a graph that has them written out: definitions, read backwards.

    found = recognize(maker, node)      # of `x * sigmoid(x)`: silu, x

In: the operators that make tensors, and one that may be the last of a definition. Out: the operator, its arguments and its input. Always:
the input and the result are float tensors, and the values are the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netc.dsl.record import Record

from ...ir.graph import OpNode
from ...ir.graph_values import Value
from ...ops.operator import Operator
from .definition_patterns import NUMBERS, patterns
from .tensor_terms import Terms
from .term_matching import Matcher


class Recognized(Record):
    """An operator that was written out: its class, its arguments and its input."""

    operator: type[Operator]
    arguments: Mapping[str, Any]
    x: Value


_LAST = frozenset({"mul", "div", "sub", "clamp", "relu6"})


def recognize(maker: Callable[[Value], OpNode | None], node: OpNode) -> Recognized | None:
    """The operator that a node is the last step of, if it is one; the first that matches."""
    (result, *others) = node.outputs
    if node.op.name not in _LAST or others or not result.type.dtype.is_float or not result.type.rank:
        return None
    terms = Terms(maker, result)
    for pattern in patterns(result.type.rank):
        matcher = Matcher(terms, frozenset({pattern.hole}), NUMBERS)
        for bound in matcher.match(pattern.term, terms.term, {}):
            x = terms.value(bound[pattern.hole])
            if x is not None and x.type == result.type:
                return Recognized(type(pattern.op), pattern.arguments(x.type, bound), x)
    return None
