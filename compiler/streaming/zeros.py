"""Propagate constant padding through operators, so that it stays a number, rather than a tensor, as long as possible.

>>> find_kept_number(Relu(), [0], 1), find_kept_number(Relu(), [1], 1)
(0, None)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir.graph_values import Value
from ..ops.activation import Gelu, LeakyRelu, Relu, Relu6, Silu, Tanh
from ..ops.arithmetic import Mul
from ..ops.convolution import Conv
from ..ops.dense import Dense
from ..ops.elementwise import Abs, Neg, Square
from ..ops.operator import Operator
from ..ops.rearrange import Rearrange
from ..ops.regularization import Dropping, PassingOn
from ..ops.shape import Cast, Permute, Reshape, Squeeze, Transpose, Unsqueeze
from .items import Number

_KEEPS_NUMBER = (Permute, Transpose, Squeeze, Unsqueeze, Rearrange, Reshape, PassingOn, Dropping)
"""Operators that move elements: a tensor of one number stays a tensor of this number."""
_ZERO_TO_ZERO = (Relu, Relu6, LeakyRelu, Tanh, Gelu, Silu, Neg, Abs, Square, Cast)
"""Operators that map zero to zero."""


def find_kept_number(op: Operator, numbers: Sequence[Value | Number | None], inputs: int) -> Number | None:
    """Return the number in all elements of the result if the chunks have these numbers in all elements. None if it is unknown. `inputs`
    counts inputs that are no chunks too."""
    first, *others = numbers
    if isinstance(first, Value) or any(isinstance(n, Value) or n != first for n in others):
        return None
    if isinstance(op, _KEEPS_NUMBER) and inputs == 1:
        return first or 0
    return 0 if not first and _keeps_zero(op, inputs) else None


def _keeps_zero(op: Operator, inputs: int) -> bool:
    # A layer without bias maps zeros to zeros, whatever its weights are.
    if isinstance(op, Conv | Dense):
        return inputs == 1 and not op.args["bias"]
    return (inputs == 1 and isinstance(op, _ZERO_TO_ZERO)) or (inputs == 2 and isinstance(op, Mul))
