"""What a PyTorch user calls for arithmetic, comparison and functions of one number.

In: the arguments and the tensors. Out: PyTorch's tensors. Always: a number in place of a tensor stands where a person would write it, and
Python and PyTorch decide what that means.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call


def sides(a: Call, *tensors: torch.Tensor) -> tuple[Any, ...]:
    """The operands in the order of writing: `2 - x` for a `reverse` number. One too many is refused by whatever takes two."""
    if a.other is None:
        return tensors[::-1] if a.reverse else tensors
    *before, last = tensors
    return (*before, a.other, last) if a.reverse else (*before, last, a.other)


FUNCTIONS = {
    "add": lambda a, *xs: operator.add(*sides(a, *xs)),
    "sub": lambda a, *xs: operator.sub(*sides(a, *xs)),
    "mul": lambda a, *xs: operator.mul(*sides(a, *xs)),
    "div": lambda a, *xs: operator.truediv(*sides(a, *xs)),
    "floor_div": lambda a, *xs: operator.floordiv(*sides(a, *xs)),
    "remainder": lambda a, *xs: operator.mod(*sides(a, *xs)),
    "pow": lambda a, *xs: operator.pow(*sides(a, *xs)),
    "clamp": lambda a, x: torch.clamp(x, a.min, a.max),
    "maximum": lambda a, x, y: torch.maximum(x, y),
    "minimum": lambda a, x, y: torch.minimum(x, y),
    # comparison and logic
    "eq": lambda a, *xs: operator.eq(*sides(a, *xs)),
    "ne": lambda a, *xs: operator.ne(*sides(a, *xs)),
    "lt": lambda a, *xs: operator.lt(*sides(a, *xs)),
    "le": lambda a, *xs: operator.le(*sides(a, *xs)),
    "gt": lambda a, *xs: operator.gt(*sides(a, *xs)),
    "ge": lambda a, *xs: operator.ge(*sides(a, *xs)),
    "isfinite": lambda a, x: torch.isfinite(x),
    "isinf": lambda a, x: torch.isinf(x),
    "isnan": lambda a, x: torch.isnan(x),
    "logical_and": lambda a, x, y: torch.logical_and(x, y),
    "logical_or": lambda a, x, y: torch.logical_or(x, y),
    "logical_xor": lambda a, x, y: torch.logical_xor(x, y),
    "logical_not": lambda a, x: torch.logical_not(x),
    "where": lambda a, condition, *xs: torch.where(condition, *sides(a, *xs)),
    # one number
    "abs": lambda a, x: torch.abs(x),
    "ceil": lambda a, x: torch.ceil(x),
    "erf": lambda a, x: torch.erf(x),
    "exp": lambda a, x: torch.exp(x),
    "exp2": lambda a, x: torch.exp2(x),
    "expm1": lambda a, x: torch.expm1(x),
    "floor": lambda a, x: torch.floor(x),
    "log": lambda a, x: torch.log(x),
    "log10": lambda a, x: torch.log10(x),
    "log1p": lambda a, x: torch.log1p(x),
    "log2": lambda a, x: torch.log2(x),
    "neg": lambda a, x: torch.neg(x),
    "reciprocal": lambda a, x: torch.reciprocal(x),
    "round": lambda a, x: torch.round(x),
    "rsqrt": lambda a, x: torch.rsqrt(x),
    "sign": lambda a, x: torch.sign(x),
    "sqrt": lambda a, x: torch.sqrt(x),
    "square": lambda a, x: torch.square(x),
    "trunc": lambda a, x: torch.trunc(x),
    # trigonometry
    "acos": lambda a, x: torch.acos(x),
    "acosh": lambda a, x: torch.acosh(x),
    "asin": lambda a, x: torch.asin(x),
    "asinh": lambda a, x: torch.asinh(x),
    "atan": lambda a, x: torch.atan(x),
    "atanh": lambda a, x: torch.atanh(x),
    "cos": lambda a, x: torch.cos(x),
    "cosh": lambda a, x: torch.cosh(x),
    "sin": lambda a, x: torch.sin(x),
    "sinh": lambda a, x: torch.sinh(x),
    "tan": lambda a, x: torch.tan(x),
    "tanh": lambda a, x: torch.tanh(x),
    "sigmoid": lambda a, x: torch.sigmoid(x),
    "identity": lambda a, x: x,
    # regularisation: in training PyTorch draws what is dropped
    "dropout": lambda a, x: F.dropout(x, a.p, a.training),
    "alpha_dropout": lambda a, x: F.alpha_dropout(x, a.p, a.training),
}
