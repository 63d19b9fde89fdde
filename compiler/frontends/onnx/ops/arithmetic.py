"""Arithmetic, comparisons, logic: operators of each element."""

from __future__ import annotations

import numpy as np
from onnx import helper

from ....ir.graph_values import Value
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import FLOAT64, DType
from ...graph_builder import ImportRefused
from ..importer_site import Site, element_of
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


def _unary(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def unary(site: Site) -> Value:
        return site.one(operator, site.x())


for _name, _operator in _UNARY.items():
    _unary(_name, _operator)


def paired(site: Site, operator: str) -> Value:
    """An operator of two, one of which may be a number."""
    align_operands(site)
    a, b = site.item(0), site.item(1)
    if isinstance(a, Known) and isinstance(b, Known):
        weights = _next_to_number(a, b), _next_to_number(b, a)
        a, b = (site.x(n) if weight else item for n, (weight, item) in enumerate(zip(weights, (a, b), strict=True)))
    if isinstance(a, Value):
        other = site.scalar(1, a.type.rank)
        if other is not None and _exact(a, other):
            return site.one(operator, a, other=other)
    if isinstance(b, Value):
        first = site.scalar(0, b.type.rank)
        if first is not None and _exact(b, first):
            return site.one(operator, b, other=first, reverse=True)
    return site.one(operator, site.x(0), site.x(1))


def align_operands(site: Site) -> None:
    """Before operator set 7, an attribute says that the second tensor is broadcast, and which axis of the first one it begins at."""
    if site.version >= 7 or not site.attr("broadcast", 0) or site.attr("axis") is None:
        return
    item, rank = site.item(1), site.x(0).type.rank
    own = item.array.ndim if isinstance(item, Known) else site.x(1).type.rank
    missing = rank - site.axis(int(site.attr("axis")), rank) - own
    if missing < 0:
        raise ImportRefused(f"begins at axis {site.attr('axis')}, where a tensor of {own} axes does not fit")
    if isinstance(item, Known):
        site.inputs[1] = Known(item.array.reshape(item.array.shape + (1,) * missing), item.name, item.layout + "|" * (missing > 0))
        return
    for _ in range(missing):
        site.inputs[1] = site.one("unsqueeze", site.tensor(site.inputs[1]), axis=-1)


def _next_to_number(weight: Known, other: Known) -> bool:
    return weight.array.size > 1 and is_made_up(other.name)


def _exact(x: Value, other: object) -> bool:
    """Whether a number next to the tensor leaves the element type as it is."""
    return x.type.dtype.is_float or not isinstance(other, float)


def _binary(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def binary(site: Site) -> Value:
        align_operands(site)
        if site.op_type == "Add":
            biased = _as_bias(site, 0, 1) or _as_bias(site, 1, 0)
            if biased is not None:
                return biased
        return paired(site, operator)


for _name, _operator in {**_BINARY, **_COMPARISONS, **_BITS}.items():
    _binary(_name, _operator)


def _as_bias(site: Site, tensor: int, constant: int) -> Value | None:
    """The result of a matrix product or convolution whose bias is the constant that is added to it."""
    x, known = site.item(tensor), site.item(constant)
    if not isinstance(x, Value) or not isinstance(known, Known) or not site.alone_at(tensor):
        return None
    if site.emit.biased.get(id(x)) is known:
        return x
    axis = site.emit.bias_axis(x)
    if axis is None or known.array.ndim > x.type.rank or known.array.ndim == 0:
        return None
    sizes = (1,) * (x.type.rank - known.array.ndim) + known.array.shape
    if sizes[axis] != known.array.size or x.type.shape[axis] != known.array.size:
        return None
    return x if site.emit.add_bias(x, Known(known.array.reshape(-1), known.name, known.layout)) else None


def _logic(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def logic(site: Site) -> Value:
        align_operands(site)
        return site.one(operator, site.x(0), site.x(1))


for _name, _operator in _LOGIC.items():
    _logic(_name, _operator)


@imports("Div", to="div; of integers, div and trunc")
def div(site: Site) -> Value:
    """Integers are divided towards 0; float64 is exact for all that are not gigantic."""
    align_operands(site)
    dtype = _dtype(site)
    if dtype.is_float:
        return paired(site, "div")
    number = site.scalar(1)
    whole = site.cast(site.x(0), FLOAT64)
    divided = site.one("div", whole, other=number) if isinstance(number, int) else site.one("div", whole, site.cast(site.x(1), FLOAT64))
    return site.cast(site.one("trunc", divided), dtype)


def _dtype(site: Site) -> DType:
    value = next((i for i in site.inputs if isinstance(i, Value)), None)
    return site.x(0).type.dtype if value is None else value.type.dtype


@imports("Mod", to="remainder, fmod")
def mod(site: Site) -> Value:
    if not site.attr("fmod", 0):
        return paired(site, "remainder")
    number = site.scalar(1, site.x().type.rank)
    if number is not None and _exact(site.x(), number):
        return site.one("fmod", site.x(), other=number)
    return site.one("fmod", site.x(0), site.x(1))


@imports("Pow", to="pow")
def pow_(site: Site) -> Value:
    """The result has the type of the base."""
    align_operands(site)
    base = site.item(0)
    dtype = _dtype(site) if not isinstance(base, Known) else element_of_array(base)
    x = site.x(0) if not isinstance(base, Known) else None
    number = site.scalar(1, 99 if x is None else x.type.rank)
    if x is not None and isinstance(number, float) and number.is_integer() and not dtype.is_float:
        return site.one("pow", x, other=int(number))
    if x is not None and number is not None and dtype.is_float:
        whole = int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 100 else number
        return site.cast(site.one("pow", x, other=whole), dtype)
    return site.cast(paired(site, "pow"), dtype)


def element_of_array(known: Known) -> DType:
    return element_of(helper.np_dtype_to_tensor_dtype(known.array.dtype))


@imports("Max", "Min", "Sum", "Mean", to=("maximum, or clamp", "minimum, or clamp", "add", "add and div"))
def folded(site: Site) -> Value:
    operator = {"Max": "maximum", "Min": "minimum"}.get(site.op_type, "add")
    result = site.x(0)
    if len(site) == 2 and operator != "add" and isinstance(site.item(0), Value):
        number = site.scalar(1, result.type.rank)
        if number is not None and _exact(result, number) and not isinstance(number, bool):
            return site.one("clamp", result, **{"min" if operator == "maximum" else "max": number})
    for index in range(1, len(site)):
        result = site.one(operator, result, site.x(index))
    return site.one("div", result, other=len(site)) if site.op_type == "Mean" and len(site) > 1 else result


@imports("IsInf", to="isinf, eq")
def isinf(site: Site) -> Value:
    up, down = bool(site.attr("detect_positive", 1)), bool(site.attr("detect_negative", 1))
    if up and down:
        return site.one("isinf", site.x())
    if not (up or down):
        return site.one("logical_and", site.one("isnan", site.x()), site.one("eq", site.x(), site.x()))
    return site.one("eq", site.x(), other=float("inf") if up else float("-inf"))


@imports("BitShift", to="bitwise_left_shift, bitwise_right_shift")
def bit_shift(site: Site) -> Value:
    return paired(site, "bitwise_left_shift" if site.attr("direction") == "LEFT" else "bitwise_right_shift")


@imports("Where", to="where")
def where(site: Site) -> Value:
    condition, x, y = site.x(0), site.item(1), site.item(2)
    if isinstance(x, Known) and isinstance(y, Known) and x.array.size == 1 and x.array.ndim <= condition.type.rank and condition.type.rank:
        x = site.emit.filled(Filled(condition.type.shape, x.array.reshape(-1)[0]))  # a number of the text, not a parameter
        site.inputs[1] = x
    if isinstance(x, Value):
        other = site.scalar(2, max(x.type.rank, condition.type.rank))
        if other is not None and _exact(x, other):
            return site.one("where", condition, x, other=other)
    if isinstance(y, Value):
        first = site.scalar(1, max(y.type.rank, condition.type.rank))
        if first is not None and _exact(y, first):
            return site.one("where", condition, y, other=first, reverse=True)
    return site.one("where", condition, site.x(1), site.x(2))


@imports("Cast", to="cast")
def cast(site: Site) -> Value:
    return site.cast(site.x(), element_of(int(site.attr("to", 1))))


@imports("CastLike", to="cast")
def cast_like(site: Site) -> Item:
    x, like = site.item(0), site.item(1)
    dtype = element_of_array(like) if isinstance(like, Known) else site.x(1).type.dtype
    if isinstance(x, Known):
        return Known(x.array.astype(numpy_dtype(dtype)), x.name, f"{x.layout}|{dtype}")
    return site.cast(site.x(), dtype)


@imports("Identity", to="")
def identity(site: Site) -> Item:
    return site.item(0)


@imports("Dropout", to="dropout")
def dropout(site: Site) -> list[Item]:
    """Only in training does it do something; the mask is that of inference, which keeps all."""
    training = site.item(2)
    if isinstance(training, Known) and bool(training.array.reshape(-1)[0]):
        raise ImportRefused("is of a graph for training; export the model for inference")
    if training is not None and not isinstance(training, Known):
        raise ImportRefused("learns at run time whether it is training")
    ratio = site.scalar(1) if site.has(1) else site.attr("ratio", 0.5)
    if not isinstance(ratio, int | float):
        raise ImportRefused("has a share that is computed")
    share = float(str(np.float32(ratio)))
    x = site.x()
    kept = np.ones(1, bool if site.version >= 10 else np.float32)[0]
    mask = Filled(x.type.shape, kept) if len(site.used) > 1 and site.used[1] else None
    return [site.one("dropout", x, p=share) if 0 < share <= 1 else x, mask]


@imports("Size", "Shape", to="")
def shape(site: Site) -> Value:
    raise ImportRefused("of something that is no tensor has no counterpart")
