"""Reads normalizations: `nn.LayerNorm(8)` becomes `layer_norm`, with its weight and bias."""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import Const
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from .creation import make_table
from .layers import apply_layer

_STATISTICS = ("running_mean", "running_var")


@reads("batch_norm", "_batch_norm_with_update", "_native_batch_norm_legit_no_training")
def read_batch_norm(site: AtenSite) -> Value:
    x = site.tensor("input")
    names = [name for name in ("weight", "bias", *_STATISTICS) if site.args.get(name) is not None]
    arguments = {"eps": site.number("eps"), "momentum": site.number("momentum")}
    training = site.scope.model.training
    # A batch norm without running statistics normalizes by the batch in evaluation too.
    if site.args.get("training") and not (training and "running_mean" in names):
        return _normalize_by_batch(site, x, names)
    # This batch norm stays in evaluation while the model trains. netc's operator would update its statistics.
    if site.args.get("running_mean") in site.scope.model.frozen_statistics:
        return _apply_arithmetic(site, x)
    affine = "weight" in names
    results = site.try_layer_with_slots(
        "batch_norm",
        x,
        slots={name: site.args[name] for name in names},
        statistics=True,
        affine=affine,
        bias="bias" in names or not affine,
        **arguments,
    )
    if results is not None:
        return results[0]
    return _apply_arithmetic_with_note(site, x, "batch")


def _apply_arithmetic_with_note(site: AtenSite, x: Value, kind: str) -> Value:
    """Normalize by arithmetic, and tell the user that training will not update the statistics."""
    module = site.scope.call.path or "the module"
    site.scope.model.notes.append(
        f"The {kind} normalization of `{module}` is written as arithmetic: training the spec does not change its statistics."
    )
    return _apply_arithmetic(site, x)


def _normalize_by_batch(site: AtenSite, x: Value, names: list[str]) -> Value:
    """Normalize by the statistics of the batch, which are not kept."""
    if any(name in names for name in _STATISTICS):
        raise ImportRefused("changes its statistics, as in training")
    arguments = {"eps": site.number("eps"), "track_running_stats": False}
    if not names:
        return site.apply_op("batch_norm", x, affine=False, **arguments)
    return site.apply_op("batch_norm", x, *(site.tensor(name) for name in names), named=tuple(names), **arguments)


def _apply_arithmetic(site: AtenSite, x: Value) -> Value:
    """Normalize by arithmetic, with statistics that are tensors of the graph."""
    shape = (-1, *[1] * (x.type.rank - 2))
    tensors = {
        name: site.apply_op("reshape", site.tensor(name), shape=shape)
        for name in ("weight", "bias", *_STATISTICS)
        if site.args.get(name) is not None
    }
    scale = site.apply_op("rsqrt", site.apply_op("add", tensors["running_var"], other=site.number("eps")))
    normal = site.apply_op("mul", site.apply_op("sub", x, tensors["running_mean"]), scale)
    if "weight" in tensors:
        normal = site.apply_op("mul", normal, tensors["weight"])
    return site.apply_op("add", normal, tensors["bias"]) if "bias" in tensors else normal


@reads("instance_norm")
def read_instance_norm(site: AtenSite) -> Value:
    x, eps, training = site.tensor("input"), site.number("eps"), site.scope.model.training
    tracked = all(site.has_argument(name) for name in _STATISTICS)
    if tracked and (training or not site.args["use_input_stats"]):
        return _read_tracking_instance_norm(site, x)
    if tracked:
        raise ImportRefused("keeps statistics, but normalizes with the sample's own")
    if not site.has_argument("weight"):
        return site.apply_op("instance_norm", x, eps=eps, affine=False)
    return apply_layer(site, "instance_norm", x, eps=eps, affine=True)


def _read_tracking_instance_norm(site: AtenSite, x: Value) -> Value:
    """Read an instance norm with running statistics."""
    names = [name for name in ("weight", "bias", *_STATISTICS) if site.has_argument(name)]
    arguments = {"eps": site.number("eps"), "momentum": site.number("momentum"), "affine": "weight" in names}
    slots = {name: site.args[name] for name in names}
    results = site.try_layer_with_slots("instance_norm", x, slots=slots, statistics=True, track_running_stats=True, **arguments)
    return _apply_arithmetic_with_note(site, x, "instance") if results is None else results[0]


@reads("layer_norm", "native_layer_norm")
def read_layer_norm(site: AtenSite) -> Value:
    x, shape = site.tensor("input"), site.sizes("normalized_shape")
    eps, axes = site.number("eps"), shape if len(shape) > 1 else None
    if not site.has_argument("weight"):
        normal = _normalize_without_weight(site, "layer_norm", x, shape, eps=eps)
        return site.apply_op("add", normal, site.tensor("bias")) if site.has_argument("bias") else normal
    return apply_layer(site, "layer_norm", x, eps=eps, shape=axes)


@reads("rms_norm")
def read_rms_norm(site: AtenSite) -> Value:
    x, shape = site.tensor("input"), site.sizes("normalized_shape")
    eps = site.number("eps") if site.has_argument("eps") else None
    axes = shape if len(shape) > 1 else None
    if not site.has_argument("weight"):
        return _normalize_without_weight(site, "rms_norm", x, shape, eps=eps)
    return apply_layer(site, "rms_norm", x, given={"weight": "weight"}, eps=eps, shape=axes)


def _normalize_without_weight(site: AtenSite, operator: str, x: Value, shape: Sequence[Dim], eps: Dim | float | None) -> Value:
    """Normalize the last axes. PyTorch's modules need known sizes, so symbolic ones get a weight of ones, as a tensor."""
    axes = tuple(shape) if len(shape) > 1 else None
    if all(isinstance(size, int) for size in shape):
        return site.apply_op(operator, x, affine=False, eps=eps, shape=axes)
    ones = make_table(site, tuple(shape), Const(1.0), x.type.dtype)
    return site.apply_op(operator, x, ones, named=("weight",), eps=eps, shape=axes)


@reads("group_norm", "native_group_norm")
def read_group_norm(site: AtenSite) -> Value:
    x, eps = site.tensor("input"), site.number("eps")
    groups = site.integer("num_groups" if "num_groups" in site.args else "group")
    site.args.used.update(("N", "C", "HxW"))  # the sizes of the input
    if not site.has_argument("weight"):
        return site.apply_op("group_norm", x, groups=groups, eps=eps, affine=False)
    return apply_layer(site, "group_norm", x, groups=groups, eps=eps)


@reads("local_response_norm")
def read_local_response_norm(site: AtenSite) -> Value:
    return site.apply_op("local_response_norm", site.tensor("input"), size=site.integer("size"))


@reads("_weight_norm")
def read_weight_norm(site: AtenSite) -> Value:
    """Read weight normalization: the direction of a weight, times its length for each element of one axis.

    An axis of -1 is no axis: the weight has a single length, as with `weight_norm(layer, dim=None)`.
    """
    v, g, axis = site.tensor("v"), site.tensor("g"), site.integer("dim")
    others = tuple(other for other in range(v.type.rank) if other != axis)
    return site.apply_op("mul", v, site.apply_op("div", g, site.apply_op("norm", v, axis=others, keepdim=True)))
