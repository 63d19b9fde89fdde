"""Adapts what an operator is written as to the element types of MLX's kernels: `x.astype(mx.float32).mean(axis=1).astype(mx.float16)`.

In: an operator and its emitter. Out: an emitter that writes the same function, with conversions where MLX computes in another type than the
spec declares, or an error where MLX has no kernel. Always: each emitter of a function is adapted when it is registered, in whichever order.

>>> import netc
>>> print(netc.compile("input 4 float16 -> mean axis=1").source("mlx").splitlines()[-1].strip())
return input.astype(mx.float32).mean(axis=1).astype(mx.float16)
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import replace

from ...errors.target_errors import SourceUnsupported
from ...ops.cumulative import Logcumsumexp
from ...ops.operator import Operator
from ...ops.pooling import GlobalAvgPool
from ...ops.reduction import Cumprod, Cumsum, Mean, Std, Var
from ...ops.short_time import Istft, Stft
from ...ops.spectral import Fft, Ifft, Irfft, Rfft
from ...types.tensor_types import BOOL, FLOAT32, FLOAT64
from ..python.code.python_expressions import CallCode, Code, Method, call_method
from ..python.emitters import Emitter
from ..python.operator_calls import OperatorSite
from ..python.scalar_tensors import convert_scalar_tensors
from ..python.unsupported_python import UnsupportedInPython
from .mlx_framework import MLX, get_mlx_dtype

SUMS = (Cumprod, Cumsum, GlobalAvgPool, Logcumsumexp, Mean, Std, Var)
"""The operators that MLX sums in the type of the elements. It sums the others in float32."""
TRANSFORMS = (Fft, Ifft, Irfft, Rfft, Istft, Stft)
"""The operators whose kernels MLX has for float32 alone."""


def adapt_emitter(operator: type[Operator], emitter: Emitter) -> Emitter:
    """Return the emitter of an operator with the conversions and errors that MLX's kernels need."""
    emitter = widen_halves(emitter) if operator in SUMS else emitter
    emitter = refuse_float64(emitter) if operator in TRANSFORMS else emitter
    return convert_scalar_tensors(convert_booleans(emitter), get_mlx_dtype)


def refuse_use(site: OperatorSite, reason: str, advice: str) -> UnsupportedInPython:
    """Return the error for a use of an operator that MLX cannot compute."""
    return UnsupportedInPython(SourceUnsupported(f"`{site.node.op.name}`", MLX.title, reason, advice), site.node)


def convert_booleans(emitter: Emitter) -> Emitter:
    """Convert integers that are computed from booleans, which are `int32` in MLX, to the type that the spec declares."""

    def emit(op: Any, site: OperatorSite) -> Code:
        code = emitter(op, site)
        given, (result, *others) = [value.type.dtype for value in site.node.inputs], [one.dtype for one in site.results]
        converts = BOOL in given and result.is_integer and result not in given and not others
        return call_method(code, "astype", get_mlx_dtype(result)) if converts else code

    return emit


def widen_halves(emitter: Emitter) -> Emitter:
    """Compute sums of 16-bit floats in float32."""

    def emit(op: Any, site: OperatorSite) -> Code:
        code, dtype = emitter(op, site), site.results[0].dtype
        if not dtype.is_float or dtype.size > 2:
            return code
        match code:
            case Method(x):
                wide: Code = replace(code, target=call_method(x, "astype", get_mlx_dtype(FLOAT32)))
            case CallCode(_, (x, *others)):
                wide = replace(code, args=(call_method(x, "astype", get_mlx_dtype(FLOAT32)), *others))
            case _:
                return code
        return call_method(wide, "astype", get_mlx_dtype(dtype))

    return emit


def refuse_float64(emitter: Emitter) -> Emitter:
    """Refuse the transform of a float64."""

    def emit(op: Any, site: OperatorSite) -> Code:
        if site.given.x.dtype == FLOAT64:
            raise refuse_use(site, "MLX transforms float32 only", "convert the tensor with `-> cast float32` before")
        return emitter(op, site)

    return emit
