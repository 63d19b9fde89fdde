"""Linear layers."""

from __future__ import annotations

from .array_words import (
    Array,
    DType,
    Module,
    Param,
    Rngs,
    uniform_between,
    xp,
)

# Linear: each framework's own.


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x: [..., I], weight: [O, I] -> [..., O]."""
    y = x @ weight.T
    return y if bias is None else y + bias


class Bilinear(Module):
    """A product of two inputs and a weight: a: [..., I], b: [..., J] -> [..., out_features]."""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        bound = in1_features**-0.5
        init = uniform_between(-bound, bound)
        self.weight = Param(init(rngs.params(), (out_features, in1_features, in2_features), dtype))
        self.bias = Param(init(rngs.params(), (out_features,), dtype)) if bias else None

    def __call__(self, a: Array, b: Array) -> Array:
        return bilinear(a, b, self.weight[...], None if self.bias is None else self.bias[...])


def bilinear(a: Array, b: Array, weight: Array, bias: Array | None = None) -> Array:
    """a: [..., I], b: [..., J], weight: [O, I, J] -> [..., O]."""
    y = xp.einsum("...i,oij,...j->...o", a, weight, b)
    return y if bias is None else y + bias
