"""Reductions along axes, and operators that weight the elements along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netc.dsl.record import replace

from ...ops.activation import Softmax
from ...ops.axes import normalize_axis
from ...ops.cumulative import CumulativeExtreme, Diff, Logcumsumexp
from ...ops.interval_arithmetic import UNKNOWN, Interval, truth_interval
from ...ops.reduction import ArgReduction, Cumulative, Logsumexp, Mean, MinMaxReduction, Quantifier, Reduction, Sum
from ..abstract_tensors import AbstractTensor, Cause
from ..element_facts import Fact, SampleIndex, drop_constant_dependence, join_facts, make_point, make_result, unite_labels
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from .last_positions import sums_mask

WEIGHT = Interval(0, 1)


@proof_rule(Reduction)
def analyze_reduction(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), positions = site.inputs, site.positions
    axes = site.op.reduced_axes(site.given.x)
    reduced = positions.reduce(x, axes, _choose_join(site))
    if isinstance(site.op, Sum) and sums_mask(site, x, axes):
        reduced = replace(reduced, facts={case: Fact(index=SampleIndex(lengths=1)) for case in reduced.facts})
    if not site.op.keepdim:
        reduced = positions.remove_axes(reduced, axes)
    # The second result of `max` and every result of `argmax` are indices, of unknown values.
    indices = positions.combine([reduced], lambda facts: make_result(UNKNOWN, facts))
    if isinstance(site.op, ArgReduction):
        return [indices for _ in site.results]
    first = positions.combine([reduced], lambda facts: _read_truth(facts[0])) if isinstance(site.op, Quantifier) else reduced
    return [first, *(indices for _ in site.results[1:])]


def _choose_join(site: RuleSite) -> Callable[[Sequence[Fact]], Fact]:
    match site.op:
        case MinMaxReduction() | Quantifier():
            return join_picked
        case Sum() | Mean():
            return sum_facts
        case Logsumexp():
            return lambda facts: join_row(site, facts)
    return lambda facts: Fact(UNKNOWN, unite_labels(facts))


def _read_truth(fact: Fact) -> Fact:
    return drop_constant_dependence(replace(fact, interval=truth_interval(fact.interval.truth), index=None))


def join_picked(facts: Sequence[Fact]) -> Fact:
    """The greatest or least of elements, or whether any or all are true."""
    return replace(join_facts(facts), group=None)


def sum_facts(facts: Sequence[Fact]) -> Fact:
    """The sum of elements. A sum of zeros is 0."""
    if all(fact.is_zero for fact in facts):
        return Fact(make_point(0.0))
    return Fact(UNKNOWN, unite_labels(facts))


@proof_rule(Softmax)
def analyze_softmax(site: RuleSite) -> Sequence[AbstractTensor]:
    return [weigh_scores(site, site.inputs[0], normalize_axis(site.op.name, site.op.axis, site.given.x))]


def weigh_scores(site: RuleSite, scores: AbstractTensor, axis: int) -> AbstractTensor:
    """Compute a softmax. Hidden scores have a weight of 0 and do not change the other weights, if a score in the row is not hidden."""
    row = site.positions.reduce(scores, (axis,), lambda facts: join_row(site, facts))
    hidden_rows = site.positions.reduce(scores, (axis,), lambda facts: Fact(truth_interval(all(fact.is_infinite for fact in facts))))
    if any(fact.interval.truth for fact in hidden_rows.facts.values()):
        site.note_empty_row("at hidden positions, where it hides all keys")
    elif len(row.facts) == 1 and any(fact.is_infinite for fact in scores.facts.values()):
        # A row that is a position has its own key; any other row has none if all positions of a sample are hidden.
        site.note_empty_row("for a sample without a visible position")

    def weigh_score(facts: Sequence[Fact]) -> Fact:
        score, total = facts
        if score.hiding is not None and total.penalty is None:
            # Also of a score that depends on nothing: the weight hides the value of its key.
            _note_hiding(site, score.hiding)
            return Fact(make_point(0.0))
        return Fact(WEIGHT, score.depends | total.depends)

    return site.positions.combine([scores, row], weigh_score)


def join_row(site: RuleSite, facts: Sequence[Fact]) -> Fact:
    """What the sum of exponentials of a row depends on. It keeps a penalty if all scores are hidden."""
    for fact in facts:
        if fact.depends and fact.hiding is not None:
            _note_hiding(site, fact.hiding)
    seen = [fact for fact in facts if fact.hiding is None]
    if seen:
        return Fact(UNKNOWN, unite_labels(seen))
    return replace(join_facts(facts), interval=UNKNOWN, group=None)


def _note_hiding(site: RuleSite, hiding: float) -> None:
    site.assumptions.note_penalty(hiding, Cause(site.owner.op.name, site.owner.span))


@proof_rule(Diff)
def analyze_differences(site: RuleSite) -> Sequence[AbstractTensor]:
    return site.mix_axes([frozenset({normalize_axis(site.op.name, site.op.axis, site.given.x)})])


@proof_rule(Cumulative, CumulativeExtreme, Logcumsumexp)
def analyze_cumulative(site: RuleSite) -> Sequence[AbstractTensor]:
    axis = normalize_axis(site.op.name, site.op.axis, site.given.x)
    return site.mix_axes([frozenset({axis})], {axis: 0})
