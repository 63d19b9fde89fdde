"""The declaration of an operator's inputs.

    x = Input(FLOATS, SPATIAL)                 # element types, axes
    b = Input(FLOATS, axes("... n"), like="a") # of the element type of `a`
    mask = Input(BOOLS, optional=True)
    other = Input(or_number=True)              # or the argument `other`, a number; with `either_side`, also before the tensor
    xs = Inputs()                              # one or more

Always: the operands of an operator are in the order of declaration, a class's own after those it inherits. Everything else is derived from
them: the number of inputs (`operand_arity`), their names in rules and emitters, the checks of their types (op_inputs.py), the arguments for
numbers, the reference, and the generators of the differential tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar, overload

from netc.dsl.record import Record

from ..errors.operator_errors import WrongRank
from ..errors.problem import Location, Problem, input_location
from ..types.tensor_types import Shape, TensorType
from .argument import Arg
from .element_types import ANY, ElementTypes
from .kinds import ANY_SCALAR, FLAG
from .promotion import Scalar

N = TypeVar("N")
REVERSE = "reverse"
"""The argument that puts a number before the tensor."""
NAMED = "named"
"""The argument with the names of the last inputs, if these were given by name, because their number does not say which they are."""


class OperatorError(Exception):
    """Raised by a rule of an operator. `problem` is the error, `at` its location within the stage, and `stated` the shape of the result
    that the arguments state. With it, an editor can go on after the error."""

    def __init__(self, problem: Problem, at: Location, stated: Shape | None = None) -> None:
        super().__init__(problem.format_message())
        self.problem = problem
        self.at = at
        self.stated = stated


class Axes(Record):
    """The axes of an input, from `least` to `most` of them (None: any number).

    `names` has a word for each axis, and `...` for any number of axes. If several inputs have the same word, these axes have one size, or
    sizes that broadcast. `needed` completes "needs ..." in the message about another rank, and `hints` has a remedy for some ranks. Without
    `needed`, the type rule checks the rank.
    """

    names: tuple[str, ...]
    least: int
    most: int | None
    needed: str
    hints: Mapping[int, str] = {}


def axes(
    names: str, needed: str = "", *, least: int | None = None, most: int | None = None, hints: Mapping[int, str] | None = None
) -> Axes:
    """Make the axes of `axes("N C ...", "[N, C, ...]")`. The bounds of the rank follow from the names, unless they are given."""
    words = tuple(names.split())
    fixed = len([word for word in words if word != "..."])
    open_ = "..." in words
    return Axes(words, fixed if least is None else least, most if open_ else most or fixed, needed, hints or {})


ANY_AXES = axes("...")
SOME_AXES = axes("... n", "at least one axis")
SPATIAL = axes("N C ...", "[N, C, length], [N, C, height, width] or [N, C, depth, height, width]", least=3, most=5)


class Input(Generic[N]):
    """A declared input: a tensor. On an operator, the attribute is the number that replaces the tensor, or None.

    `like` names an earlier input whose element type it must have. An `optional` input may be absent. `alias` is another name for it, if it
    is given by name. With `or_number`, there is also a positional argument of the input's name: a number that replaces the tensor. With
    `either_side`, there is the argument `reverse` too, which puts that number before the tensor.
    """

    name: str
    many = False

    @overload
    def __init__(
        self: Input[None], elements: ElementTypes = ANY, axes: Axes = ANY_AXES, *, like: str = "", optional: bool = False, alias: str = ""
    ) -> None: ...
    @overload
    def __init__(
        self: Input[Scalar | None],
        elements: ElementTypes = ANY,
        axes: Axes = ANY_AXES,
        *,
        like: str = "",
        optional: bool = False,
        alias: str = "",
        or_number: Literal[True],
        either_side: bool = False,
    ) -> None: ...
    def __init__(
        self,
        elements: ElementTypes = ANY,
        axes: Axes = ANY_AXES,
        *,
        like: str = "",
        optional: bool = False,
        alias: str = "",
        or_number: bool = False,
        either_side: bool = False,
    ) -> None:
        self.elements, self.axes, self.like = elements, axes, like
        self.optional, self.alias, self.or_number, self.either_side = optional, alias, or_number, either_side

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name
        # A new dictionary for the class, since `operands` may be the one that its base has.
        owner.operands = {**owner.operands, name: self}
        if self.or_number:
            # In front: the number replaces an input, so it is the first positional argument.
            owner.signature = {**_number_arguments(name, self.either_side), **owner.signature}

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
        """Whether the stage must get this input."""
        return not (self.optional or self.or_number)

    def check_input(self, operator: str, x: TensorType, position: int, first: TensorType) -> None:
        """Refuse an element type or a rank that is not declared."""
        if x.dtype.name not in self.elements.names:
            raise OperatorError(self.elements.make_problem(operator, x, first), input_location(position))
        rank = len(x.shape)
        if self.axes.needed and (rank < self.axes.least or (self.axes.most is not None and rank > self.axes.most)):
            raise OperatorError(WrongRank(operator, self.axes.needed, x, self.axes.hints.get(rank, "")), input_location(position))


def _number_arguments(name: str, either_side: bool) -> dict[str, Arg[Any]]:
    """Make the arguments for a number that replaces the input."""
    arguments: dict[str, Arg[Any]] = {name: Arg(ANY_SCALAR, default=None, positional=True)}
    if either_side:
        arguments[REVERSE] = Arg(FLAG, default=False)
    for argument, declared in arguments.items():
        declared.name = argument
    return arguments


class Inputs(Input[None]):
    """One or more inputs. It is the only declaration of its operator, or the last."""

    many = True


Operands = dict[str, "Input[Scalar | None] | Input[None]"]


def operand_arity(operands: Operands) -> tuple[int, int | None]:
    """The least and the greatest number of inputs; None: no bound."""
    most = None if any(operand.many for operand in operands.values()) else len(operands)
    return sum(operand.required for operand in operands.values()), most
