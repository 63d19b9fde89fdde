"""Imports elementwise arithmetic, comparisons and logic: `Mul` by a constant 2 becomes `x * 2`."""

from __future__ import annotations

import numpy as np
from onnx import helper

from ....ir.graph_values import Value
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import DType
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite, to_dtype
from ..importer_table import imports
from ..onnx_names import is_made_up
from ..onnx_values import Filled, Item, Known

_UNARY = {
    "Abs": "abs", "Neg": "neg", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign", "Exp": "exp", "Log": "log",
    "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos",
    "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "IsNaN": "isnan",
    "Not": "logical_not", "BitwiseNot": "bitwise_not",
}  # fmt: skip
_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul"}
_COMPARISONS = {"Equal": "eq", "Greater": "gt", "GreaterOrEqual": "ge", "Less": "lt", "LessOrEqual": "le"}
_LOGIC = {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}
_BITS = {"BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}


def _register_unary(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def unary(site: OnnxSite) -> Value:
        return site.apply_op(operator, site.input())


for _name, _operator in _UNARY.items():
    _register_unary(_name, _operator)


def apply_binary(site: OnnxSite, operator: str) -> Value:
    """Apply an operator of two operands, one of which may be a number."""
    align_operands(site)
    a, b = site.get_item(0), site.get_item(1)
    if isinstance(a, Known) and isinstance(b, Known):
        # Two constants come here only if one is a parameter, which must stay in the graph.
        weights = _is_next_to_number(a, b), _is_next_to_number(b, a)
        a, b = (site.input(n) if weight else item for n, (weight, item) in enumerate(zip(weights, (a, b), strict=True)))
    if isinstance(a, Value):
        other = site.get_scalar(1, a.type.rank)
        if other is not None and _keeps_dtype(a, other):
            return site.apply_op(operator, a, other=other)
    if isinstance(b, Value):
        first = site.get_scalar(0, b.type.rank)
        if first is not None and _keeps_dtype(b, first):
            return site.apply_op(operator, b, other=first, reverse=True)
    return site.apply_op(operator, site.input(0), site.input(1))


def align_operands(site: OnnxSite) -> None:
    """Align the operands as operator sets before 7 do: the attribute `axis` says at which axis of the first one the second one begins."""
    if site.version >= 7 or not site.get_attr("broadcast", 0) or site.get_attr("axis") is None:
        return
    item, rank = site.get_item(1), site.input(0).type.rank
    second_rank = item.array.ndim if isinstance(item, Known) else site.input(1).type.rank
    missing = rank - site.normalize_axis(int(site.get_attr("axis")), rank) - second_rank
    if missing < 0:
        raise ImportRefused(f"begins at axis {site.get_attr('axis')}, where a tensor of {second_rank} axes does not fit")
    if isinstance(item, Known):
        site.inputs[1] = Known(item.array.reshape(item.array.shape + (1,) * missing), item.name, item.layout + "|" * (missing > 0))
        return
    for _ in range(missing):
        site.inputs[1] = site.apply_op("unsqueeze", site.to_tensor(site.inputs[1]), axis=-1)


def _is_next_to_number(weight: Known, other: Known) -> bool:
    return weight.array.size > 1 and is_made_up(other.name)


def _keeps_dtype(x: Value, other: object) -> bool:
    """Return whether an operation with this number keeps the element type: PyTorch makes floats of integers with a float."""
    return x.type.dtype.is_float or not isinstance(other, float)


def _register_binary(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def binary(site: OnnxSite) -> Value:
        align_operands(site)
        if site.op_type == "Add":
            biased = _merge_bias(site, 0, 1) or _merge_bias(site, 1, 0)
            if biased is not None:
                return biased
        return apply_binary(site, operator)


for _name, _operator in {**_BINARY, **_COMPARISONS, **_BITS}.items():
    _register_binary(_name, _operator)


def _merge_bias(site: OnnxSite, tensor: int, constant: int) -> Value | None:
    """Merge an added constant into the matrix product or convolution before it, as its bias. None if that is not possible."""
    x, known = site.get_item(tensor), site.get_item(constant)
    if not isinstance(x, Value) or not isinstance(known, Known) or not site.is_only_user(tensor):
        return None
    # MatMul has taken this constant as its bias already, because it looked ahead.
    if site.emit.biased.get(id(x)) is known:
        return x
    axis = site.emit.find_bias_axis(x)
    if axis is None or known.array.ndim > x.type.rank or known.array.ndim == 0:
        return None
    sizes = (1,) * (x.type.rank - known.array.ndim) + known.array.shape
    # A bias has one number for each channel or unit, and 1 along all other axes.
    if sizes[axis] != known.array.size or x.type.shape[axis] != known.array.size:
        return None
    return x if site.emit.add_bias(x, Known(known.array.reshape(-1), known.name, known.layout)) else None


def _register_logic(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def logic(site: OnnxSite) -> Value:
        align_operands(site)
        return site.apply_op(operator, site.input(0), site.input(1))


for _name, _operator in _LOGIC.items():
    _register_logic(_name, _operator)


@imports("Div", to="div; of integers, fmod, sub and floor_div")
def import_div(site: OnnxSite) -> Value:
    """Divide. Integers are divided towards 0.

    `fmod` has the sign of the dividend, so `x - fmod(x, by)` is a multiple of `by`, and its division needs no rounding.
    """
    align_operands(site)
    if _find_dtype(site).is_float:
        return apply_binary(site, "div")
    x, number = site.input(0), site.get_scalar(1)
    tensors, numbers = ((), {"other": number}) if isinstance(number, int) else ((site.input(1),), {})
    multiple = site.apply_op("sub", x, site.apply_op("fmod", x, *tensors, **numbers))
    return site.apply_op("floor_div", multiple, *tensors, **numbers)


def _find_dtype(site: OnnxSite) -> DType:
    value = next((i for i in site.inputs if isinstance(i, Value)), None)
    return site.input(0).type.dtype if value is None else value.type.dtype


@imports("Mod", to="remainder, fmod")
def import_mod(site: OnnxSite) -> Value:
    if not site.get_attr("fmod", 0):
        return apply_binary(site, "remainder")
    number = site.get_scalar(1, site.input().type.rank)
    if number is not None and _keeps_dtype(site.input(), number):
        return site.apply_op("fmod", site.input(), other=number)
    return site.apply_op("fmod", site.input(0), site.input(1))


@imports("Pow", to="pow")
def import_pow(site: OnnxSite) -> Value:
    """Raise to a power. The result has the type of the base, while PyTorch promotes both types."""
    align_operands(site)
    base = site.get_item(0)
    dtype = _find_dtype(site) if not isinstance(base, Known) else get_array_dtype(base)
    x = site.input(0) if not isinstance(base, Known) else None
    number = site.get_scalar(1, 99 if x is None else x.type.rank)
    # An integer base with a float exponent would become a float in PyTorch.
    if x is not None and isinstance(number, float) and number.is_integer() and not dtype.is_float:
        return site.apply_op("pow", x, other=int(number))
    if x is not None and number is not None and dtype.is_float:
        exponent = int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 100 else number
        return site.cast(site.apply_op("pow", x, other=exponent), dtype)
    return site.cast(apply_binary(site, "pow"), dtype)


def get_array_dtype(known: Known) -> DType:
    return to_dtype(helper.np_dtype_to_tensor_dtype(known.array.dtype))


@imports("Max", "Min", "Sum", "Mean", to=("maximum, or clamp", "minimum, or clamp", "add", "add and div"))
def import_variadic(site: OnnxSite) -> Value:
    operator = {"Max": "maximum", "Min": "minimum"}.get(site.op_type, "add")
    result = site.input(0)
    # A maximum with one number is a clamp.
    if len(site) == 2 and operator != "add" and isinstance(site.get_item(0), Value):
        number = site.get_scalar(1, result.type.rank)
        if number is not None and _keeps_dtype(result, number) and not isinstance(number, bool):
            return site.apply_op("clamp", result, **{"min" if operator == "maximum" else "max": number})
    for index in range(1, len(site)):
        result = site.apply_op(operator, result, site.input(index))
    return site.apply_op("div", result, other=len(site)) if site.op_type == "Mean" and len(site) > 1 else result


@imports("IsInf", to="isinf, eq")
def import_isinf(site: OnnxSite) -> Value:
    up, down = bool(site.get_attr("detect_positive", 1)), bool(site.get_attr("detect_negative", 1))
    if up and down:
        return site.apply_op("isinf", site.input())
    # Nothing is detected: `isnan(x) and x == x` is false for all elements.
    if not (up or down):
        return site.apply_op("logical_and", site.apply_op("isnan", site.input()), site.apply_op("eq", site.input(), site.input()))
    return site.apply_op("eq", site.input(), other=float("inf") if up else float("-inf"))


@imports("BitShift", to="bitwise_left_shift, bitwise_right_shift")
def import_bit_shift(site: OnnxSite) -> Value:
    return apply_binary(site, "bitwise_left_shift" if site.get_attr("direction") == "LEFT" else "bitwise_right_shift")


@imports("Where", to="where")
def import_where(site: OnnxSite) -> Value:
    condition, x, y = site.input(0), site.get_item(1), site.get_item(2)
    if isinstance(x, Known) and isinstance(y, Known) and x.array.size == 1 and x.array.ndim <= condition.type.rank and condition.type.rank:
        x = site.emit.make_filled(Filled(condition.type.shape, x.array.reshape(-1)[0]))  # a number of the text, not a parameter
        site.inputs[1] = x
    if isinstance(x, Value):
        other = site.get_scalar(2, max(x.type.rank, condition.type.rank))
        if other is not None and _keeps_dtype(x, other):
            return site.apply_op("where", condition, x, other=other)
    if isinstance(y, Value):
        first = site.get_scalar(1, max(y.type.rank, condition.type.rank))
        if first is not None and _keeps_dtype(y, first):
            return site.apply_op("where", condition, y, other=first, reverse=True)
    return site.apply_op("where", condition, site.input(1), site.input(2))


@imports("Cast", to="cast")
def import_cast(site: OnnxSite) -> Value:
    return site.cast(site.input(), to_dtype(int(site.get_attr("to", 1))))


@imports("CastLike", to="cast")
def import_cast_like(site: OnnxSite) -> Item:
    x, like = site.get_item(0), site.get_item(1)
    dtype = get_array_dtype(like) if isinstance(like, Known) else site.input(1).type.dtype
    if isinstance(x, Known):
        return Known(x.array.astype(numpy_dtype(dtype)), x.name, f"{x.layout}|{dtype}")
    return site.cast(site.input(), dtype)


@imports("Identity", to="")
def import_identity(site: OnnxSite) -> Item:
    return site.get_item(0)


@imports("Dropout", to="dropout")
def import_dropout(site: OnnxSite) -> list[Item]:
    """Import dropout for inference. Its mask, if something reads it, keeps all elements."""
    training = site.get_item(2)
    if isinstance(training, Known) and bool(training.array.reshape(-1)[0]):
        raise ImportRefused("is of a graph for training; export the model for inference")
    if training is not None and not isinstance(training, Known):
        raise ImportRefused("learns at run time whether it is training")
    ratio = site.get_scalar(1) if site.has_input(1) else site.get_attr("ratio", 0.5)
    if not isinstance(ratio, int | float):
        raise ImportRefused("has a share that is computed")
    # The ratio is a float32. Its shortest digits are the number that the model was written with: 0.1, not 0.10000000149.
    share = float(str(np.float32(ratio)))
    x = site.input()
    kept = np.ones(1, bool if site.version >= 10 else np.float32)[0]
    mask = Filled(x.type.shape, kept) if len(site.used) > 1 and site.used[1] else None
    return [site.apply_op("dropout", x, p=share) if 0 < share <= 1 else x, mask]


@imports("Size", "Shape", to="")
def refuse_shape(site: OnnxSite) -> Value:
    raise ImportRefused("of something that is no tensor has no counterpart")
