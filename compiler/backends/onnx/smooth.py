"""Smooth activations, in steps.

In: a tensor of floats. Out: one of the same type. Always: computed in the type of the tensor.
"""

from __future__ import annotations

from math import pi, sqrt

from .expressions import TensorExpr, erf, softplus


def gelu(x: TensorExpr, *, tanh: bool) -> TensorExpr:
    """With the error function, or the approximation by tanh."""
    if not tanh:
        return x * 0.5 * (erf(x * sqrt(0.5)) + 1.0)
    inner = (x + x * x * x * 0.044715) * sqrt(2 / pi)
    return x * 0.5 * (inner.op("Tanh") + 1.0)


def mish(x: TensorExpr) -> TensorExpr:
    return x * softplus(x).op("Tanh")
