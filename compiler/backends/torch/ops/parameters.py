"""Writes parameters and buffers in PyTorch: tensors that the constructor makes, such as `torch.zeros(64)`.

Their module form is the expression of that tensor, and in `forward` they are `self.label`.
"""

from __future__ import annotations

from typing import Any

from ....ir.traced_floats import has_traced_float, trace_float
from ....ops.constants import ParamOperator
from ....ops.operator import Init
from ....types.tensor_types import DType
from ....types.traced_ints import has_origin, is_integer
from ...python.code.python_expressions import Code, Infix, SelfMember, TupleCode, call_function, call_method, to_code
from ..torch_emitters import TorchSite, function, module
from ..torch_framework import make_dtype_keyword
from ..torch_initializers import draw_tensor


@module(ParamOperator, target="torch.nn.Parameter")
def emit_parameter(op: ParamOperator, site: TorchSite) -> Code:
    sizes = TupleCode(tuple(to_code(d, "size") for d in op.shape))
    # `torch.zeros()` is an error: the sizes of a tensor without axes are written as `()`.
    flat = sizes.items or (sizes,)
    dtype = make_dtype_keyword(op.dtype)
    match op.init:
        case Init("zeros" | "ones" as kind):
            return call_function(f"torch.{kind}", *flat, dtype=dtype)
        case Init("constant", (value,)):
            return call_function("torch.full", sizes, emit_fill_value(value, op.dtype), dtype=dtype)
        # A number with an origin is a name in the spec. It is written even where it is 0, since another use of the block has another value.
        case Init("normal", (deviation, mean)) if mean == 0 and not has_origin(mean):
            sample = call_function("torch.randn", *flat, dtype=dtype)
            return sample if deviation == 1 and not has_origin(deviation) else Infix("*", sample, to_code(deviation, "std"))
        case Init("uniform", (low, high)):
            return call_method(call_function("torch.empty", *flat, dtype=dtype), "uniform_", to_code(low, "low"), to_code(high, "high"))
    return draw_tensor(op.init, call_function("torch.empty", *flat, dtype=dtype))


def emit_fill_value(value: Any, dtype: DType) -> Code:
    """Write a number as one of an element type, because `torch.full` takes the type from it."""
    if dtype.is_float:
        return to_code(to_float(value), "value")
    return (
        call_function("int", to_code(value, "value"))
        if has_traced_float(value)
        else to_code(value if is_integer(value) else int(value), "value")
    )


def to_float(value: Any) -> float:
    return value if isinstance(value, float) else trace_float("float", (value,), value)


@function(ParamOperator)
def emit_parameter_access(op: ParamOperator, site: TorchSite) -> Code:
    return SelfMember()
