"""Converts tensors without axes, which frameworks with NumPy's names promote as any other: `x * scale.astype(jnp.float16)`.

In: the emitter of a function of two tensors. Out: an emitter of the same function. Always: both tensors have the element type in which
PyTorch computes, where the framework would choose a wider one because of a tensor without axes.

>>> import netc
>>> print(netc.compile("x = input 4 float16; y = input [] batch=false; x * y").source("flax").splitlines()[-1].strip())
return x * y.astype(jnp.float16)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.dsl.trees import rewrite_downward

from ...ops.arithmetic import NumberOrTensor, Pair
from ...ops.comparison import Where
from ...ops.operator import Operator, OpInputs
from ...ops.promotion import result_type
from ...types.tensor_types import DType, promote_types
from .code.python_expressions import Code, FrameworkValue, Ref, call_method
from .emitters import Emitter
from .operator_calls import OperatorSite


def convert_scalar_tensors(emitter: Emitter, get_dtype: Callable[[DType], FrameworkValue]) -> Emitter:
    """Return the emitter with conversions of tensors without axes."""

    def emit(op: Any, site: OperatorSite) -> Code:
        code: Code = emitter(op, site)
        dtype = find_narrower_type(op, site.given)
        if dtype is None:
            return code
        scalar = site.given.position("other" if site.given.x.rank else "x")
        converted = call_method(Ref(scalar), "astype", get_dtype(dtype))
        return rewrite_downward(code, lambda part: converted if part == Ref(scalar) else None)

    return emit


def find_narrower_type(op: Operator, given: OpInputs) -> DType | None:
    """Return the common type of two tensors, if one is without axes and its own type would widen that of the other."""
    if not isinstance(op, (NumberOrTensor, Pair, Where)) or "other" not in given or bool(given.x.rank) == bool(given.other.rank):
        return None
    dtype = result_type((given.x, given.other))
    return dtype if dtype != promote_types(given.x.dtype, given.other.dtype) else None
