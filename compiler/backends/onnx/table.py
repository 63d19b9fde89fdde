"""The table of emitters: how each operator is written in ONNX (opset 23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...dims import Dim
from ...ir.graph import OpNode
from ...ir.types import DType, Shape, TensorType
from ...ops.base import Operator, OpInputs

if TYPE_CHECKING:
    from .expressions import TensorExpr


class Site(Protocol):
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

    def add(self, op_type: str, inputs: Sequence[str], **attributes: object) -> str:
        """Adds a node with one output and gives its name. An absent optional input is `""`; attributes that are None are left out."""
        ...

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: object) -> tuple[str, ...]:
        """The same with several outputs."""
        ...

    def parameter(self, name: str) -> str:
        """The initialiser of the operator's parameter `name`, in PyTorch's layout, under its state-dict name."""
        ...

    def constant(self, array: NDArray[Any] | np.generic) -> str:
        """A constant; equal ones are shared."""
        ...

    def scalar(self, value: Dim | float | bool, dtype: DType) -> str:
        """A 0-dimensional tensor of the type; of a symbolic dimension, computed at run time."""
        ...

    def ints(self, values: Sequence[Dim]) -> str:
        """A 1-dimensional int64 tensor: constant, or computed where dimensions are symbolic."""
        ...

    def shape(self, shape: Shape) -> str:
        """The same for a target shape of Reshape; uses -1 where one dimension is symbolic. Expand, which takes no -1, needs `ints`."""
        ...

    def cast(self, tensor: str, dtype: DType) -> str:
        """A Cast node."""
        ...


Emitter = Callable[[Any, Any], "str | tuple[str, ...]"]
E = TypeVar("E", bound=Emitter)

Names = str | Mapping[type[Operator], str]
"""What operators are in ONNX: a text for all of them, or one for each."""

EMITTERS: dict[type[Operator], Emitter] = {}
NAMES: dict[type[Operator], str] = {}
"""The operators of ONNX that an operator becomes, for people."""


def emits(*operators: type[Operator], onnx: Names) -> Callable[[E], E]:
    """Registers `emitter(op, site)`, which gives the name of the result, or of all results."""

    def put(emitter: E) -> E:
        for operator in operators:
            EMITTERS[operator] = emitter
            NAMES[operator] = onnx if isinstance(onnx, str) else onnx[operator]
        return emitter

    return put


def printed(operator: type[Operator]) -> str:
    """What the operator becomes in ONNX, for its page in the reference: an operator's name, several, or a description."""
    from . import ops

    assert ops, "importing the package fills the tables"
    return NAMES[operator]
