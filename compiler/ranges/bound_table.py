"""The table of rules for bounds, keyed by an operator's class or one of its base classes.

A rule gets a `BoundSite` and returns the bounds of the operator's results, before rounding: the caller widens them. An operator without a
rule is bounded by its definition. An operator with neither has no bound, so that nothing is promised of a new operator.

    >>> from ..ops.activation import Gelu, Relu
    >>> from . import rules
    >>> has_rule(Relu), has_rule(Gelu)
    (True, True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..dims import SymDim, bounds
from ..ir.flat_graph import FlatNode
from ..ops.arithmetic import NumberOrTensor
from ..ops.op_inputs import OpInputs
from ..ops.operator import Operator
from ..ops.scalars import cast_scalar
from ..types.numpy_types import Array
from ..types.tensor_types import TensorType
from .tensor_bounds import TensorBound, scalar_bound, unknown_bound

UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The largest relative error of rounding to a type, by its name."""
LEAST = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}
"""The smallest normal number of each type. Below it, rounding is not relative, or a device may return 0."""
LEAST_SPREAD = 2.0**-16
"""The least deviation of numbers that are normalized, as a share of the largest of them. Below, the mean and the variance are mostly
rounding errors, and kernels of PyTorch return numbers of any size."""
SUM_FACTOR = 16
"""The factor by which a kernel may round worse than a sum in order, as Winograd's convolution does."""
FUNCTION_FACTOR = 16
"""The number of roundings by which libraries may differ in a function such as `exp`."""


class BoundSite:
    """One use of an operator: its inputs, their bounds, and its parameters."""

    def __init__(
        self,
        item: FlatNode,
        given: OpInputs,
        inputs: Sequence[TensorBound],
        read_parameter: Callable[[str], Array | None],
        bound_definition: Callable[[], tuple[Sequence[TensorBound], float]],
    ) -> None:
        self.item, self.given, self.inputs = item, given, inputs
        self.read_parameter = read_parameter
        """Reads a parameter by the operator's own name for it, in float64; None if the operator has none of this name."""
        self.bound_definition = bound_definition
        """Returns the bounds of the definition's results, and the largest bound inside."""
        self.needs_spread = False
        """Whether the bounds hold only if the numbers that it normalizes differ by more than rounding: see `LEAST_SPREAD`."""
        self.inner = 0.0
        """The bound of the largest number that is computed inside and is not a result."""

    @property
    def op(self) -> Operator:
        return self.item.node.op

    @property
    def results(self) -> tuple[TensorType, ...]:
        """The types of the results."""
        return tuple(value.type for value in self.item.node.outputs)

    @property
    def x(self) -> TensorBound:
        """The bound of the first input."""
        return self.inputs[0]

    @property
    def unit(self) -> float:
        """The largest relative error of one rounding of the first result."""
        return UNITS.get(self.results[0].dtype.name, 0.0)

    def get_input(self, name: str) -> TensorBound | None:
        """Return the bound of an input by its name; None if it is not given."""
        return next((bound for bound, own in zip(self.inputs, self.given.names, strict=True) if own == name), None)

    def read_constant(self, name: str) -> Array | None:
        """Read a parameter, or an input that is given in its place and is known. None if there is neither."""
        given = self.get_input(name)
        if given is None:
            return self.read_parameter(name)
        shape = tuple(size for size in self.given[name].shape if isinstance(size, int))
        return np.broadcast_to(given.low, shape) if given.is_constant and len(shape) == given.rank else None

    def has_tensor(self, name: str) -> bool:
        """Whether there is a parameter or an input of this name."""
        return self.get_input(name) is not None or self.read_parameter(name) is not None

    def list_operands(self) -> tuple[TensorBound, TensorBound]:
        """Return the bounds of both operands of `x + y`, one of which may be a number."""
        if len(self.inputs) == 2:
            return self.inputs[0], self.inputs[1]
        number = self.bound_number(self._convert_number(self.op.scalars[0]))
        return (number, self.x) if self.op.number_first else (self.x, number)

    def _convert_number(self, number: object) -> object:
        """Convert a number to the type of the operands: 300 is 44 for int8, and 0.1 is rounded to float32."""
        if isinstance(number, SymDim) or not isinstance(self.op, NumberOrTensor):
            return number
        dtype = self.op.operand_type(self.given)
        converted = self.op.convert_number(dtype)
        if dtype.name != "float32" or isinstance(converted, SymDim):
            return converted
        with np.errstate(over="ignore"):
            rounded = float(np.float32(converted))
        return rounded if np.isfinite(rounded) else converted

    def bound_number(self, number: object) -> TensorBound:
        """Return the bound of a number of the text, which may be a size that is known at run time only."""
        if isinstance(number, SymDim):
            low, high = bounds(number)
            return scalar_bound(-np.inf if low is None else low, np.inf if high is None else high, self.x.rank)
        return scalar_bound(float(number), float(number), self.x.rank)  # type: ignore[arg-type]

    def bound_fill(self, number: object) -> TensorBound:
        """Return the bound of a number that elements of the first result are set to. It is converted to their type, and rounded."""
        result = self.results[0]
        converted = cast_scalar(number, result.dtype)  # type: ignore[arg-type]
        if converted is None or isinstance(converted, SymDim):
            return unknown_bound(result.rank)
        return scalar_bound(float(converted), float(converted), result.rank).widen(self.unit)

    def sum_share(self, count: object) -> float:
        """Return the relative error of a sum of `count` products, as a share of the sum of their absolute values. Kernels add sums of
        unknown length in parts, whose error hardly grows."""
        terms = count if isinstance(count, int) else 2**12
        units = (UNITS.get(type.dtype.name, 0.0) for type in (self.results[0], *self.given.types))
        return SUM_FACTOR * (int(terms) + 4) * max(units)

    def unknown(self) -> tuple[TensorBound, ...]:
        """Return results without bounds."""
        return tuple(unknown_bound(type.rank) for type in self.results)


Rule = Callable[[BoundSite], Sequence[TensorBound]]
RULES: dict[type[Operator], Rule] = {}


def bound_rule(*classes: type[Operator]) -> Callable[[Rule], Rule]:
    """Register how the results of operators of these classes are bounded."""

    def register(function: Rule) -> Rule:
        for cls in classes:
            if cls in RULES:  # otherwise the order of imports would decide
                raise ValueError(f"two rules for {cls.__name__}")
            RULES[cls] = function
        return function

    return register


def has_rule(operator: type[Operator]) -> bool:
    """Whether an operator has a rule of its own."""
    return any(cls in RULES for cls in operator.__mro__)


def find_rule(op: Operator) -> Rule | None:
    return next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)
