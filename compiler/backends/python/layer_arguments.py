"""The arguments of the constructors of layers: PyTorch's names, order and defaults, which the definitions of Flax and MLX have too.

In: an operator and the types of its inputs. Out: the arguments, which each framework gives to the layer that it has for the operator.

    >>> from ...dims import Facts
    >>> from ...types.tensor_types import FLOAT32
    >>> given = OpInputs((TensorType(FLOAT32, (2, 3)),), Facts.empty(), ("x",))
    >>> list_layer_arguments(Dense(units=8), given).sizes
    {'in_features': 3, 'out_features': 8}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch

from netc.dsl.record import Record

from ...ops.activation import Prelu
from ...ops.convolution import Conv, ConvTranspose
from ...ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ...ops.multihead import MultiheadAttention
from ...ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm, SpectralNormalize, Standardize
from ...ops.operator import OpInputs
from ...ops.pooling import AvgPool, MaxPool
from ...ops.recurrent_cell import RecurrentCell, RnnCell
from ...ops.windows import Window
from ...types.tensor_types import DType, TensorType
from .code.python_expressions import Default, to_code


class LayerArguments(Record):
    """`sizes` are written by position, and `options` by name. `dtype` is the element type of the parameters."""

    sizes: Mapping[str, object]
    options: Mapping[str, object]
    dtype: DType


@singledispatch
def list_layer_arguments(op: object, given: OpInputs) -> LayerArguments:
    """List the arguments of an operator's layer."""
    raise TypeError(f"not a layer: {op!r}")


@list_layer_arguments.register
def list_dense_arguments(op: Dense, given: OpInputs) -> LayerArguments:
    x = given.x
    return LayerArguments({"in_features": x.shape[-1], "out_features": op.units}, {"bias": Default(op.bias, True)}, x.dtype)


@list_layer_arguments.register
def list_bilinear_arguments(op: Bilinear, given: OpInputs) -> LayerArguments:
    a, b = given.a, given.b
    sizes = {"in1_features": a.shape[-1], "in2_features": b.shape[-1], "out_features": op.units}
    return LayerArguments(sizes, {"bias": Default(op.bias, True)}, a.dtype)


@list_layer_arguments.register(Embedding)
@list_layer_arguments.register(EmbeddingBag)
def list_embedding_arguments(op: Embedding | EmbeddingBag, given: OpInputs) -> LayerArguments:
    # `norm_type` must be a float: the kernels take no integer.
    norm_type = 2.0 if op.max_norm is None else float(op.norm_type)
    rows = {"padding_idx": Default(op.padding_idx, None), "max_norm": Default(op.max_norm, None), "norm_type": Default(norm_type, 2.0)}
    bags: dict[str, object] = {}
    if isinstance(op, EmbeddingBag):
        bags = {"mode": Default(op.mode, "mean"), "include_last_offset": Default(op.include_last_offset, False)}
    return LayerArguments({"num_embeddings": op.num, "embedding_dim": op.dim}, {**rows, **bags}, op.dtype)


@list_layer_arguments.register
def list_conv_arguments(op: Conv, given: OpInputs) -> LayerArguments:
    options = {"bias": Default(op.bias, True), "padding_mode": Default(op.padding_mode, "zeros")}
    return _list_convolution_arguments(op, given.x, {**list_conv_options(op, given.x), **options})


@list_layer_arguments.register
def list_conv_transpose_arguments(op: ConvTranspose, given: OpInputs) -> LayerArguments:
    *first, dilation = list_transpose_options(op, given.x).items()
    return _list_convolution_arguments(op, given.x, dict([*first, ("bias", Default(op.bias, True)), dilation]))


def _list_convolution_arguments(op: Conv | ConvTranspose, x: TensorType, options: Mapping[str, object]) -> LayerArguments:
    kernel = to_code(tuple(w.taps for w in op.make_windows(x)), "kernel_size")
    return LayerArguments({"in_channels": x.shape[1], "out_channels": op.channels}, {"kernel_size": kernel, **options}, x.dtype)


def list_conv_options(op: Conv, x: TensorType) -> dict[str, object]:
    """List the options that the function of a convolution has too."""
    windows = op.make_windows(x)
    return {
        "stride": Default(collapse_sizes(w.stride for w in windows), 1),
        "padding": Default("same" if op.padding == "same" else collapse_sizes(w.before for w in windows), 0),
        "dilation": Default(collapse_sizes(w.dilation for w in windows), 1),
        "groups": Default(op.groups, 1),
    }


def list_transpose_options(op: ConvTranspose, x: TensorType) -> dict[str, object]:
    """List the options that the function of a transposed convolution has too."""
    windows = op.make_windows(x)
    return {
        "stride": Default(collapse_sizes(w.stride for w in windows), 1),
        "padding": Default(collapse_sizes(w.before for w in windows), 0),
        "output_padding": Default(collapse_sizes(op.output_paddings(x)), 0),
        "groups": Default(op.groups, 1),
        "dilation": Default(collapse_sizes(w.dilation for w in windows), 1),
    }


@list_layer_arguments.register(BatchNorm)
@list_layer_arguments.register(InstanceNorm)
def list_tracking_norm_arguments(op: BatchNorm | InstanceNorm, given: OpInputs) -> LayerArguments:
    usual = isinstance(op, BatchNorm)
    options = {
        "eps": Default(op.eps, 1e-5),
        "momentum": Default(None if op.momentum == "none" else op.momentum, 0.1),
        # With a weight from outside, the module keeps the statistics only: `emit_scaling` applies the weight to its result.
        "affine": Default(op.affine and "weight" not in given, usual),
        "track_running_stats": Default(op.track_running_stats, usual),
        "bias": Default(op.bias, True),
    }
    return LayerArguments({"num_features": given.x.shape[1]}, options, given.x.dtype)


