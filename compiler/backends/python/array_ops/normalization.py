"""Writes normalizations with a given weight: `group_norm(x, 3, weight)`."""

from __future__ import annotations

from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm
from ..code.python_expressions import Code, Default, call_function
from ..layer_arguments import list_response_options
from ..operator_forms import emit_scaling
from .array_emitters import ARRAY, ArraySite


@ARRAY.given(BatchNorm)
def emit_batch_norm_function(op: BatchNorm, site: ArraySite) -> Code:
    if op.track_running_stats:
        return emit_scaling(site, "reshape")
    return call_function("batch_norm", site.x, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


@ARRAY.given(InstanceNorm)
def emit_instance_norm_function(op: InstanceNorm, site: ArraySite) -> Code:
    if op.track_running_stats:
        return emit_scaling(site, "reshape")
    return call_function("instance_norm", site.x, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


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
