"""Writes normalizations, with the parameters and statistics of the checkpoint: `GroupNorm(3, 6)`."""

from __future__ import annotations

from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm, SpectralNormalize, Standardize
from ....types.tensor_types import Shape
from ..code.python_expressions import CallCode, Code, Default, Infix, SelfMember, call_function, call_method, construct_module
from .array_emitters import ARRAY, ArraySite


@ARRAY.module(BatchNorm, target="BatchNorm, with running statistics")
def emit_batch_norm(op: BatchNorm, site: ArraySite) -> Code:
    momentum = None if op.momentum == "none" else op.momentum
    return _construct_tracking("BatchNorm", op, site, momentum, affine=True, tracks=True)


@ARRAY.module(InstanceNorm, target="{array}.rsqrt")
def emit_instance_norm(op: InstanceNorm, site: ArraySite) -> Code:
    return _construct_tracking("InstanceNorm", op, site, op.momentum, affine=False, tracks=False)


def _construct_tracking(name: str, op: BatchNorm | InstanceNorm, site: ArraySite, momentum: object, *, affine: bool, tracks: bool) -> Code:
    return construct_module(
        name,
        {"num_features": site.given.x.shape[1]},
        eps=Default(op.eps, 1e-5),
        momentum=Default(momentum, 0.1),
        # With a weight from outside, the module keeps the statistics only: `_emit_scaling` applies the weight to its result.
        affine=Default(op.affine and "weight" not in site.given, affine),
        track_running_stats=Default(op.track_running_stats, tracks),
        bias=Default(op.bias, True),
        dtype=site.words.make_dtype_keyword(site.given.x.dtype),
    )


@ARRAY.module(Standardize, target="a module with the buffers mean and std")
def emit_standardize(op: Standardize, site: ArraySite) -> Code:
    x = site.given.x
    axis = op.feature_axis(x)
    features = {"features": x.shape[axis]} if axis else {}
    return construct_module("Standardize", features, axis=Default(axis or 1, 1), dtype=site.words.make_dtype_keyword(x.dtype))


@ARRAY.module(GroupNorm, target="{array}.rsqrt")
def emit_group_norm(op: GroupNorm, site: ArraySite) -> Code:
    x = site.given.x
    keywords = {"eps": Default(op.eps, 1e-5), "affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    sizes = {"num_groups": op.groups, "num_channels": x.shape[1]}
    return construct_module("GroupNorm", sizes, **keywords, dtype=site.words.make_dtype_keyword(x.dtype))


def _list_sizes(shape: Shape) -> dict[str, object]:
    return {"features": shape[0]} if len(shape) == 1 else {"normalized_shape": shape}


@ARRAY.module(LayerNorm, target="LayerNorm, with the weight of the checkpoint")
def emit_layer_norm(op: LayerNorm, site: ArraySite) -> Code:
    x = site.given.x
    keywords = {"eps": Default(op.eps, 1e-5), "elementwise_affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    return construct_module("LayerNorm", _list_sizes(op.normalized_shape(x)), **keywords, dtype=site.words.make_dtype_keyword(x.dtype))


@ARRAY.module(RMSNorm, target="RMSNorm, with the weight of the checkpoint")
def emit_rms_norm(op: RMSNorm, site: ArraySite) -> Code:
    x = site.given.x
    keywords = {"eps": Default(op.eps, None), "elementwise_affine": Default(op.affine, True)}
    return construct_module("RMSNorm", _list_sizes(op.normalized_shape(x)), **keywords, dtype=site.words.make_dtype_keyword(x.dtype))


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
    keywords = {"alpha": Default(op.alpha, 1e-4), "beta": Default(op.beta, 0.75), "k": Default(op.k, 1.0)}
    return call_function("local_response_norm", site.x, size=op.size, **keywords)


@ARRAY.module(SpectralNormalize, target="a module with the buffers _u and _v")
def emit_spectral_normalize(op: SpectralNormalize, site: ArraySite) -> Code:
    rows, columns = op.matrix_shape(site.given.weight)
    keywords = {"axis": Default(op.axis, 0), "n_power_iterations": Default(op.n_power_iterations, 1), "eps": Default(op.eps, 1e-12)}
    dtype = site.words.make_dtype_keyword(site.given.weight.dtype)
    return construct_module("SpectralNormalize", {"rows": rows, "columns": columns}, **keywords, dtype=dtype, **site.words.draws)
