"""The declaration of an operator's inputs, and what is derived from it: their names, their number, the checks of their types.

    x = Input(FLOATS, SPATIAL)                 # element types, axes
    b = Input(FLOATS, axes("... n"), like="a") # of the element type of `a`
    mask = Input(BOOLS, optional=True)
    other = Input(or_number=True)              # or the argument `other`, a number
    xs = Inputs()                              # one or more

In: the types of the tensors that a stage is applied to. Out: an `OperatorError` with the location of the input, or nothing. Always: the
operands are in the order of declaration, a class's own after those it inherits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Literal, TypeVar, overload

from netc.dsl.record import Record

from ..dims import Facts
from ..errors.arithmetic import OperandCount
from ..errors.base import STAGE, Location, Problem, argument, input_
from ..errors.operators import DTypeMismatch, WrongRank
from ..ir.types import TensorType
from .element_types import ANY, ElementTypes
from .promotion import Scalar

N = TypeVar("N")


class OperatorError(Exception):
    """Raised by a rule of an operator. `problem` is the error, `at` its location within the stage."""

    def __init__(self, problem: Problem, at: Location) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.at = at


class Axes(Record):
    """The axes of an input. `names` has a word for each of them, `...` for any number; words that are equal among the inputs of an operator
    stand for equal sizes (or for 1, where sizes broadcast). `needed` completes "needs ..." in the message about another rank, and `hints`
    suggest remedies, by rank."""

    names: tuple[str, ...]
    least: int
    most: int | None
    needed: str
    hints: Mapping[int, str] = {}


def axes(
    names: str, needed: str = "", *, least: int | None = None, most: int | None = None, hints: Mapping[int, str] | None = None
) -> Axes:
    """`axes("N C ...", "[N, C, ...]")`: the bounds of the rank follow from the names, unless they are given."""
    words = tuple(names.split())
    fixed = len([word for word in words if word != "..."])
    open_ = "..." in words
    return Axes(words, fixed if least is None else least, most if open_ else most or fixed, needed, hints or {})


ANY_AXES = axes("...")
SOME_AXES = axes("... n", "at least one axis")
SPATIAL = axes("N C ...", "[N, C, length], [N, C, height, width] or [N, C, depth, height, width]", least=3, most=5)


class Input(Generic[N]):
    """A declared input: a tensor. On an operator, the attribute is the number given in its place, None if there is none.

    `like` names an earlier input whose element type it must have. An `optional` input may be absent. With `or_number` there is also a
    positional argument of the input's name, a number that takes the place of the tensor.
    """

    name: str
    many = False

    @overload
    def __init__(
        self: Input[None], elements: ElementTypes = ANY, axes: Axes = ANY_AXES, *, like: str = "", optional: bool = False
    ) -> None: ...
    @overload
    def __init__(
        self: Input[Scalar | None],
        elements: ElementTypes = ANY,
        axes: Axes = ANY_AXES,
        *,
        like: str = "",
        optional: bool = False,
        or_number: Literal[True],
    ) -> None: ...
    def __init__(
        self,
        elements: ElementTypes = ANY,
        axes: Axes = ANY_AXES,
        *,
        like: str = "",
        optional: bool = False,
        or_number: bool = False,
    ) -> None:
        self.elements, self.axes, self.like = elements, axes, like
        self.optional, self.or_number = optional, or_number

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Input[N]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> N: ...
    def __get__(self, instance: object | None, owner: type) -> Input[N] | N:
        if instance is None:
            return self
        number: N = instance.args.get(self.name)  # type: ignore[attr-defined]
        return number

    @property
    def required(self) -> bool:
        """Whether the stage must be fed with it."""
        return not (self.optional or self.or_number)

    def check(self, operator: str, x: TensorType, position: int, first: TensorType) -> None:
        """Refuses an element type or a rank that is not declared."""
        if x.dtype.name not in self.elements.names:
            raise OperatorError(self.elements.refused(operator, x, first), input_(position))
        rank = len(x.shape)
        if rank < self.axes.least or (self.axes.most is not None and rank > self.axes.most):
            raise OperatorError(WrongRank(operator, self.axes.needed, x, self.axes.hints.get(rank, "")), input_(position))


class Inputs(Input[None]):
    """Any number of inputs, from one. It is the only declaration of its operator, or the last."""

    many = True


Operands = dict[str, "Input[Scalar | None] | Input[None]"]


def arity(operands: Operands) -> tuple[int, int | None]:
    """The least and the greatest number of inputs; None: no bound."""
    most = None if any(operand.many for operand in operands.values()) else len(operands)
    return sum(operand.required for operand in operands.values()), most


class OpInputs(Record):
    """What a rule may look at: the types of the inputs and what is known of the dimensions.

    `names` has the operand that each of the types is of. `given.x` is the type of the input declared as `x`; of one that may be absent,
    ask `given.get("mask")`, or `"mask" in given`. Those of `Inputs` are iterated over.
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
        """The type of an input that may be absent."""
        return self.types[self.names.index(name)] if name in self.names else None

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[TensorType]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)

    def position(self, name: str) -> int:
        """The number of the input among those that the stage is fed with."""
        return self.names.index(name)

    def at(self, name: str) -> Location:
        """The location of the input, for errors."""
        return input_(self.names.index(name))


def check(operator: str, operands: Operands, given: OpInputs, args: Mapping[str, object]) -> None:
    """Refuses inputs that are not as declared."""
    for operand in operands.values():
        if operand.or_number:
            _check_number(operator, operand, given, args)
    for position, (name, x) in enumerate(zip(given.names, given.types, strict=True)):
        operands[name].check(operator, x, position, given.types[0])
    for position, (name, x) in enumerate(zip(given.names, given.types, strict=True)):
        like = operands[name].like
        if like and x.dtype != given[like].dtype:
            raise OperatorError(DTypeMismatch(operator, given[like], x, (given.position(like), position)), STAGE)


def _check_number(operator: str, operand: Input[Scalar | None] | Input[None], given: OpInputs, args: Mapping[str, object]) -> None:
    """Refuses a tensor as well as a number, and neither."""
    number, tensor = args[operand.name] is not None, operand.name in given
    if number and tensor:
        raise OperatorError(OperandCount(operator, "both"), argument(operand.name))
    if not (number or tensor or operand.optional):
        raise OperatorError(OperandCount(operator, "neither"), STAGE)
