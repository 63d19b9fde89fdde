"""The table of rules, keyed by an operator's class or one of its base classes.

An operator without a rule is analyzed by its definition. If it has none, the axes that it mixes are those of its streaming rule, or else
all of its axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ops.operator import Operator
from .abstract_tensors import AbstractTensor
from .rule_site import RuleSite

Rule = Callable[[RuleSite], Sequence[AbstractTensor]]
RULES: dict[type[Operator], Rule] = {}


def proof_rule(*classes: type[Operator]) -> Callable[[Rule], Rule]:
    """Register how operators of these classes are analyzed."""

    def register(function: Rule) -> Rule:
        for cls in classes:
            # Two modules that claim one class would otherwise depend on the order of their imports.
            if cls in RULES:
                raise ValueError(f"two rules for {cls.__name__}")
            RULES[cls] = function
        return function

    return register


def find_rule(op: Operator) -> Rule | None:
    """Find the rule of an operator. None if its class, or a base class of it, has a definition and no base class in between has a rule:
    `log_softmax` is a `Pointwise` activation, but its definition says that it mixes an axis."""
    for cls in type(op).__mro__:
        if cls in RULES:
            return RULES[cls]
        if _DEFINITIONS & vars(cls).keys():
            return None
    return None


_DEFINITIONS = {"definition", "write_definition"}
"""The attributes by which a class defines its operator."""
