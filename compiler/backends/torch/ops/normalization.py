"""Writes normalizations with a given weight in PyTorch: `F.group_norm(x, 3, weight)`."""

from __future__ import annotations

from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm
from ...python.code.python_expressions import (
    Code,
    Default,
    call_function,
    construct_module,
    to_code,
)
from ...python.layer_arguments import list_response_options
from ...python.operator_forms import emit_scaling
from ..torch_emitters import TorchSite, function, given, module


@given(BatchNorm)
def emit_batch_norm_function(op: BatchNorm, site: TorchSite) -> Code:
    # Running statistics need the module, which has no argument for a weight.
    if op.track_running_stats:
        return emit_scaling(site, "view")
    return call_function("F.batch_norm", site.x, None, None, site.weight, *site.present("bias"), training=True, eps=Default(op.eps, 1e-5))


@given(InstanceNorm)
def emit_instance_norm_function(op: InstanceNorm, site: TorchSite) -> Code:
    if op.track_running_stats:
        return emit_scaling(site, "view")
    return call_function("F.instance_norm", site.x, weight=site.weight, bias=Default(site.get("bias"), None), eps=Default(op.eps, 1e-5))


@given(GroupNorm)
def emit_group_norm_function(op: GroupNorm, site: TorchSite) -> Code:
    return call_function(
        "F.group_norm", site.x, to_code(op.groups, "num_groups"), site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5)
    )


@given(LayerNorm)
def emit_layer_norm_function(op: LayerNorm, site: TorchSite) -> Code:
    shape = to_code(op.normalized_shape(site.given.x), "normalized_shape")
    return call_function("F.layer_norm", site.x, shape, site.weight, *site.present("bias"), eps=Default(op.eps, 1e-5))


@given(RMSNorm)
def emit_rms_norm_function(op: RMSNorm, site: TorchSite) -> Code:
    return call_function(
        "F.rms_norm", site.x, to_code(op.normalized_shape(site.given.x), "normalized_shape"), site.weight, eps=Default(op.eps, None)
    )


@module(LocalResponseNorm, target="torch.nn.LocalResponseNorm")
def emit_local_response_norm_module(op: LocalResponseNorm, site: TorchSite) -> Code:
    return construct_module("nn.LocalResponseNorm", {"size": op.size}, **list_response_options(op))


@function(LocalResponseNorm)
def emit_local_response_norm_function(op: LocalResponseNorm, site: TorchSite) -> Code:
    return call_function("F.local_response_norm", site.x, op.size, **list_response_options(op))
