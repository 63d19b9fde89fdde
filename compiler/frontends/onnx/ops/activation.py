"""Activations."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import plain
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Item, Known

_SAME = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softsign": "softsign",
    "Mish": "mish",
    "HardSwish": "hardswish",
    "com.microsoft:Gelu": "gelu",
}
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def _same(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def same(site: Site) -> Value:
        return site.one(operator, site.x())


for _name, _operator in _SAME.items():
    _same(_name, _operator)


@imports("Softplus", to="softplus")
def softplus(site: Site) -> Value:
    return site.one("softplus", site.x())


@imports("LeakyRelu", to="leaky_relu")
def leaky_relu(site: Site) -> Value:
    return site.one("leaky_relu", site.x(), negative_slope=plain(site.attr("alpha", 0.01)))


@imports("Elu", to="elu")
def elu(site: Site) -> Value:
    return site.one("elu", site.x(), alpha=plain(site.attr("alpha", 1.0)))


@imports("Celu", to="celu")
def celu(site: Site) -> Value:
    return site.one("celu", site.x(), alpha=plain(site.attr("alpha", 1.0)))


@imports("Selu", to="selu, or elu and mul")
def selu(site: Site) -> Value:
    alpha, gamma = site.attr("alpha", _SELU[0]), site.attr("gamma", _SELU[1])
    if abs(alpha - _SELU[0]) < 1e-6 and abs(gamma - _SELU[1]) < 1e-6:
        return site.one("selu", site.x())
    return site.one("mul", site.one("elu", site.x(), alpha=plain(alpha)), other=plain(gamma))


@imports("ThresholdedRelu", to="threshold")
def thresholded_relu(site: Site) -> Value:
    return site.one("threshold", site.x(), threshold=plain(site.attr("alpha", 1.0)), value=0)


@imports("HardSigmoid", to="hardsigmoid, or mul, add and clamp")
def hard_sigmoid(site: Site) -> Value:
    alpha, beta = plain(site.attr("alpha", 0.2)), plain(site.attr("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return site.one("hardsigmoid", site.x())
    scaled = site.one("add", site.one("mul", site.x(), other=alpha), other=beta)
    return site.one("clamp", scaled, min=0.0, max=1.0)


@imports("Gelu", to="gelu")
def gelu(site: Site) -> Value:
    return site.one("gelu", site.x(), approximate=site.attr("approximate", "none"))


@imports("com.microsoft:QuickGelu", "Swish", to=("mul and sigmoid", "silu, or mul and sigmoid"))
def quick_gelu(site: Site) -> Value:
    alpha = plain(site.attr("alpha", 1.702 if site.op_type == "QuickGelu" else 1.0))
    x = site.x()
    if alpha == 1:
        return site.one("silu", x)
    return site.one("mul", x, site.one("sigmoid", site.one("mul", x, other=alpha)))


@imports("com.microsoft:BiasGelu", "com.microsoft:FastGelu", to="add and gelu")
def bias_gelu(site: Site) -> Value:
    x = site.one("add", site.x(0), site.x(1)) if site.has(1) else site.x()
    return site.one("gelu", x, approximate="tanh" if site.op_type == "FastGelu" else "none")


@imports("Shrink", to="hardshrink, softshrink, or where")
def shrink(site: Site) -> Value:
    limit, bias = plain(site.attr("lambd", 0.5)), plain(site.attr("bias", 0.0))
    x = site.x()
    if bias == 0 and x.type.dtype.is_float:
        return site.one("hardshrink", x, lambd=limit)
    if bias == limit and limit >= 0 and x.type.dtype.is_float:
        return site.one("softshrink", x, lambd=limit)
    low = site.one("where", site.one("lt", x, other=-limit), site.one("add", x, other=bias), other=0)
    return site.cast(site.one("where", site.one("gt", x, other=limit), site.one("sub", x, other=bias), low), x.type.dtype)


@imports("PRelu", to="prelu, or where and mul")
def prelu(site: Site) -> Value:
    """A slope for each channel, or one for all, is learned; any other is multiplied."""
    x, slope = site.x(), site.item(1)
    channels = x.type.shape[1] if x.type.rank > 1 else None
    if isinstance(slope, Known) and x.type.dtype.is_float:
        array = slope.array
        if array.size == 1 or (array.size == channels and array.shape[: array.ndim - x.type.rank + 2][-1:] == (channels,)):
            count = "channels" if array.size > 1 else 1
            weight = Known(array.reshape(-1), slope.name, slope.layout)
            if array.size == 1 or array.ndim == x.type.rank - 1 or (array.ndim == x.type.rank and array.shape[0] == 1):
                return site.emit.learned("prelu", [x], {"weight": weight}, num_parameters=count)[0]
    return site.one("where", site.one("gt", x, other=0), x, site.one("mul", x, site.x(1)))


@imports("Softmax", "LogSoftmax", to=("softmax", "log_softmax"))
def softmax(site: Site) -> Value:
    """Before version 13, all axes from the given one on are one."""
    name = "softmax" if site.op_type == "Softmax" else "log_softmax"
    x = site.x()
    axis = site.axis(int(site.attr("axis", -1 if site.version >= 13 else 1)), x.type.rank)
    if site.version >= 13 or axis >= x.type.rank - 1:
        return site.one(name, x, axis=axis if axis < x.type.rank - 1 else -1)
    flat = site.one("flatten", x, start=axis, end=-1)
    return site.one("unflatten", site.one(name, flat, axis=-1), axis=-1, sizes=x.type.shape[axis:])


@imports("Hardmax", to="argmax and one_hot")
def hardmax(site: Site) -> Value:
    x = site.x()
    axis = site.axis(int(site.attr("axis", -1 if site.version >= 13 else 1)), x.type.rank)
    if site.version < 13 and axis < x.type.rank - 1:
        raise ImportRefused("over several axes, as before version 13, has no counterpart")
    size = x.type.shape[axis]
    if not isinstance(size, int):
        raise ImportRefused("of an axis whose size is not known has no counterpart")
    hot = site.one("one_hot", site.one("argmax", x, axis=axis), classes=size, dtype=x.type.dtype)
    return site.one("permute", hot, axes=(*range(axis), x.type.rank - 1, *range(axis, x.type.rank - 1))) if axis < x.type.rank - 1 else hot


@imports("Clip", to="clamp, relu6, maximum, minimum")
def clip(site: Site) -> Item:
    x = site.x()
    low, high = (_bound(site, index, name) for index, name in ((1, "min"), (2, "max")))
    if isinstance(low, Value):
        x, low = site.one("maximum", x, low), None
    limits = {"min": low, "max": None if isinstance(high, Value) else high}
    if isinstance(high, Value):
        x = site.one("clamp", x, min=low) if low is not None else x
        return site.one("minimum", x, high)
    given = {name: value for name, value in limits.items() if value is not None}
    if not given:
        return x
    if limits == {"min": 0, "max": 6} and x.type.dtype.is_float:
        return site.one("relu6", x)
    if limits == {"min": 0, "max": None} and x.type.dtype.is_float:
        return site.one("relu", x)
    return site.one("clamp", x, **given)


def _bound(site: Site, index: int, name: str) -> object:
    """A limit that is a number, a tensor, or absent."""
    value: object = None
    if site.has(index):
        value = site.scalar(index)
        if value is None:
            return site.x(index)
    elif name in site.attributes:
        value = plain(site.attr(name))
    dtype = site.x().type.dtype
    if isinstance(value, float) and dtype.is_float and abs(value) >= dtype.limits[1]:
        return None
    if isinstance(value, int | float) and not dtype.is_float and not (dtype.limits[0] < value < dtype.limits[1]):
        return None
    return value
