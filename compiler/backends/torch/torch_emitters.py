"""The tables of emitters: how each operator is written in PyTorch.

An operator has a *module* form (`nn.Conv2d(...)`, made once in the constructor), a *function* form (an expression in `forward`), or both:
then the module form is used inside an `nn.Sequential` and the function form in a `forward`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...ops.operator import Operator
from ..python.code.python_expressions import Code
from ..python.operator_calls import Emitters, OperatorSite
from .initialisation import initialisation


class TorchSite(OperatorSite):
    """The use of an operator that is to be written in PyTorch."""


Emitter = Callable[[Any, TorchSite], Code]
E = TypeVar("E", bound=Emitter)
Names = str | Mapping[type[Operator], str]
"""What operators are called in PyTorch: one name, which may have `{}` for the operator's own, or one for each."""

MODULES: dict[type[Operator], Emitter] = {}
"""The constructor's expression. Parameters inside must be named as `Operator.parameters` names them."""
INVOCATIONS: dict[type[Operator], Emitter] = {}
"""How the module is called, where that is not `Own()(input, ...)`: those are never members of an `nn.Sequential`."""
FUNCTIONS: dict[type[Operator], Emitter] = {}
"""The expression in `forward`, of the site's inputs."""
GIVEN: dict[type[Operator], Emitter] = {}
"""The expression in `forward` where the weight is one of the inputs, of `SelfMember()` too if there are buffers."""
NAMES: dict[type[Operator], str] = {}
"""What the operator is called in PyTorch, for people."""
OUTSIDE: dict[type[Operator], str] = {}
"""The modules that emitted source imports for operators of plugins."""
EMITTERS = Emitters(MODULES, INVOCATIONS, FUNCTIONS, GIVEN, TorchSite, initialisation)


def module(*operators: type[Operator], torch: Names = "") -> Callable[[E], E]:
    return _register(MODULES, operators, torch)


def invocation(*operators: type[Operator]) -> Callable[[E], E]:
    return _register(INVOCATIONS, operators, "")


def function(*operators: type[Operator], torch: Names = "") -> Callable[[E], E]:
    return _register(FUNCTIONS, operators, torch)


def given(*operators: type[Operator]) -> Callable[[E], E]:
    return _register(GIVEN, operators, "")


def expanded(operator: type[Operator], torch: str) -> None:
    """An operator that is written in terms of others, by lowering/operators.py: it needs no emitter."""
    NAMES[operator] = torch


def has_kernel(operator: type[Operator]) -> bool:
    """Whether an operator is written in PyTorch as itself, rather than by its definition."""
    return operator in NAMES or operator in FUNCTIONS or operator in MODULES


def _register(table: dict[type[Operator], Emitter], operators: tuple[type[Operator], ...], names: Names) -> Callable[[E], E]:
    def put(emitter: E) -> E:
        for operator in operators:
            table[operator] = emitter
            if names:
                NAMES[operator] = names.format(operator.name) if isinstance(names, str) else names[operator]
        return emitter

    return put
