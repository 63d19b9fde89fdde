"""Requirements of type rules beyond the declarations of inputs: equal sizes of axes, equal element types, conditions on sizes.

In: the inputs of a stage, and the names of those that must agree. Out: an `OperatorError`, or nothing; a condition as a `where` has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..dims import Dim, format_dim, suggest_equality
from ..dims.polynomial import constant_of, terms_of
from ..errors.operator_errors import DTypeMismatch, ShapeMismatch, Unprovable, WrongSize
from ..errors.problem import STAGE
from .op_inputs import OpInputs
from .operand import OperatorError


def require_same_dtype(operator: str, inputs: OpInputs) -> None:
    """Refuse inputs whose element types differ from the type of the first input."""
    for index, x in enumerate(inputs):
        if x.dtype != inputs.types[0].dtype:
            raise OperatorError(DTypeMismatch(operator, inputs.types[0], x, (0, index)), STAGE)


def require_same_size(operator: str, inputs: OpInputs, pair: tuple[str, str], axis: int, verb: str, what: str) -> None:
    """Refuse two inputs that differ in the size of an axis. `what` names the axes in the plural: `their last axes`."""
    left, right = inputs[pair[0]], inputs[pair[1]]
    positions = (inputs.position(pair[0]), inputs.position(pair[1]))
    x, y = left.shape[axis], right.shape[axis]
    same = inputs.facts.are_equal(x, y)
    if same is False:
        raise OperatorError(
            ShapeMismatch(verb, left.shape, right.shape, f"{what} must agree: {format_dim(x)} and {format_dim(y)}", at=positions), STAGE
        )
    if same is None:
        raise OperatorError(Unprovable(operator, x, y, f"{what} must agree", suggest_equality(x, y) or "", positions), STAGE)


def require_elements(operator: str, inputs: OpInputs, name: str, axes: Iterable[int]) -> None:
    """Refuse an input if one of these axes is empty. A symbolic size that may be 0 is checked at run time, in modules and in sessions:
    PyTorch refuses a maximum of no elements, and ONNX Runtime refuses it with another text or computes some number."""
    x = inputs[name]
    for axis in axes:
        # Only a size that is certainly 0. The question itself is recorded for the checks at run time
        # (analysis/stage_checks.py).
        if inputs.facts.is_at_least(x.shape[axis], 1) is False:
            raise OperatorError(WrongSize(operator, f"at least one element along axis {axis}", x), inputs.at(name))


def at_most_text(part: Dim, size: Dim) -> str:
    """Write `part <= size` as a condition of `where`: `T <= 4`, `S >= T`."""
    return f"{format_dim(part)} <= {size}" if isinstance(size, int) else f"{format_dim(size)} >= {format_dim(part)}"


def at_least_text(size: Dim, least: Dim) -> str:
    """Write `size >= least` as a condition of `where`, with the number on the right: `T >= 2` rather than `T - 2 >= 0`, and `T <= 80`
    rather than `-T >= -80`.

    >>> from ..dims import make_symbol
    >>> at_least_text(make_symbol("T") - 2, 0), at_least_text(80 - make_symbol("T"), 0)
    ('T >= 2', 'T <= 80')
    """
    number = constant_of(size - least)
    rest = size - least - number
    if all(factor < 0 for factor in terms_of(rest).values()):
        return f"{format_dim(-rest)} <= {number}"
    return f"{format_dim(rest)} >= {-number}"


def count_of(count: Dim, noun: str) -> str:
    """Write a count with its noun: `1 channel`, `4 channels`, `C channels`."""
    return f"{format_dim(count)} {noun}{'' if count == 1 else 's'}"
