"""Writes normalizations in PyTorch: modules, since most of them have parameters or behave differently in training.

For example, `group_norm 3` of 6 channels becomes `nn.GroupNorm(3, 6)`.
"""

from __future__ import annotations

from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm, SpectralNormalize, Standardize
from ....types.tensor_types import Shape
from ...python.code.python_expressions import (
    CallCode,
    Code,
    Default,
    Infix,
    SelfMember,
    call_function,
    call_method,
    construct_module,
    to_code,
)
from ..torch_emitters import TorchSite, function, given, module
from ..torch_framework import make_dtype_keyword
from ..window_names import add_rank


@module(BatchNorm, target="torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d")
def emit_batch_norm_module(op: BatchNorm, site: TorchSite) -> Code:
    x = site.given.x
    # PyTorch's BatchNorm1d takes [N, C] as well as [N, C, L].
    name = "nn.BatchNorm1d" if x.rank == 2 else add_rank("nn.BatchNorm", x)
    return construct_module(
        name,
        {"num_features": x.shape[1]},
        eps=Default(op.eps, 1e-5),
        momentum=Default(None if op.momentum == "none" else op.momentum, 0.1),
        # With a weight from outside, the module keeps the statistics only: `_emit_scaling` applies the weight to its result.
        affine=Default(op.affine and "weight" not in site.given, True),
        track_running_stats=Default(op.track_running_stats, True),
        bias=Default(op.bias, True),
        dtype=make_dtype_keyword(x.dtype),
    )


@module(Standardize, target="a module with the buffers mean and std")
def emit_standardize(op: Standardize, site: TorchSite) -> Code:
    x = site.given.x
    axis = op.feature_axis(x)
    # A single feature, `[N]`, has no axis: the module then keeps one number, which fits with the default axis.
    features = {"features": x.shape[axis]} if axis else {}
    return construct_module("Standardize", features, axis=Default(axis or 1, 1), dtype=make_dtype_keyword(x.dtype))


@module(InstanceNorm, target="torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d")
def emit_instance_norm_module(op: InstanceNorm, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(
        add_rank("nn.InstanceNorm", x),
        {"num_features": x.shape[1]},
        eps=Default(op.eps, 1e-5),
        momentum=Default(op.momentum, 0.1),
        affine=Default(op.affine and "weight" not in site.given, False),
        track_running_stats=Default(op.track_running_stats, False),
        bias=Default(op.bias, True),
        dtype=make_dtype_keyword(x.dtype),
    )


@module(GroupNorm, target="torch.nn.GroupNorm")
def emit_group_norm_module(op: GroupNorm, site: TorchSite) -> Code:
    x = site.given.x
    sizes = {"num_groups": op.groups, "num_channels": x.shape[1]}
    keywords = {"eps": Default(op.eps, 1e-5), "affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    return construct_module("nn.GroupNorm", sizes, **keywords, dtype=make_dtype_keyword(x.dtype))


def _list_normalized_sizes(shape: Shape) -> dict[str, object]:
    return {"features": shape[0]} if len(shape) == 1 else {"normalized_shape": shape}


@module(LayerNorm, target="torch.nn.LayerNorm")
def emit_layer_norm_module(op: LayerNorm, site: TorchSite) -> Code:
    x = site.given.x
    keywords = {"eps": Default(op.eps, 1e-5), "elementwise_affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    return construct_module("nn.LayerNorm", _list_normalized_sizes(op.normalized_shape(x)), **keywords, dtype=make_dtype_keyword(x.dtype))


@module(RMSNorm, target="torch.nn.RMSNorm")
def emit_rms_norm_module(op: RMSNorm, site: TorchSite) -> Code:
    x = site.given.x
    keywords = {"eps": Default(op.eps, None), "elementwise_affine": Default(op.affine, True)}
    return construct_module("nn.RMSNorm", _list_normalized_sizes(op.normalized_shape(x)), **keywords, dtype=make_dtype_keyword(x.dtype))


@given(BatchNorm)
def emit_batch_norm_function(op: BatchNorm, site: TorchSite) -> Code:
    # Running statistics need the module, which has no argument for a weight.
    if op.track_running_stats:
        return _emit_scaling(site)
    return call_function("F.batch_norm", site.x, None, None, site.weight, *site.present("bias"), training=True, eps=Default(op.eps, 1e-5))


@given(InstanceNorm)
def emit_instance_norm_function(op: InstanceNorm, site: TorchSite) -> Code:
    if op.track_running_stats:
        return _emit_scaling(site)
    return call_function("F.instance_norm", site.x, weight=site.weight, bias=Default(site.get("bias"), None), eps=Default(op.eps, 1e-5))


def _emit_scaling(site: TorchSite) -> Code:
    """Scale and shift the result of a module without a weight, each channel by its own number."""
    scaled = Infix("*", CallCode(SelfMember(), (site.x,)), _expand_per_channel(site, "weight"))
    return Infix("+", scaled, _expand_per_channel(site, "bias")) if "bias" in site.given else scaled


def _expand_per_channel(site: TorchSite, name: str) -> Code:
    spatial = site.given.x.rank - 2
    return call_method(site[name], "view", -1, *[1] * spatial) if spatial else site[name]


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


def _list_response_keywords(op: LocalResponseNorm) -> dict[str, object]:
    return {"alpha": Default(op.alpha, 1e-4), "beta": Default(op.beta, 0.75), "k": Default(op.k, 1.0)}


@module(LocalResponseNorm, target="torch.nn.LocalResponseNorm")
def emit_local_response_norm_module(op: LocalResponseNorm, site: TorchSite) -> Code:
    return construct_module("nn.LocalResponseNorm", {"size": op.size}, **_list_response_keywords(op))


@function(LocalResponseNorm)
def emit_local_response_norm_function(op: LocalResponseNorm, site: TorchSite) -> Code:
    return call_function("F.local_response_norm", site.x, op.size, **_list_response_keywords(op))


@module(SpectralNormalize, target="torch.nn.utils.parametrizations.spectral_norm")
def emit_spectral_normalize(op: SpectralNormalize, site: TorchSite) -> Code:
    rows, columns = op.matrix_shape(site.given.weight)
    keywords = {"axis": Default(op.axis, 0), "n_power_iterations": Default(op.n_power_iterations, 1), "eps": Default(op.eps, 1e-12)}
    return construct_module(
        "SpectralNormalize", {"rows": rows, "columns": columns}, **keywords, dtype=make_dtype_keyword(site.given.weight.dtype)
    )
