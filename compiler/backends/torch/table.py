"""The tables of emitters: how each operator is written in PyTorch.

An operator has a *module* form (`nn.Conv2d(...)`, made once in the constructor), a *function* form (an expression in `forward`), or both:
then the module form is used inside an `nn.Sequential` and the function form in a `forward`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from netc.dsl.record import Record

from ...ir.graph import OpNode
from ...ir.types import TensorType
from ...ops.base import Operator, OpInputs
from .code import Code


class TorchSite(Record):
    """The use of an operator that is to be written. `results` counts as many types as are unpacked."""

    node: OpNode
    given: OpInputs
    results: tuple[TensorType, ...]


Emitter = Callable[[Any, TorchSite], Code]
E = TypeVar("E", bound=Emitter)

MODULES: dict[type[Operator], Emitter] = {}
"""The constructor's expression. Parameters inside must be named as `Operator.parameters` names them."""
INVOCATIONS: dict[type[Operator], Emitter] = {}
"""How the module is called, where that is not `Own()(input, ...)`: those never stand in an `nn.Sequential`."""
FUNCTIONS: dict[type[Operator], Emitter] = {}
"""The expression in `forward`: its inputs are `Ref(0)`, `Ref(1)`, ..."""

ALONE: set[type[Operator]] = set()
"""Operators whose function form says so little of what it does that it stands in a module of its own, called after the operator."""


def module(*operators: type[Operator]) -> Callable[[E], E]:
    return _register(MODULES, operators)


def invocation(*operators: type[Operator]) -> Callable[[E], E]:
    return _register(INVOCATIONS, operators)


def function(*operators: type[Operator]) -> Callable[[E], E]:
    return _register(FUNCTIONS, operators)


def alone(operator: type[Operator]) -> Callable[[E], E]:
    ALONE.add(operator)
    return lambda emitter: emitter


def _register(table: dict[type[Operator], Emitter], operators: tuple[type[Operator], ...]) -> Callable[[E], E]:
    def put(emitter: E) -> E:
        for operator in operators:
            table[operator] = emitter
        return emitter

    return put
