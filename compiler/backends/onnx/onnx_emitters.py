"""The table of emitters: how each operator is written in ONNX, in the form of opset 23."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, TypeVar

from ...ir.graph import OpNode
from ...ops.operator import Operator, OpInputs
from ...types.tensor_types import TensorType
from .tensor_expressions import TensorExpr
from .writer import GraphWriter


class Site(GraphWriter, Protocol):
    """The use of an operator that is to be written, and the graph it is written into. Tensors are named by str.

    `site.x` is the input declared as `x`, `site.given.x` its type; `inputs` has the names of all inputs, `results` the types of the
    results that are used.
    """

    node: OpNode
    given: OpInputs
    results: tuple[TensorType, ...]
    inputs: tuple[str, ...]

    def __getattr__(self, name: str) -> TensorExpr: ...

    def __getitem__(self, name: str) -> TensorExpr:
        """The input of that name."""
        ...

    def has(self, op_type: str) -> bool:
        """Whether the opset that is written has an operator of that name, which is not composed of others below (`opsets/forms.py`)."""
        ...

    def parameter(self, name: str) -> str:
        """The operator's parameter `name`, in PyTorch's layout: the initializer under its state-dict name, or the tensor that is given."""
        ...

    def learned(self, name: str) -> TensorExpr:
        """The same as a tensor with arithmetic."""
        ...

    def parameter_of(self, path: str, name: str) -> str:
        """The initializer of the parameter `name` of the stage at `path`, from the graph of the node; without a path, of the shared stage
        that the node is a use of."""
        ...


Emitter = Callable[[Any, Any], "str | tuple[str, ...] | None"]
"""Gives the name of the result, or of all results; None: this use is written by the operator's definition."""
E = TypeVar("E", bound=Emitter)

Names = str | Mapping[type[Operator], str]
"""What operators are in ONNX: a text for all of them, or one for each."""


class _Emitters(dict[type[Operator], Emitter]):
    """The emitters of a family are in the module of `ops/` that has the family's name, which is imported when one of them is asked for. A
    family whose operators all have definitions needs no such module."""

    def __missing__(self, operator: type[Operator]) -> Emitter:
        if not operator.is_plugin():
            home = f"{__package__}.ops.{operator.__module__.rpartition('.')[2]}"
            try:
                import_module(home)
            except ModuleNotFoundError as error:
                if error.name != home:
                    raise
        if operator not in self:
            raise KeyError(operator)
        return super().__getitem__(operator)


EMITTERS = _Emitters()
NAMES: dict[type[Operator], str] = {}
"""What `describe_target` gives, of the families that are imported."""


def emits(*operators: type[Operator], onnx: Names) -> Callable[[E], E]:
    """Registers `emitter(op, site)`, which gives the name of the result, or of all results."""

    def register(emitter: E) -> E:
        for operator in operators:
            EMITTERS[operator] = emitter
            NAMES[operator] = onnx if isinstance(onnx, str) else onnx[operator]
        return emitter

    return register


def describe_target(operator: type[Operator]) -> str:
    """The operators of ONNX that an operator becomes, for people."""
    return NAMES[operator] if has_emitter(operator) else "" if operator.definition else "not supported"


def has_emitter(operator: type[Operator]) -> bool:
    """Whether an operator is written in ONNX as itself, rather than by its definition. Imports its family."""
    try:
        EMITTERS[operator]
    except KeyError:
        return False
    return True
