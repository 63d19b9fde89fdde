"""Writes limits, bits, products and softmax in MLX, where its functions differ: `mx.minimum(x, 6)`, `left_shift(x, 3)`.

A use for whose element type MLX has no kernel is an error at its stage, such as a product of matrices of integers.

`nn.softmax` and `nn.log_softmax` of MLX 0.32 end the process if they are called along another axis than the last with tensors of several
shapes, because they are compiled without shapes. `mx.softmax` is not. Without `precise`, it sums 16-bit floats in 16 bits.
"""

from __future__ import annotations

from ....ops.activation import Gelu, LogSoftmax, Softmax, Softmin
from ....ops.arithmetic import BinaryOperator, FloorDiv, Pow
from ....ops.bitwise import BitwiseAnd, BitwiseLeftShift, BitwiseLogic, BitwiseOr, BitwiseRightShift, BitwiseXor, Shift
from ....ops.linear_algebra import Einsum, Matmul
from ....ops.reduction import Spread, Std, Var
from ....types.tensor_types import BOOL, DType
from ...python.array_ops.activation import call_as_vector
from ...python.array_ops.array_emitters import ArraySite
from ...python.array_ops.elementwise import allows_negative_exponents, emit_power
from ...python.array_ops.reduction import emit_spread as emit_shared_spread
from ...python.code.python_expressions import Code, Default, Infix, Prefix, call_function, call_method, to_code
from ...python.operator_forms import BITWISE, INFIX, emit_binary, list_sides
from ..kernel_limits import refuse_use
from ..mlx_emitters import EMITTERS, MlxSite, function
from ..mlx_framework import get_mlx_dtype
from ..mlx_words import WORDS


def wrap_integer(number: object, dtype: DType) -> object:
    """Return the number that an integer type has in the place of one beyond its limits. A size stays."""
    if not isinstance(number, int):
        return number
    low, high = (int(limit) for limit in dtype.limits)
    return (number - low) % (high - low + 1) + low


@function(*INFIX, FloorDiv)
def emit_arithmetic(op: BinaryOperator, site: MlxSite) -> Code:
    x, result = site.given.x.dtype, site.results[0].dtype
    if isinstance(op, FloorDiv) and result.is_float:
        return call_function("floor_divide", *list_sides(op, site))
    if isinstance(op, Pow) and (x.is_float or allows_negative_exponents(op, result)):
        return emit_power(op, ArraySite(site.node, site.given, site.results, WORDS))
    if not op.scalars or not x.is_integer or wrap_integer(op.other, x) == op.other:
        return emit_binary(op, site)
    # MLX refuses numbers that the type does not have.
    tensor: Code = call_method(site.x, "astype", get_mlx_dtype(result)) if result.is_float else site.x
    number = to_code(op.other if result.is_float else wrap_integer(op.other, x), "other")
    return Infix(op.symbol, number, tensor) if op.number_first else Infix(op.symbol, tensor, number)


@function(BitwiseAnd, BitwiseOr, BitwiseXor, target="mlx.core.{}")
def emit_logic(op: BitwiseLogic, site: MlxSite) -> Code:
    number = wrap_integer(op.other, site.given.x.dtype) if op.scalars and site.given.x.dtype != BOOL else op.other
    left, right = (site.x, to_code(number, "other")) if op.scalars else list_sides(op, site)
    return Infix(BITWISE[type(op)], left, right)


@function(BitwiseLeftShift, BitwiseRightShift, target="mlx.core.left_shift, mlx.core.right_shift")
def emit_shift(op: Shift, site: MlxSite) -> Code:
    dtype = site.results[0].dtype
    x: Code = site.x if site.given.x.dtype == dtype else call_method(site.x, "astype", get_mlx_dtype(dtype))
    other: Code = to_code(wrap_integer(op.other, dtype), "other") if op.scalars else site.other
    if op.scalars and op.number_first:
        x, other = call_function("mx.array", other, get_mlx_dtype(dtype)), site.x
    return call_function("left_shift" if isinstance(op, BitwiseLeftShift) else "right_shift", x, other)


@function(Matmul, target="mlx.core.matmul")
def emit_matmul(op: Matmul, site: MlxSite) -> Code:
    if not site.given.x.dtype.is_float:
        raise refuse_use(site, "MLX multiplies matrices of floats only", "convert the tensors with `-> cast float32` before")
    return Infix(op.symbol, site.x, site.other)


@function(Einsum, target="mlx.core.einsum")
def emit_einsum(op: Einsum, site: MlxSite) -> Code:
    if not site.results[0].dtype.is_float:
        raise refuse_use(site, "MLX multiplies matrices of floats only", "convert the tensors with `-> cast float32` before")
    return call_function("mx.einsum", op.equation, *site.inputs)


@function(Var, Std, target="mlx.core.var")
def emit_spread(op: Spread, site: MlxSite) -> Code:
    if op.correction != int(op.correction):
        raise refuse_use(site, "the correction is no integer", "choose an integer for `correction`")
    return emit_shared_spread(op, ArraySite(site.node, site.given, site.results, WORDS))


@EMITTERS.layer_function(Gelu, target="mlx.nn.gelu, mlx.nn.gelu_approx")
def emit_gelu(op: Gelu, site: MlxSite) -> Code:
    return call_function("nn.gelu_approx" if op.approximate == "tanh" else "nn.gelu", site.x)


@EMITTERS.layer_function(Softmax, LogSoftmax, target={Softmax: "mlx.core.softmax", LogSoftmax: "mlx.core.logsumexp"})
def emit_softmax(op: Softmax | LogSoftmax | Softmin, site: MlxSite) -> Code:
    x, result = site.given.x.dtype, site.results[0].dtype
    tensor: Code = site.x if x == result else call_method(site.x, "astype", to_code(get_mlx_dtype(result)))
    tensor = Prefix("-", tensor) if isinstance(op, Softmin) else tensor
    function = "log_softmax" if isinstance(op, LogSoftmax) else "mx.softmax"
    options = {"precise": Default(function == "mx.softmax" and result.size <= 2, False)}
    if not site.given.x.rank:
        return call_as_vector(tensor, lambda vector: call_function(function, vector, axis=0, **options))
    return call_function(function, tensor, axis=op.axis, **options)


EMITTERS.function(Softmin, target="mlx.core.softmax")(emit_softmax)
