"""What inputs must agree in, beyond what their declarations say: sizes of axes, element types.

In: the inputs of a stage, and the names of those that must agree. Out: an `OperatorError`, or nothing.
"""

from __future__ import annotations

from ..dims import advice, show
from ..errors.base import STAGE
from ..errors.operators import DTypeMismatch, ShapeMismatch, Unprovable
from .op_inputs import OpInputs
from .operand import OperatorError


def require_same_dtype(operator: str, given: OpInputs) -> None:
    """Refuses inputs whose element types differ from that of the first."""
    for index, x in enumerate(given):
        if x.dtype != given.types[0].dtype:
            raise OperatorError(DTypeMismatch(operator, given.types[0], x, (0, index)), STAGE)


def require_same_size(operator: str, given: OpInputs, pair: tuple[str, str], axis: int, verb: str, what: str) -> None:
    """Refuses two inputs that do not agree in an axis. `what` names that in the plural: `their last axes`."""
    left, right = given[pair[0]], given[pair[1]]
    at = (given.position(pair[0]), given.position(pair[1]))
    x, y = left.shape[axis], right.shape[axis]
    same = given.facts.equal(x, y)
    if same is False:
        raise OperatorError(ShapeMismatch(verb, left.shape, right.shape, f"{what} must agree: {show(x)} and {show(y)}", at=at), STAGE)
    if same is None:
        raise OperatorError(Unprovable(operator, x, y, f"{what} must agree", advice(x, y) or "", at), STAGE)
