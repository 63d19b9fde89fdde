"""Convolutions and pools, which mix axes of space, and normalizations with running statistics."""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.convolution import Conv
from ...ops.normalization import BatchNorm
from ..abstract_tensors import AbstractTensor
from ..proof_rules import proof_rule
from ..rule_site import RuleSite


@proof_rule(Conv)
def analyze_conv(site: RuleSite) -> Sequence[AbstractTensor]:
    """A window of one element computes each position by itself."""
    windows = enumerate(site.op.make_windows(site.given.x), start=2)
    single = {axis for axis, w in windows if (w.span, w.stride, w.before, w.after) == (1, 1, 0, 0)}
    mixed = frozenset(range(1, site.given.x.rank)) - single
    return site.mix_axes([mixed, *(frozenset(range(type_.rank)) for type_ in site.given.types[1:])])


@proof_rule(BatchNorm)
def analyze_batch_norm(site: RuleSite) -> Sequence[AbstractTensor]:
    """Running statistics are constants in evaluation. In training, and without them, they are computed from all samples and positions."""
    x, *parameters = site.given.types
    running = site.op.track_running_stats and not site.training
    mixed = frozenset[int]() if running else frozenset(range(x.rank)) - {1}
    return site.mix_axes([mixed, *(frozenset(range(type_.rank)) for type_ in parameters)])
