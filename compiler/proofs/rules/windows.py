"""Convolutions and pools, which mix axes of space, and normalizations with running statistics."""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.axes import normalize_axis
from ...ops.convolution import Conv, ConvTranspose
from ...ops.folding import PixelShuffle, PixelUnshuffle, SlidingWindow, Unfold
from ...ops.normalization import BatchNorm, InstanceNorm
from ...ops.pooling import _GlobalPool, _Pool
from ...ops.resampling import GridSample
from ...ops.unpooling import FractionalMaxPool, MaxUnpool
from ...types.tensor_types import Shape
from ..abstract_tensors import AbstractTensor
from ..element_facts import Fact
from ..position_axes import make_axis
from ..proof_rules import proof_rule
from ..rule_site import RuleSite


@proof_rule(Conv)
def analyze_conv(site: RuleSite) -> Sequence[AbstractTensor]:
    """Only padding by zeros repeats no later elements."""
    return _slide_windows(site, frozenset({1}), repeats=site.op.padding_mode != "zeros")


@proof_rule(_Pool)
def analyze_pool(site: RuleSite) -> Sequence[AbstractTensor]:
    """Each channel is pooled by itself."""
    return _slide_windows(site, frozenset())


def _slide_windows(site: RuleSite, mixed: frozenset[int], *, repeats: bool = False) -> Sequence[AbstractTensor]:
    """Mix `mixed` axes, and the axes along which windows slide. A window of one element computes each position by itself. Window i ends at
    element i + `span` - 1 - `before`."""
    windows = dict(enumerate(site.op.make_windows(site.given.x), start=2))
    wide = {axis: w for axis, w in windows.items() if (w.span, w.stride, w.before, w.after) != (1, 1, 0, 0)}
    ahead = {axis: w.span - 1 - w.before for axis, w in wide.items() if w.stride == 1 and not repeats and w.before < w.span}
    return site.mix_axes([mixed | wide.keys(), *(frozenset(range(type_.rank)) for type_ in site.given.types[1:])], ahead)


@proof_rule(BatchNorm)
def analyze_batch_norm(site: RuleSite) -> Sequence[AbstractTensor]:
    """Running statistics are constants in evaluation. In training, and without them, they are computed from all samples and positions."""
    x, *parameters = site.given.types
    if site.op.track_running_stats and not site.training:
        return analyze_own_statistics(site)
    return site.mix_axes([frozenset(range(x.rank)) - {1}, *(frozenset(range(type_.rank)) for type_ in parameters)])


def analyze_own_statistics(site: RuleSite) -> Sequence[AbstractTensor]:
    """Analyze `batch_norm` as if its statistics were constants, to ask what other stages mix."""
    return site.mix_axes([frozenset(), *(frozenset(range(type_.rank)) for type_ in site.given.types[1:])])


@proof_rule(_GlobalPool, ConvTranspose, PixelShuffle, PixelUnshuffle, MaxUnpool, GridSample, InstanceNorm)
def analyze_samples(site: RuleSite) -> Sequence[AbstractTensor]:
    """Mix all axes of a sample. Parameters that are given as tensors are mixed as a whole."""
    return [_mix_samples(site, result.shape) for result in site.results]


@proof_rule(FractionalMaxPool)
def analyze_fractional_pool(site: RuleSite) -> Sequence[AbstractTensor]:
    """Without `samples`, the windows are drawn anew in each call, so nothing is proved about the result."""
    if "samples" in site.given:
        return analyze_samples(site)
    return [site.positions.make_constant(result.shape, Fact(depends=site.positions.relation.anything)) for result in site.results]


@proof_rule(Unfold)
def analyze_unfold(site: RuleSite) -> Sequence[AbstractTensor]:
    """The first axis is the batch unless the input is one image."""
    return analyze_samples(site) if site.given.x.rank == 4 else site.forget_positions()


def _mix_samples(site: RuleSite, shape: Shape) -> AbstractTensor:
    positions, parts = site.positions, list[AbstractTensor]()
    for name, x in zip(site.given.names, site.inputs, strict=True):
        if name in ("weight", "bias"):
            parts.append(positions.forget_positions(x, ()))
            continue
        inner = tuple(range(1, x.rank))
        sample = positions.remove_axes(positions.reduce(x, inner), inner)
        parts.append(positions.move_axes(sample, [0, *(make_axis(size) for size in shape[1:])]))
    return site.combine_unknown(*parts)


@proof_rule(SlidingWindow)
def analyze_sliding_window(site: RuleSite) -> Sequence[AbstractTensor]:
    x, axis, shape = site.inputs[0], normalize_axis(site.op.name, site.op.axis, site.given.x), site.results[0].shape
    mixed = site.positions.replace_axis(x, axis, shape[axis])
    return [site.positions.move_axes(mixed, [*range(x.rank), make_axis(shape[-1])])]
