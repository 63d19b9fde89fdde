"""Writes normalizations with a given weight: `group_norm(x, 3, weight)`."""

from __future__ import annotations

from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm
from ..code.python_expressions import CallCode, Code, Default, Infix, SelfMember, call_function, call_method
from ..layer_arguments import list_response_options
from .array_emitters import ARRAY, ArraySite


@ARRAY.given(BatchNorm)
def emit_batch_norm_function(op: BatchNorm, site: ArraySite) -> Code:
    if op.track_running_stats:
        return _emit_scaling(site)
    return call_function("batch_norm", site.x, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


@ARRAY.given(InstanceNorm)
def emit_instance_norm_function(op: InstanceNorm, site: ArraySite) -> Code:
    if op.track_running_stats:
        return _emit_scaling(site)
    return call_function("instance_norm", site.x, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


def _emit_scaling(site: ArraySite) -> Code:
    """Scale and shift the result of a module without a weight, each channel by its own number."""
    scaled = Infix("*", CallCode(SelfMember(), (site.x,)), _expand_per_channel(site, "weight"))
    return Infix("+", scaled, _expand_per_channel(site, "bias")) if "bias" in site.given else scaled


def _expand_per_channel(site: ArraySite, name: str) -> Code:
    spatial = site.given.x.rank - 2
    return call_method(site[name], "reshape", -1, *[1] * spatial) if spatial else site[name]


@ARRAY.given(GroupNorm)
def emit_group_norm_function(op: GroupNorm, site: ArraySite) -> Code:
    return call_function("group_norm", site.x, op.groups, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


@ARRAY.given(LayerNorm)
def emit_layer_norm_function(op: LayerNorm, site: ArraySite) -> Code:
    axes = Default(len(op.normalized_shape(site.given.x)), 1)
    return call_function("layer_norm", site.x, site.weight, *site.present("bias"), axes=axes, eps=Default(op.eps, 1e-5))


@ARRAY.given(RMSNorm)
def emit_rms_norm_function(op: RMSNorm, site: ArraySite) -> Code:
    axes = Default(len(op.normalized_shape(site.given.x)), 1)
    return call_function("rms_norm", site.x, site.weight, axes=axes, eps=Default(op.eps, None))


@ARRAY.layer_function(LocalResponseNorm, target="{array}.pad")
def emit_local_response_norm(op: LocalResponseNorm, site: ArraySite) -> Code:
    return call_function("local_response_norm", site.x, size=op.size, **list_response_options(op))
