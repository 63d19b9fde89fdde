"""Bounds of layers with weights, of learned tensors and of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops.constants import ParamOperator, TableOperator
from ...ops.convolution import Conv, ConvTranspose
from ...ops.dense import Dense, Embedding, EmbeddingBag
from ...ops.formula_bounds import find_interval
from ...ops.formula_values import evaluate_formula
from ...ops.parameter_of import ParameterOf
from ...ops.recurrent import Gru, Lstm, Rnn
from ...ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from ...types.numpy_types import Array
from ..bound_table import BoundSite, bound_rule
from ..tensor_bounds import MOST_ELEMENTS, TensorBound, constant_bound, multiply_ends, scalar_bound, unknown_bound
from .product_bounds import multiply_by_matrix

Bounds = Sequence[TensorBound]


@bound_rule(ParamOperator, ParameterOf)
def bound_parameter(site: BoundSite) -> Bounds:
    array = site.read_parameter("")
    return site.unknown() if array is None else (constant_bound(array),)


@bound_rule(TableOperator)
def bound_table(site: BoundSite) -> Bounds:
    op: Any = site.op
    rank = site.results[0].rank
    stored = site.read_parameter("")  # a table with a label is a buffer, whose numbers a checkpoint may change
    if stored is not None:
        return (constant_bound(stored),)
    if op.is_static and np.prod([int(d) for d in op.shape]) <= MOST_ELEMENTS:
        return (constant_bound(evaluate_formula(op.formula, tuple(int(d) for d in op.shape))),)
    interval = find_interval(op.formula, op.shape)
    return (unknown_bound(rank) if interval.nan else scalar_bound(interval.low, interval.high, rank),)


@bound_rule(Dense)
def bound_dense(site: BoundSite) -> Bounds:
    matrix, bias = site.read_constant("weight"), site.read_constant("bias")
    if matrix is None or (bias is None and site.has_tensor("bias")):
        return site.unknown()
    return (multiply_by_matrix(site.x, matrix, bias, site.sum_share(matrix.shape[1])),)


@bound_rule(Conv)
def bound_conv(site: BoundSite) -> Bounds:
    op: Any = site.op
    kernel, bias = site.read_constant("weight"), site.read_constant("bias")
    if kernel is None or (bias is None and site.has_tensor("bias")):
        return site.unknown()
    channels = _merge_space(site.x)
    pads = any(window.before or window.after for window in op.make_windows(site.given.types[0]))
    if pads and op.padding_mode == "zeros":
        channels = channels | scalar_bound(0, 0, channels.rank)
    taps = kernel.reshape(*kernel.shape[:2], -1)
    matrix = _expand_groups(taps, op.groups)
    flat = _repeat_taps(channels, matrix.shape[1], taps.shape[2])
    return (_set_channel_axis(multiply_by_matrix(flat, matrix, bias, site.sum_share(taps[0].size)), site),)


def _merge_space(x: TensorBound) -> TensorBound:
    """Merge all axes but the channels, and return the channels as the only axis."""
    merged = x.merge_axes((0, *range(2, x.rank)))
    return merged.map_ends(lambda end: end.reshape(-1))


def _expand_groups(taps: Array, groups: int) -> Array:
    """Return the weights of shape `[results, channels / groups, taps]` as a matrix over all channels and taps."""
    results, inner, count = taps.shape
    if groups == 1:
        return taps.reshape(results, -1)
    matrix = np.zeros((groups, results // groups, groups, inner * count))
    matrix[np.arange(groups), :, np.arange(groups)] = taps.reshape(groups, results // groups, -1)
    return matrix.reshape(results, -1)


def _repeat_taps(channels: TensorBound, columns: int, count: int) -> TensorBound:
    """Repeat the interval of each channel for all its taps."""
    return channels.map_ends(lambda end: np.repeat(np.broadcast_to(end, (columns // count,)), count))


def _set_channel_axis(bound: TensorBound, site: BoundSite) -> TensorBound:
    shape = (1, -1, *(1,) * (site.results[0].rank - 2))
    return bound.map_ends(lambda end: end.reshape(shape))


@bound_rule(ConvTranspose)
def bound_conv_transpose(site: BoundSite) -> Bounds:
    """A result gets some taps of each channel, so each term counts as 0 where that is further out."""
    kernel, bias = site.read_constant("weight"), site.read_constant("bias")
    if kernel is None or (bias is None and site.has_tensor("bias")):
        return site.unknown()
    groups = site.op.args["groups"]
    inner, outer = kernel.shape[0], kernel.shape[1]
    channels = _merge_space(site.x)
    ends = [np.broadcast_to(end, (inner,)).reshape(-1, 1, 1) for end in (channels.low, channels.high)]
    products = [multiply_ends(kernel.reshape(inner, outer, -1), end) for end in ends]
    low, high = np.minimum(np.minimum(*products), 0), np.maximum(np.maximum(*products), 0)
    sums = [end.sum(axis=2).reshape(groups, -1, outer).sum(axis=1).reshape(-1) for end in (low, high)]
    bound = TensorBound(sums[0], sums[1])
    share = site.sum_share(kernel[0, 0].size * inner // groups)
    largest = np.maximum(-bound.low, bound.high)
    if bias is not None:
        bound, largest = TensorBound(bound.low + bias, bound.high + bias), largest + np.abs(bias)
    return (_set_channel_axis(bound.widen(0.0, share * largest), site),)


@bound_rule(Embedding)
def bound_embedding(site: BoundSite) -> Bounds:
    """A row of the table: the interval of each column. `max_norm` only makes a row smaller."""
    table = site.read_constant("weight")
    if table is None:
        return site.unknown()
    rank = site.results[0].rank
    low, high = table.min(axis=0), table.max(axis=0)
    if site.op.args["max_norm"] is not None:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    shape = (1,) * (rank - 1) + low.shape
    return (TensorBound(low.reshape(shape), high.reshape(shape)),)


@bound_rule(EmbeddingBag)
def bound_embedding_bag(site: BoundSite) -> Bounds:
    """A mean or a maximum of rows, or 0 for an empty bag. A sum has any number of rows."""
    if site.op.args["mode"] == "sum":
        return site.unknown()
    (rows,) = bound_embedding(site)
    return ((rows | scalar_bound(0, 0, rows.rank)).widen(site.sum_share("unknown")),)


@bound_rule(Rnn, Gru, Lstm, RnnCell, GruCell, LstmCell)
def bound_recurrence(site: BoundSite) -> Bounds:
    """Hidden states are a `tanh`, times a gate in an LSTM, or a mean of that and the state before in a GRU. A projected state, and the
    state `c` of an LSTM, have no such bound."""
    op: Any = site.op
    if op.args.get("nonlinearity", "tanh") != "tanh" or getattr(op, "projection", 0):
        return site.unknown()
    hidden = scalar_bound(-1, 1, 0)
    start = site.get_input("h")
    if start is not None and isinstance(op, (Gru, GruCell)):
        hidden = hidden | start.merge_all(0)
    states = 1 if isinstance(op, RecurrentCell) else 2  # a layer returns the sequence, and the last state of each layer
    return tuple((hidden.merge_all if i < states else unknown_bound)(type.rank) for i, type in enumerate(site.results))
