"""The table of streaming rules, keyed by an operator's class or one of its base classes.

An operator without an entry is refused, so that a new operator is never assumed to be causal.

    >>> from ..ops.activation import Relu
    >>> from ..ops.classification_loss import CrossEntropy
    >>> has_rule(Relu), has_rule(CrossEntropy)
    (True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ops.operator import Operator
from .items import Item
from .stream_site import MixedAxes, StreamSite

Rule = Callable[[StreamSite], Sequence[Item]]
RULES: dict[type[Operator], Rule] = {}


PAIR_OPERATORS: set[type[Operator]] = set()
"""The operators whose rule takes chunks with two axes of positions, such as masks."""


MIXED_AXES: dict[type[Operator], MixedAxes] = {}
"""Which axes operators mix. Proofs about positions use it too."""


def stream_rule(*classes: type[Operator], pairs: bool = False, mixes: MixedAxes | None = None) -> Callable[[Rule], Rule]:
    """Register how operators of these classes are computed. `pairs`: the rule takes chunks with two axes of positions. `mixes`: the axes
    that they mix, for proofs."""

    def register(function: Rule) -> Rule:
        for cls in classes:
            # Two modules that claim one class would otherwise depend on the order of their imports.
            if cls in RULES:
                raise ValueError(f"two rules for {cls.__name__}")
            RULES[cls] = function
            if pairs:
                PAIR_OPERATORS.add(cls)
            if mixes is not None:
                MIXED_AXES[cls] = mixes
        return function

    return register


def mixes_axes(*classes: type[Operator]) -> Callable[[MixedAxes], MixedAxes]:
    """Register which axes these operators mix. Along any other axis, a chunk gives a chunk."""

    def register(function: MixedAxes) -> MixedAxes:
        stream_rule(*classes, mixes=function)(lambda site: site.pass_through(function))
        return function

    return register


def has_rule(operator: type[Operator]) -> bool:
    """Whether an operator is streamed as itself, rather than by its definition."""
    return any(cls in RULES for cls in operator.__mro__)


def find_rule(op: Operator) -> Rule | None:
    return next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)


def find_mixed_axes(op: Operator) -> MixedAxes | None:
    """Find the function that says which axes an operator mixes. None if its streaming rule is of another kind."""
    return next((MIXED_AXES.get(cls) for cls in type(op).__mro__ if cls in RULES), None)


def takes_pairs(op: Operator) -> bool:
    # The first class with a rule decides: a subclass with a rule of its own does not inherit this.
    return next((cls in PAIR_OPERATORS for cls in type(op).__mro__ if cls in RULES), False)