@list_layer_arguments.register
def list_standardize_arguments(op: Standardize, given: OpInputs) -> LayerArguments:
    x = given.x
    axis = op.feature_axis(x)
    # A single feature, `[N]`, has no axis: the module then keeps one number, which fits with the default axis.
    return LayerArguments({"features": x.shape[axis]} if axis else {}, {"axis": Default(axis or 1, 1)}, x.dtype)


@list_layer_arguments.register
def list_group_norm_arguments(op: GroupNorm, given: OpInputs) -> LayerArguments:
    x = given.x
    options = {"eps": Default(op.eps, 1e-5), "affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    return LayerArguments({"num_groups": op.groups, "num_channels": x.shape[1]}, options, x.dtype)


@list_layer_arguments.register(LayerNorm)
@list_layer_arguments.register(RMSNorm)
def list_shape_norm_arguments(op: LayerNorm | RMSNorm, given: OpInputs) -> LayerArguments:
    shape = op.normalized_shape(given.x)
    sizes: dict[str, object] = {"features": shape[0]} if len(shape) == 1 else {"normalized_shape": shape}
    bias, eps = ({"bias": Default(op.bias, True)}, 1e-5) if isinstance(op, LayerNorm) else ({}, None)
    options = {"eps": Default(op.eps, eps), "elementwise_affine": Default(op.affine, True), **bias}
    return LayerArguments(sizes, options, given.x.dtype)


def list_response_options(op: LocalResponseNorm) -> dict[str, object]:
    """List the options of a response norm, which has no parameters."""
    return {"alpha": Default(op.alpha, 1e-4), "beta": Default(op.beta, 0.75), "k": Default(op.k, 1.0)}


@list_layer_arguments.register
def list_spectral_normalize_arguments(op: SpectralNormalize, given: OpInputs) -> LayerArguments:
    rows, columns = op.matrix_shape(given.weight)
    options = {"axis": Default(op.axis, 0), "n_power_iterations": Default(op.n_power_iterations, 1), "eps": Default(op.eps, 1e-12)}
    return LayerArguments({"rows": rows, "columns": columns}, options, given.weight.dtype)


@list_layer_arguments.register
def list_prelu_arguments(op: Prelu, given: OpInputs) -> LayerArguments:
    # The constant that the module starts with. Another initializer is applied to it afterwards.
    slope = op.init.values[0] if op.init is not None and op.init.kind == "constant" else 0.25
    options = {"num_parameters": Default(op.count_parameters(given.x), 1), "init": Default(slope, 0.25)}
    return LayerArguments({}, options, given.x.dtype)


@list_layer_arguments.register
def list_cell_arguments(op: RecurrentCell, given: OpInputs) -> LayerArguments:
    nonlinearity = {"nonlinearity": Default(op.nonlinearity, "tanh")} if isinstance(op, RnnCell) else {}
    options = {"bias": Default(op.bias, True), **nonlinearity}
    return LayerArguments({"input_size": given.x.shape[-1], "hidden_size": op.hidden}, options, given.x.dtype)


@list_layer_arguments.register
def list_multihead_arguments(op: MultiheadAttention, given: OpInputs) -> LayerArguments:
    features, keys, values = op.feature_sizes(given)
    # There is one joint projection where keys and values have the width of the queries, which changes the keys of the state dict.
    widths = {} if op.is_joint(given) else {"kdim": Default(keys, features), "vdim": Default(values, features)}
    options = {
        "dropout": Default(op.dropout, 0.0),
        "bias": Default(op.bias, True),
        "add_bias_kv": Default(op.add_bias_kv, False),
        "add_zero_attn": Default(op.add_zero_attn, False),
        **widths,
    }
    return LayerArguments({"embed_dim": features, "num_heads": op.heads}, options, given.query.dtype)


def list_stride_option(windows: tuple[Window, ...]) -> dict[str, object]:
    """List the stride of a pool, which is left out if it equals the kernel."""
    kernel = collapse_sizes(w.taps for w in windows)
    return {"stride": Default(collapse_sizes(w.stride for w in windows), kernel)}


def list_max_pool_options(op: MaxPool, x: TensorType) -> dict[str, object]:
    """List the options of a pool of maxima."""
    windows = op.make_windows(x)
    return {
        **list_stride_option(windows),
        "padding": Default(collapse_sizes(w.before for w in windows), 0),
        "dilation": Default(collapse_sizes(w.dilation for w in windows), 1),
        "ceil_mode": Default(op.ceil_mode, False),
    }


def list_avg_pool_options(op: AvgPool, x: TensorType) -> dict[str, object]:
    """List the options of a pool of means."""
    windows = op.make_windows(x)
    return {
        **list_stride_option(windows),
        "padding": Default(collapse_sizes(w.before for w in windows), 0),
        "ceil_mode": Default(op.ceil_mode, False),
        "count_include_pad": Default(op.count_include_pad, True),
        "divisor_override": Default(op.divisor_override, None),
    }


def collapse_sizes(numbers: Iterable[int]) -> int | tuple[int, ...]:
    """Return one number where all axes have the same: the layer applies it to each of them.

    >>> collapse_sizes((3, 3)), collapse_sizes((3, 5))
    (3, (3, 5))
    """
    sizes = tuple(numbers)
    return sizes[0] if len(set(sizes)) == 1 else sizes
