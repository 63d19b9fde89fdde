"""Operators for losses: gradients, assignments, and the alignment of sequences. Other losses are analyzed as the operators that their
derivative is computed from.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.assignment import Match
from ...ops.differentiation import Gradient
from ...ops.margin_loss import MultilabelMarginLoss
from ...ops.sequence_loss import CtcLoss
from ..abstract_tensors import AbstractTensor
from ..position_relations import Groups
from ..proof_rules import proof_rule
from ..rule_site import RuleSite


@proof_rule(Gradient)
def analyze_gradient(site: RuleSite) -> Sequence[AbstractTensor]:
    """If each element of `y` depends on one group at most, and each element of `x` on the group of its position, the derivative of an
    element of `y` by an element of another group is 0. So the gradient of the sum is computed within each group.

    Of hidden positions this says nothing, because they may depend on visible ones."""
    y, x = site.inputs
    positions = site.positions
    is_own = all(case and fact.depends == positions.relation.own_labels(case) for case, fact in x.facts.items())
    if not isinstance(positions.relation, Groups) or not is_own or positions.measure_leak(y) or positions.measure_leak(x):
        return site.forget_positions()
    return [site.combine_unknown(x)]


@proof_rule(Match)
def analyze_match(site: RuleSite) -> Sequence[AbstractTensor]:
    """Each matrix of costs has an assignment of its own."""
    (cost,), positions = site.inputs, site.positions
    rows = positions.replace_axis(cost, cost.rank - 2, site.results[0].shape[-1])
    return [site.combine_unknown(_remove_mixed(site, rows, (cost.rank - 1,)))]


@proof_rule(MultilabelMarginLoss)
def analyze_pairs_of_classes(site: RuleSite) -> Sequence[AbstractTensor]:
    if site.op.reduction != "none":
        return site.forget_positions()
    return [site.combine_unknown(*(_remove_mixed(site, x, (x.rank - 1,)) for x in site.inputs))]


@proof_rule(CtcLoss)
def analyze_ctc_loss(site: RuleSite) -> Sequence[AbstractTensor]:
    """Each sequence is aligned by itself, unless the targets of all are in a row."""
    steps, targets, *lengths = site.inputs
    if site.op.reduction != "none" or steps.rank < 3 or targets.rank < 2:
        return site.forget_positions()
    return [site.combine_unknown(_remove_mixed(site, steps, (0, 2)), _remove_mixed(site, targets, (1,)), *lengths)]


def _remove_mixed(site: RuleSite, x: AbstractTensor, axes: tuple[int, ...]) -> AbstractTensor:
    return site.positions.remove_axes(site.positions.reduce(x, axes), axes)
