"""The table of emitters, which write each operator in ONNX, in the form of opset 23.

>>> from ...ops.dense import Dense
>>> describe_target(Dense), has_emitter(Dense)
('Gemm, or MatMul and Add', True)
"""

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
    """The use of an operator that is to be written, and the graph that it is written into. Tensors are named by str.

    `site.x` is the input declared as `x`, and `site.given.x` its type. `inputs` has the names of all inputs, `results` the types of the
    results that are used.
    """

    node: OpNode
    given: OpInputs
    results: tuple[TensorType, ...]
    inputs: tuple[str, ...]

    def __getattr__(self, name: str) -> TensorExpr: ...

    def __getitem__(self, name: str) -> TensorExpr:
        """Return the input of that name."""
        ...

    @property
    def opset(self) -> int:
        """The opset that is written."""
        ...

    def has(self, op_type: str) -> bool:
        """Whether the opset that is written has an operator of that name itself, not composed of others below (`opsets/forms.py`)."""
        ...

    def has_kernel(self, op_type: str) -> bool:
        """Whether the device that is written for has a kernel for the operator, in any element type."""
        ...

    def runs_attribute(self, op_type: str, attribute: str) -> bool:
        """Whether the device's kernel for the operator takes an attribute that it should take."""
        ...

    def parameter(self, name: str) -> str:
        """Return the operator's parameter `name`, in PyTorch's layout: the initializer under its state-dict name, or the tensor passed for
        it."""
        ...

    def learned(self, name: str) -> TensorExpr:
        """Return the same as a tensor with arithmetic."""
        ...

    def parameter_of(self, path: str, name: str) -> str:
        """Return the initializer of the parameter `name` of the stage at `path`, from the graph of the node. Without a path, of the shared
        stage that the node uses."""
        ...


Emitter = Callable[[Any, Any], "str | tuple[str, ...] | None"]
"""Returns the name of the result, or of all results. None if the operator's definition is to be written instead."""
E = TypeVar("E", bound=Emitter)

Names = str | Mapping[type[Operator], str]
"""The counterparts of operators in ONNX: one text for all of them, or one for each."""


class _Emitters(dict[type[Operator], Emitter]):
    """The emitters of a family are in the module of `ops/` with the family's name, which is imported when one of them is first needed. A
    family whose operators all have definitions needs no such module."""

    def __missing__(self, operator: type[Operator]) -> Emitter:
        if not operator.is_plugin():
            home = f"{__package__}.ops.{operator.__module__.rpartition('.')[2]}"
            try:
                import_module(home)
            except ModuleNotFoundError as error:
                # An import that fails inside the family's module is a bug, not a missing emitter.
                if error.name != home:
                    raise
        if operator not in self:
            raise KeyError(operator)
        return super().__getitem__(operator)


EMITTERS = _Emitters()
NAMES: dict[type[Operator], str] = {}
"""The results of `describe_target` for the families that are imported."""


def emits(*operators: type[Operator], onnx: Names) -> Callable[[E], E]:
    """Register `emitter(op, site)`, which returns the name of the result, or of all results."""

    def register(emitter: E) -> E:
        for operator in operators:
            EMITTERS[operator] = emitter
            NAMES[operator] = onnx if isinstance(onnx, str) else onnx[operator]
        return emitter

    return register


def describe_target(operator: type[Operator]) -> str:
    """Describe the operators of ONNX that an operator becomes."""
    return NAMES[operator] if has_emitter(operator) else "" if operator.definition else "not supported"


def has_emitter(operator: type[Operator]) -> bool:
    """Whether an operator is written in ONNX as itself, rather than by its definition. Imports its family."""
    try:
        EMITTERS[operator]
    except KeyError:
        return False
    return True
