"""Imports normalizations: `LayerNormalization axis=-1` becomes `layer_norm`, with its scale and bias as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import Const
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_names import is_made_up
from ..onnx_values import Filled, Item, Known


@imports("BatchNormalization", to="batch_norm")
def import_batch_norm(site: OnnxSite) -> list[Item]:
    x = site.input()
    if site.get_attr("training_mode", 0) or (site.version < 7 and not site.get_attr("is_test", 0)):
        raise ImportRefused("is of a graph for training; export the model for inference")
    site.require_attr("spatial", 1, default=1)
    items = [site.get_item(n) for n in range(1, 5)]
    eps = shorten_float(site.get_attr("epsilon", 1e-5))
    # PyTorch has batch norms for up to three spatial axes.
    if all(isinstance(item, Known) for item in items) and x.type.rank <= 5 and x.type.rank > 1 and eps > 0:
        names = ("weight", "bias", "running_mean", "running_var")
        known = {name: item for name, item in zip(names, items, strict=True) if isinstance(item, Known)}
        affine = not _is_trivial(known)
        if not affine:
            known = {name: item for name, item in known.items() if name.startswith("running")}
        return [site.emit.apply_with_weights("batch_norm", [x], known, eps=eps, affine=affine)[0]]
    return [_normalize_by_parts(site, x, eps)]


def _is_trivial(known: dict[str, Known]) -> bool:
    """Return whether weight and bias are constants without names that change nothing. Exporters write them for `affine=False`."""
    weight, bias = known["weight"], known["bias"]
    return _is_plain(weight, 1) and _is_plain(bias, 0)


def _is_plain(known: Known, number: int) -> bool:
    """Return whether a constant has one number everywhere, and is no parameter of the model."""
    return is_made_up(known.name) and bool((known.array == number).all())


def _normalize_by_parts(site: OnnxSite, x: Value, eps: float) -> Value:
    """Normalize by arithmetic, for statistics that the graph computes."""
    scale, shift, mean, var = (_align_channels(site, site.input(n), x.type.rank) for n in range(1, 5))
    normal = site.apply_op("div", site.apply_op("sub", x, mean), site.apply_op("sqrt", site.apply_op("add", var, other=eps)))
    return site.apply_op("add", site.apply_op("mul", normal, scale), shift)


def _align_channels(site: OnnxSite, x: Value, rank: int) -> Value:
    """Add axes to a vector so that it broadcasts along the channels, which are axis 1."""
    for _ in range(rank - 2):
        x = site.apply_op("unsqueeze", x, axis=-1)
    return x


@imports("InstanceNormalization", to="instance_norm")
def import_instance_norm(site: OnnxSite) -> Value:
    x = site.input()
    weight, bias = site.get_item(1), site.get_item(2)
    eps = shorten_float(site.get_attr("epsilon", 1e-5))
    if isinstance(weight, Known) and isinstance(bias, Known):
        if _is_plain(weight, 1) and _is_plain(bias, 0):
            return site.apply_op("instance_norm", x, eps=eps)
        return site.emit.apply_with_weights("instance_norm", [x], {"weight": weight, "bias": bias}, eps=eps, affine=True)[0]
    return site.apply_op("instance_norm", x, site.input(1), site.input(2), named=("weight", "bias"), eps=eps, affine=True)


@imports("LayerNormalization", to="layer_norm, or layer_norm and mean")
def import_layer_norm(site: OnnxSite) -> list[Item]:
    x = site.input()
    axis, eps = site.normalize_axis(int(site.get_attr("axis", -1)), x.type.rank), shorten_float(site.get_attr("epsilon", 1e-5))
    y = _normalize_last_axes(site, "layer_norm", x, axis, eps, ("weight", "bias"))
    return [y, *_compute_statistics(site, x, axis, eps)] if any(site.used[1:]) else [y]


def _compute_statistics(site: OnnxSite, x: Value, axis: int, eps: float) -> list[Value]:
    """Compute the mean over the last axes, and the inverse of the deviation. The axes stay with size 1."""
    axes = tuple(range(axis, x.type.rank))
    mean = site.apply_op("mean", x, axis=axes, keepdim=True)
    spread = site.apply_op("mean", site.apply_op("square", site.apply_op("sub", x, mean)), axis=axes, keepdim=True)
    return [mean, site.apply_op("reciprocal", site.apply_op("sqrt", site.apply_op("add", spread, other=eps)))]


@imports("RMSNormalization", "SimplifiedLayerNormalization", to="rms_norm")
def import_rms_norm(site: OnnxSite) -> list[Item]:
    x = site.input()
    if any(site.used[1:]):
        raise ImportRefused("gives the deviation too, which netc's rms_norm does not")
    axis = site.normalize_axis(int(site.get_attr("axis", -1)), x.type.rank)
    return [_normalize_last_axes(site, "rms_norm", x, axis, shorten_float(site.get_attr("epsilon", 1e-5)), ("weight",))]


def _normalize_last_axes(site: OnnxSite, operator: str, x: Value, axis: int, eps: float, names: Sequence[str]) -> Value:
    """Normalize the axes from `axis` on, with parameters that may broadcast."""
    shape = x.type.shape[axis:]
    arguments: dict[str, Any] = {"eps": eps} | ({} if len(shape) == 1 else {"shape": tuple(shape)})
    items = {name: site.get_item(n + 1) for n, name in enumerate(names) if site.has_input(n + 1)}
    known = {name: item for name, item in items.items() if isinstance(item, Known)}
    sizes = tuple(d for d in shape if isinstance(d, int))
    if all(_is_plain(item, 1 if name == "weight" else 0) for name, item in known.items()) and len(known) == len(items):
        items = {}
    elif len(known) == len(items) and len(sizes) == len(shape):
        known = {name: _broadcast_parameter(item, sizes) for name, item in known.items()}
        more = {"bias": "bias" in known} if operator == "layer_norm" else {}
        return site.emit.apply_with_weights(operator, [x], known, **more, **arguments)[0]
    if len(sizes) < len(shape):
        return _normalize_symbolic_axes(site, operator, x, shape, arguments, tuple(items))
    normal = site.apply_op(operator, x, affine=False, **arguments)
    if not items:
        return normal
    scaled = site.apply_op("mul", normal, site.input(1))
    return site.apply_op("add", scaled, site.input(2)) if "bias" in items else scaled


def _normalize_symbolic_axes(
    site: OnnxSite, operator: str, x: Value, shape: Sequence[Dim], arguments: dict[str, Any], names: Sequence[str]
) -> Value:
    """Normalize axes of symbolic size, with a tensor as the weight: the file's own if it fits, or else ones.

    PyTorch's modules need known sizes, but its functions do not. `names` are the parameters of the file.
    """
    weight = site.get_item(1)
    if isinstance(weight, Filled) and weight.number == 1 and site.are_equal(weight.shape, shape):
        names = [name for name in names if name != "weight"]
    # Over the last of three axes both are the same, and `instance_norm` needs no size.
    if not names and operator == "layer_norm" and x.type.rank == 3 and len(shape) == 1:
        return site.apply_op("instance_norm", x, eps=arguments["eps"])
    tensors = {name: site.input(("weight", "bias").index(name) + 1) for name in names}
    fitting = {
        name: value for name, value in tensors.items() if site.are_equal(value.type.shape, shape) and value.type.dtype == x.type.dtype
    }
    if "weight" not in fitting:
        fitting = {"weight": site.emit.make_table(shape, Const(1.0), x.type.dtype)}
    result = site.apply_op(operator, x, *fitting.values(), named=tuple(fitting), **arguments)
    if "weight" in tensors and fitting["weight"] is not tensors["weight"]:
        result = site.apply_op("mul", result, tensors["weight"])
    return site.apply_op("add", result, tensors["bias"]) if "bias" in tensors and "bias" not in fitting else result


def _broadcast_parameter(known: Known, shape: tuple[int, ...]) -> Known:
    """Broadcast a parameter to the shape of the normalized axes."""
    if known.array.shape == shape:
        return known
    # ONNX allows leading axes of size 1.
    if known.array.size > 1 and known.array.ndim > len(shape):
        known = Known(known.array.reshape(known.array.shape[-len(shape) :]), known.name, f"{known.layout}|flat")
    try:
        return Known(np.broadcast_to(known.array, shape).copy(), known.name, f"{known.layout}|{shape}")
    except ValueError:
        raise ImportRefused(f"its scale of shape {list(known.array.shape)} does not fit {list(shape)}") from None


@imports("GroupNormalization", to="group_norm")
def import_group_norm(site: OnnxSite) -> Value:
    """Import group norm. Before operator set 21 it has one scale for each group, and PyTorch's has one for each channel."""
    x, groups = site.input(), int(site.get_attr("num_groups", 1))
    weight, bias = site.get_item(1), site.get_item(2)
    channels = x.type.shape[1]
    eps = shorten_float(site.get_attr("epsilon", 1e-5))
    if isinstance(weight, Known) and isinstance(bias, Known) and isinstance(channels, int):
        known = {"weight": _repeat_for_channels(weight, channels), "bias": _repeat_for_channels(bias, channels)}
        return site.emit.apply_with_weights("group_norm", [x], known, groups=groups, eps=eps)[0]
    tensors = [site.input(1), site.input(2)]
    if isinstance(channels, int):
        # Before operator set 21 these have one number for each group.
        few = [t.type.shape[0] != channels for t in tensors]
        tensors = [
            site.apply_op("repeat_interleave", t, repeats=channels // groups, axis=0) if less else t
            for t, less in zip(tensors, few, strict=True)
        ]
    return site.apply_op("group_norm", x, *tensors, named=("weight", "bias"), groups=groups, eps=eps)


def _repeat_for_channels(known: Known, channels: int) -> Known:
    if known.array.shape == (channels,):
        return known
    return Known(np.repeat(known.array, channels // max(known.array.size, 1)), known.name, f"{known.layout}|repeated")


@imports("LRN", to="local_response_norm")
def import_lrn(site: OnnxSite) -> Value:
    size = int(site.get_attr("size", 1))
    x = site.input()
    numbers = {name: shorten_float(site.get_attr(other, default)) for name, other, default in _LRN}
    if size % 2 == 0:
        raise ImportRefused("of an even size, ONNX and PyTorch have different neighbors")
    return site.apply_op("local_response_norm", x, size=size, **numbers)


_LRN = (("alpha", "alpha", 1e-4), ("beta", "beta", 0.75), ("k", "bias", 1.0))


@imports("MeanVarianceNormalization", to="sub, mean, div and sqrt")
def import_mean_variance(site: OnnxSite) -> Value:
    x = site.input()
    axes = tuple(site.get_ints("axes", [0, 2, 3]))
    apart = site.apply_op("sub", x, site.apply_op("mean", x, axis=axes, keepdim=True))
    square = site.apply_op("mean", site.apply_op("square", apart), axis=axes, keepdim=True)
    # ONNX's definition adds the constant to the deviation, not to the variance.
    return site.apply_op("div", apart, site.apply_op("add", site.apply_op("sqrt", square), other=1e-9))


@imports("LpNormalization", to="normalize")
def import_lp_normalization(site: OnnxSite) -> Value:
    return site.apply_op("normalize", site.input(), p=int(site.get_attr("p", 2)), axis=int(site.get_attr("axis", -1)))


@imports("com.microsoft:SkipLayerNormalization", to="add and layer_norm")
def import_skip_layer_norm(site: OnnxSite) -> list[Item]:
    x = site.apply_op("add", site.input(0), site.input(1))
    if site.has_input(4):
        x = site.apply_op("add", x, site.input(4))
    outer = OnnxSite("LayerNormalization", [x, site.get_item(2), site.get_item(3)], site.attributes, site.version, site.emit, (True,))
    y = _normalize_last_axes(outer, "layer_norm", x, x.type.rank - 1, shorten_float(site.get_attr("epsilon", 1e-12)), ("weight", "bias"))
    # The fourth output is the sum that is normalized.
    return [y, None, None, x]
