"""The base of losses: the check of equal shapes, the reduction, and the mean as a total and a divisor.

In: the outputs of a network, the targets, and perhaps weights. Out: one number, or with `reduction=none` one for each element or sample.
Always: nothing broadcasts. All floats of a loss have one element type, because gradients need it.

    >>> import netc
    >>> pair = "x = input 3; y = input 3; (x, y) -> mse_loss"
    >>> netc.compile(pair).outputs, netc.compile(f"{pair} reduction=none").outputs
    ({'output': TensorType([])}, {'output': TensorType([N, 3])})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from netc.dsl.record import Record

from ..dims import Dim, suggest_equality
from ..errors.loss import SourceWarning
from ..errors.operator_errors import ShapeMismatch, Unprovable, WrongSize
from ..errors.problem import STAGE, Location, Problem
from ..types.tensor_types import Shape, TensorType, show_shape
from .broadcast import broadcast
from .convolution import Conv, ConvTranspose
from .dense import Bilinear, Dense
from .kinds import WordKind
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .reduction import Sum

REDUCTION = WordKind("mean", "sum", "none")
SCORES = (Bilinear, Conv, ConvTranspose, Dense)
"""Layers that give scores of any size, neither probabilities nor their logarithms."""


class CountStep(Record):
    """One step of the computation of a count: `op` applied to `inputs`, which are inputs of the loss by the names of their declarations,
    or earlier steps by their `name`."""

    name: str
    op: Operator
    inputs: tuple[str, ...]


Count = Dim | tuple[CountStep, ...]
"""The divisor of a mean: a size, or a tensor without axes that the last step computes."""


def sum_steps(name: str) -> tuple[CountStep, ...]:
    """Return the steps that sum the input `name`."""
    return (CountStep("count", Sum(), (name,)),)


class Loss(Operator):
    """The base of losses. `alike` names the inputs that have the shape of the first one."""

    work: ClassVar[int] = 3
    """Operations for each element of the first input."""
    alike: ClassVar[tuple[str, ...]] = ()
    warned_of: ClassVar[Mapping[str, tuple[tuple[tuple[type[Operator], ...], type[SourceWarning]], ...]]] = {}
    """By the name of an input, the operators that should not compute it, and the warnings about them."""
    reduction = Arg(REDUCTION, default="mean", last=True)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        first = inputs.names[0]
        for name in self.alike:
            if name in inputs:
                require_same_shape(self.name, inputs, first, name, inputs[first].shape)
        shape = self.unreduced_shape(inputs) if self.reduction == "none" else ()
        return (inputs[first].with_shape(shape),)

    def unreduced_shape(self, inputs: OpInputs) -> Shape:
        """The shape of the losses before they are reduced."""
        return inputs.types[0].shape

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """`work` for each element of the first input."""
        return self.work * numel(inputs.types[0].shape)

    def find_source_warnings(self, inputs: OpInputs, sources: Mapping[str, Operator]) -> tuple[tuple[Problem, Location], ...]:
        """Warn about inputs that are meant for another loss, such as probabilities where scores are expected."""
        return tuple(
            (warning(self.name, source.name, inputs.position(name)), STAGE)
            for name, source in sources.items()
            for kinds, warning in self.warned_of.get(name, ())
            if isinstance(source, kinds)
        )

    # --- the mean as a total and a count -----------------------------------------------------------------------------------

    @property
    def is_mean(self) -> bool:
        """Whether the loss is a mean that equals `make_total` divided by `mean_divisor`."""
        return bool(self.reduction in ("mean", "batchmean"))

    def make_total(self) -> Self:
        """Return the same loss as a sum: the dividend of the mean."""
        return type(self)(**{**self.args, "reduction": "sum"})

    def mean_divisor(self, inputs: OpInputs) -> Count | None:
        """Return the divisor of the mean of `make_total`; None if the mean is not such a quotient.

        It depends on sizes, targets and weights, never on the outputs of the network. So the totals and counts of the parts of a batch add
        up to the total and the count of the batch.
        """
        return numel(self.unreduced_shape(inputs))


def require_same_shape(operator: str, inputs: OpInputs, first: str, second: str, wanted: Shape) -> None:
    """Refuse the input `second` unless its shape is provably `wanted`, which follows from the shape of `first`."""
    positions = (inputs.position(first), inputs.position(second))
    left, right = inputs[first].shape, inputs[second].shape
    answers = [inputs.facts.are_equal(a, b) for a, b in zip(wanted, right, strict=False)]
    if len(wanted) != len(right) or False in answers:
        # PyTorch's mse_loss only warns here. `[N, 1]` and `[N]` would give N * N losses, a mistake that trains
        # without an error.
        why = "a loss does not broadcast" if wanted is left else f"`{second}` must be {show_shape(wanted)}"
        suggestion = _suggest_squeeze(inputs, wanted, right, positions, wanted is left)
        raise OperatorError(ShapeMismatch(f"compute `{operator}` of", left, right, why, suggestion, positions), STAGE)
    if None in answers:
        axis = answers.index(None)
        a, b = wanted[axis], right[axis]
        need = f"axis {axis} of `{second}` must have the size of the axis in `{first}`: a loss does not broadcast"
        raise OperatorError(Unprovable(operator, a, b, need, suggest_equality(a, b) or "", positions), STAGE)


def _suggest_squeeze(inputs: OpInputs, wanted: Shape, right: Shape, at: tuple[int, int], alike: bool) -> str:
    """Suggest a `squeeze` if one of the two shapes has one axis of 1 too many, and nothing else is wrong."""
    axis = _one_too_many(inputs, right, wanted)
    if axis is not None:
        return f"write `{{{at[1]}}} -> squeeze {axis}`"
    axis = _one_too_many(inputs, wanted, right) if alike else None
    return "" if axis is None else f"write `{{{at[0]}}} -> squeeze {axis}`"


def _one_too_many(inputs: OpInputs, longer: Shape, shorter: Shape) -> int | None:
    """Find the last axis of 1 without which the longer shape equals the shorter one."""
    if len(longer) != len(shorter) + 1:
        return None
    for axis in reversed(range(len(longer))):
        rest = (*longer[:axis], *longer[axis + 1 :])
        if inputs.facts.are_equal(longer[axis], 1) and all(inputs.facts.are_equal(a, b) for a, b in zip(rest, shorter, strict=True)):
            return axis
    return None


def require_to_broadcast(operator: str, inputs: OpInputs, name: str, shape: Shape) -> None:
    """Refuse the input `name` unless it broadcasts to `shape`, the shape of the first input."""
    tensor = inputs[name]
    result = broadcast(shape, tensor.shape, inputs.facts, operator, f"multiply, in `{operator}`,", (0, inputs.position(name)))
    if len(result) != len(shape) or not all(inputs.facts.are_equal(a, b) for a, b in zip(result, shape, strict=True)):
        raise OperatorError(WrongSize(operator, f"`{name}` to broadcast to {show_shape(shape)}", tensor), inputs.at(name))
