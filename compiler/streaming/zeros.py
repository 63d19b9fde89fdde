"""Which operators make zero of zero, so that padding stays a number through them."""

from __future__ import annotations

from ..ops.activation import Gelu, LeakyRelu, Relu, Relu6, Silu, Tanh
from ..ops.arithmetic import Mul
from ..ops.base import Operator
from ..ops.convolution import Conv
from ..ops.dense import Dense
from ..ops.elementwise import Abs, Neg, Square
from ..ops.regularization import Identity, _Dropping
from ..ops.shape import Cast, Permute, Reshape, Squeeze, Transpose, Unsqueeze
from ..ops.rearrange import Rearrange

_MOVES = (Permute, Transpose, Squeeze, Unsqueeze, Rearrange, Reshape, Identity, _Dropping)
_ODD = (Relu, Relu6, LeakyRelu, Tanh, Gelu, Silu, Neg, Abs, Square, Cast)


def keeps_any(op: Operator) -> bool:
    """Whether it makes any number of that number: it only moves elements."""
    return isinstance(op, _MOVES)


def keeps_zero(op: Operator, inputs: int) -> bool:
    """Whether it makes zero of zeros alone."""
    if isinstance(op, Conv | Dense):
        return inputs == 1 and not op.args["bias"]
    return inputs == 1 and isinstance(op, (*_MOVES, *_ODD)) or (inputs == 2 and isinstance(op, Mul))
