"""The inputs of one use of an operator, by the names of their declarations, and the check against the declarations.

In: the types of the tensors that a stage is applied to. Out: an `OperatorError` with the location of the input, or nothing.

    >>> import netc
    >>> netc.compile("x = input 3 int64; x -> relu -> dense 2")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    netc.errors.CompileError: error[needs-float]: `dense` needs a floating-point tensor, found int64 [N, 3]
     --> <text>:1:33
      |
    1 | x = input 3 int64; x -> relu -> dense 2
      |                         ----    ^^^^^
      |                         |
      |                         this is int64
      |
      = help: convert it with `-> cast float32`, or use `-> embedding num dim` if it contains indices
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netc.dsl.record import Record

from ..dims import Facts
from ..errors.arithmetic import OperandCount
from ..errors.operator_errors import BadArgument, DTypeMismatch
from ..errors.problem import STAGE, Location, argument_location, input_location
from ..types.tensor_types import TensorType
from .operand import REVERSE, Input, Operands, OperatorError
from .promotion import Scalar


class OpInputs(Record):
    """The arguments of a type rule: the types of the inputs, and the facts about their dimensions.

    `names` has the name of the operand for each of the types. `inputs.x` is the type of the input declared as `x`. For an input that may be
    absent, ask `inputs.get("mask")`, or `"mask" in inputs`. Iterate over it for the types of `Inputs`.
    """

    types: tuple[TensorType, ...]
    facts: Facts
    names: tuple[str, ...]

    def __getattr__(self, name: str) -> TensorType:
        if name not in self.names:
            raise AttributeError(f"no input `{name}` among {', '.join(self.names) or 'none'}")
        return self.types[self.names.index(name)]

    def __getitem__(self, name: str) -> TensorType:
        return self.types[self.names.index(name)]

    def get(self, name: str) -> TensorType | None:
        """Return the type of an input that may be absent, or None."""
        return self.types[self.names.index(name)] if name in self.names else None

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[TensorType]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)

    def position(self, name: str) -> int:
        """Return the position of the input among the inputs of the stage."""
        return self.names.index(name)

    def at(self, name: str) -> Location:
        """Return the location of the input, for errors."""
        return input_location(self.names.index(name))


def check_inputs(operator: str, operands: Operands, inputs: OpInputs, args: Mapping[str, object]) -> None:
    """Refuse inputs that do not match their declarations."""
    for operand in operands.values():
        if operand.or_number:
            _check_number(operator, operand, inputs, args)
    for position, (name, x) in enumerate(zip(inputs.names, inputs.types, strict=True)):
        operands[name].check_input(operator, x, position, inputs.types[0])
    # Only now, so that a wrong element type is reported as such rather than as one that differs from another input's.
    for position, (name, x) in enumerate(zip(inputs.names, inputs.types, strict=True)):
        like = operands[name].like
        if like and x.dtype != inputs[like].dtype:
            raise OperatorError(DTypeMismatch(operator, inputs[like], x, (inputs.position(like), position)), STAGE)


def _check_number(operator: str, operand: Input[Scalar | None] | Input[None], inputs: OpInputs, args: Mapping[str, object]) -> None:
    """Refuse a tensor together with a number, and a use with neither."""
    number, tensor = args[operand.name] is not None, operand.name in inputs
    if number and tensor:
        raise OperatorError(OperandCount(operator, "both"), argument_location(operand.name))
    if not (number or tensor or operand.optional):
        raise OperatorError(OperandCount(operator, "neither"), STAGE)
    if operand.either_side and args[REVERSE] and not number:
        raise OperatorError(BadArgument(operator, REVERSE, "true", "requires a number"), argument_location(REVERSE))
