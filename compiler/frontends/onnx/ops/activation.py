"""Imports activations: `LeakyRelu alpha=0.2` becomes `leaky_relu negative_slope=0.2`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
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


def _register_unary(name: str, operator: str) -> None:
    @imports(name, to=operator)
    def same(site: OnnxSite) -> Value:
        return site.apply_op(operator, site.input())


for _name, _operator in _SAME.items():
    _register_unary(_name, _operator)


@imports("Softplus", to="softplus")
def import_softplus(site: OnnxSite) -> Value:
    return site.apply_op("softplus", site.input())


@imports("LeakyRelu", to="leaky_relu")
def import_leaky_relu(site: OnnxSite) -> Value:
    return site.apply_op("leaky_relu", site.input(), negative_slope=shorten_float(site.get_attr("alpha", 0.01)))


@imports("Elu", to="elu")
def import_elu(site: OnnxSite) -> Value:
    return site.apply_op("elu", site.input(), alpha=shorten_float(site.get_attr("alpha", 1.0)))


@imports("Celu", to="celu")
def import_celu(site: OnnxSite) -> Value:
    return site.apply_op("celu", site.input(), alpha=shorten_float(site.get_attr("alpha", 1.0)))


@imports("Selu", to="selu, or elu and mul")
def import_selu(site: OnnxSite) -> Value:
    alpha, gamma = site.get_attr("alpha", _SELU[0]), site.get_attr("gamma", _SELU[1])
    # The attributes are float32, and PyTorch's SELU has its constants in float64.
    if abs(alpha - _SELU[0]) < 1e-6 and abs(gamma - _SELU[1]) < 1e-6:
        return site.apply_op("selu", site.input())
    return site.apply_op("mul", site.apply_op("elu", site.input(), alpha=shorten_float(alpha)), other=shorten_float(gamma))


@imports("ThresholdedRelu", to="threshold")
def import_thresholded_relu(site: OnnxSite) -> Value:
    return site.apply_op("threshold", site.input(), threshold=shorten_float(site.get_attr("alpha", 1.0)), value=0)


@imports("HardSigmoid", to="hardsigmoid, or mul, add and clamp")
def import_hard_sigmoid(site: OnnxSite) -> Value:
    alpha, beta = shorten_float(site.get_attr("alpha", 0.2)), shorten_float(site.get_attr("beta", 0.5))
    # PyTorch's Hardsigmoid has the slope 1/6, and ONNX's default is 0.2.
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return site.apply_op("hardsigmoid", site.input())
    scaled = site.apply_op("add", site.apply_op("mul", site.input(), other=alpha), other=beta)
    return site.apply_op("clamp", scaled, min=0.0, max=1.0)


@imports("Gelu", to="gelu")
def import_gelu(site: OnnxSite) -> Value:
    return site.apply_op("gelu", site.input(), approximate=site.get_attr("approximate", "none"))


@imports("com.microsoft:QuickGelu", "Swish", to=("mul and sigmoid", "silu, or mul and sigmoid"))
def import_quick_gelu(site: OnnxSite) -> Value:
    alpha = shorten_float(site.get_attr("alpha", 1.702 if site.op_type == "QuickGelu" else 1.0))
    x = site.input()
    if alpha == 1:
        return site.apply_op("silu", x)
    return site.apply_op("mul", x, site.apply_op("sigmoid", site.apply_op("mul", x, other=alpha)))


@imports("com.microsoft:BiasGelu", "com.microsoft:FastGelu", to="add and gelu")
def import_bias_gelu(site: OnnxSite) -> Value:
    x = site.apply_op("add", site.input(0), site.input(1)) if site.has_input(1) else site.input()
    return site.apply_op("gelu", x, approximate="tanh" if site.op_type == "FastGelu" else "none")


@imports("Shrink", to="hardshrink, softshrink, or where")
def import_shrink(site: OnnxSite) -> Value:
    limit, bias = shorten_float(site.get_attr("lambd", 0.5)), shorten_float(site.get_attr("bias", 0.0))
    x = site.input()
    # Shrink has both of PyTorch's operators as special cases: without a bias, and with a bias equal to the limit.
    if bias == 0 and x.type.dtype.is_float:
        return site.apply_op("hardshrink", x, lambd=limit)
    if bias == limit and limit >= 0 and x.type.dtype.is_float:
        return site.apply_op("softshrink", x, lambd=limit)
    low = site.apply_op("where", site.apply_op("lt", x, other=-limit), site.apply_op("add", x, other=bias), other=0)
    return site.cast(site.apply_op("where", site.apply_op("gt", x, other=limit), site.apply_op("sub", x, other=bias), low), x.type.dtype)


@imports("PRelu", to="prelu, or where and mul")
def import_prelu(site: OnnxSite) -> Value:
    """Import a slope for each channel, or one for all, as a parameter. Any other slope is multiplied as a tensor."""
    x, slope = site.input(), site.get_item(1)
    channels = x.type.shape[1] if x.type.rank > 1 else None
    if isinstance(slope, Known) and x.type.dtype.is_float:
        array = slope.array
        if array.size == 1 or (array.size == channels and array.shape[: array.ndim - x.type.rank + 2][-1:] == (channels,)):
            count = "channels" if array.size > 1 else 1
            weight = Known(array.reshape(-1), slope.name, slope.layout)
            if array.size == 1 or array.ndim == x.type.rank - 1 or (array.ndim == x.type.rank and array.shape[0] == 1):
                return site.emit.apply_with_weights("prelu", [x], {"weight": weight}, num_parameters=count)[0]
    return site.apply_op("where", site.apply_op("gt", x, other=0), x, site.apply_op("mul", x, site.input(1)))


@imports("Softmax", "LogSoftmax", to=("softmax", "log_softmax"))
def import_softmax(site: OnnxSite) -> Value:
    """Import softmax. Before operator set 13, it normalizes over all axes from the given one on."""
    name = "softmax" if site.op_type == "Softmax" else "log_softmax"
    x = site.input()
    axis = site.normalize_axis(int(site.get_attr("axis", -1 if site.version >= 13 else 1)), x.type.rank)
    if site.version >= 13 or axis >= x.type.rank - 1:
        return site.apply_op(name, x, axis=axis if axis < x.type.rank - 1 else -1)
    # The old rule has one distribution over all these axes, so they are flattened for it.
    flat = site.apply_op("flatten", x, start=axis, end=-1)
    return site.apply_op("unflatten", site.apply_op(name, flat, axis=-1), axis=-1, sizes=x.type.shape[axis:])


@imports("Hardmax", to="argmax and one_hot")
def import_hardmax(site: OnnxSite) -> Value:
    x = site.input()
    axis = site.normalize_axis(int(site.get_attr("axis", -1 if site.version >= 13 else 1)), x.type.rank)
    if site.version < 13 and axis < x.type.rank - 1:
        raise ImportRefused("over several axes, as before version 13, has no counterpart")
    size = x.type.shape[axis]
    if not isinstance(size, int):
        raise ImportRefused("of an axis whose size is not known has no counterpart")
    # `one_hot` puts the classes last, and Hardmax keeps them at their axis.
    hot = site.apply_op("one_hot", site.apply_op("argmax", x, axis=axis), classes=size, dtype=x.type.dtype)
    return (
        site.apply_op("permute", hot, axes=(*range(axis), x.type.rank - 1, *range(axis, x.type.rank - 1)))
        if axis < x.type.rank - 1
        else hot
    )


@imports("Clip", to="clamp, relu6, maximum, minimum")
def import_clip(site: OnnxSite) -> Item:
    x = site.input()
    low, high = (_read_bound(site, index, name) for index, name in ((1, "min"), (2, "max")))
    # `clamp` takes numbers. A bound that is a tensor becomes `maximum` or `minimum`.
    if isinstance(low, Value):
        x, low = site.apply_op("maximum", x, low), None
    limits = {"min": low, "max": None if isinstance(high, Value) else high}
    if isinstance(high, Value):
        x = site.apply_op("clamp", x, min=low) if low is not None else x
        return site.apply_op("minimum", x, high)
    bounds = {name: value for name, value in limits.items() if value is not None}
    if not bounds:
        return x
    # MobileNets export ReLU6 as Clip.
    if limits == {"min": 0, "max": 6} and x.type.dtype.is_float:
        return site.apply_op("relu6", x)
    if limits == {"min": 0, "max": None} and x.type.dtype.is_float:
        return site.apply_op("relu", x)
    return site.apply_op("clamp", x, **bounds)


def _read_bound(site: OnnxSite, index: int, name: str) -> object:
    """Return a limit as a number, a tensor or None. Operator sets before 11 have it as an attribute."""
    value: object = None
    if site.has_input(index):
        value = site.get_scalar(index)
        if value is None:
            return site.input(index)
    elif name in site.attributes:
        value = shorten_float(site.get_attr(name))
    dtype = site.input().type.dtype
    # A bound at the limit of the element type bounds nothing.
    if isinstance(value, float) and dtype.is_float and abs(value) >= dtype.limits[1]:
        return None
    if isinstance(value, int | float) and not dtype.is_float and not (dtype.limits[0] < value < dtype.limits[1]):
        return None
    return value
