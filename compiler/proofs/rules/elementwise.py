"""Operators that compute each element from the elements at its place. Arithmetic on masks keeps what is known of hidden elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from netc.dsl.record import replace

from ...ops.activation import Relu
from ...ops.arithmetic import Add, Clamp, Div, Maximum, Minimum, Mul, NumberOrTensor, Pair, Sub
from ...ops.binary import Lerp
from ...ops.bitwise import BitwiseAnd, BitwiseNot, BitwiseOr
from ...ops.comparison import Comparison, Eq, LogicalAnd, LogicalOr, Ne, Where
from ...ops.constants import ParamOperator, TableOperator
from ...ops.dense import Embedding
from ...ops.elementwise import LogicalNot, Neg
from ...ops.formula_bounds import find_interval, interval_of_pairs
from ...ops.formula_values import fold_formula
from ...ops.indexing import MaskedFill, OneHot, Tril, Triu
from ...ops.interval_arithmetic import UNKNOWN, Interval, apply_function, compare_intervals, truth_interval
from ...ops.mode import ByMode
from ...ops.operator import Operator
from ...ops.pointwise import Pointwise
from ...ops.regularization import Dropping, PassingOn, Rrelu
from ...ops.shape import Cast
from ...types.tensor_types import BOOL, DType
from ..abstract_tensors import AbstractTensor
from ..element_facts import Fact, add_facts, drop_constant_dependence, join_facts, make_point, make_result, multiply_facts, round_interval
from ..position_axes import STEP, is_table_axis, make_axis
from ..position_order import index_positions, replace_pairs
from ..position_relations import HIDDEN, VISIBLE, Case
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from .last_positions import starts_rows

Compute = Callable[[Sequence[Fact]], Fact]


@proof_rule(Pointwise, NumberOrTensor, Pair, Clamp, Lerp, Rrelu)
def analyze_elementwise(site: RuleSite) -> Sequence[AbstractTensor]:
    compute = next((COMPUTE[cls] for cls in type(site.op).__mro__ if cls in COMPUTE), None)
    if compute is None:
        return [site.combine_unknown(*site.inputs)]
    operands = [*site.inputs]
    if site.op.scalars:
        constant = site.positions.make_constant((), _make_number(site.op.scalars[0]))
        operands = [constant, *operands] if site.op.number_first else [*operands, constant]
    op = site.op
    return [site.combine(lambda facts: compute(op, facts), *operands)]


def _make_number(scalar: Any) -> Fact:
    # A size is known at run time only, and depends on no position.
    return Fact(round_interval(make_point(float(scalar)))) if isinstance(scalar, int | float) else Fact()


def _subtract_facts(op: Any, facts: Sequence[Fact]) -> Fact:
    return add_facts(facts[0], negate_fact(facts[1]))


def negate_fact(fact: Fact) -> Fact:
    return Fact(-fact.interval, fact.depends)


def _divide_facts(op: Any, facts: Sequence[Fact]) -> Fact:
    a, b = facts
    if b.is_constant and b.interval.low not in (0, float("inf"), float("-inf")):
        return multiply_facts(a, Fact(round_interval(make_point(1 / b.interval.low))))
    return make_result(UNKNOWN, facts)


def _compare_facts(op: Comparison, facts: Sequence[Fact]) -> Fact:
    a, b = facts
    if isinstance(op, Eq | Ne) and a.group is not None and b.group is not None:
        # Positions of different groups have different numbers.
        return Fact(truth_interval((a.group == b.group) == isinstance(op, Eq)))
    answer = compare_intervals(op.symbol, a.interval, b.interval)
    return make_result(truth_interval(answer), facts)


def _find_truth(fact: Fact) -> bool | None:
    return fact.interval.truth


def _conjoin_truths(op: Any, facts: Sequence[Fact]) -> Fact:
    truths = [_find_truth(fact) for fact in facts]
    return make_result(truth_interval(False if False in truths else True if all(truths) else None), facts)


def _disjoin_truths(op: Any, facts: Sequence[Fact]) -> Fact:
    truths = [_find_truth(fact) for fact in facts]
    return make_result(truth_interval(True if True in truths else False if truths == [False, False] else None), facts)


def _invert_truth(op: Any, facts: Sequence[Fact]) -> Fact:
    truth = _find_truth(facts[0])
    return make_result(truth_interval(None if truth is None else not truth), facts)


def _take_extreme(op: Any, facts: Sequence[Fact]) -> Fact:
    name = "max" if isinstance(op, Maximum) else "min"
    return make_result(apply_function(name, [fact.interval for fact in facts]), facts)


def _rectify_fact(op: Any, facts: Sequence[Fact]) -> Fact:
    return make_result(apply_function("max", [facts[0].interval, make_point(0)]), facts)


COMPUTE: dict[type[Operator], Callable[[Any, Sequence[Fact]], Fact]] = {
    Add: lambda op, facts: add_facts(*facts),
    Sub: _subtract_facts,
    Mul: lambda op, facts: multiply_facts(*facts),
    Div: _divide_facts,
    Neg: lambda op, facts: negate_fact(facts[0]),
    Comparison: _compare_facts,
    LogicalAnd: _conjoin_truths,
    LogicalOr: _disjoin_truths,
    LogicalNot: _invert_truth,
    Maximum: _take_extreme,
    Minimum: _take_extreme,
    Relu: _rectify_fact,
}
"""How the values of an element follow from the values of the operands. All other operators give unknown values."""


@proof_rule(BitwiseAnd, BitwiseOr, BitwiseNot)
def analyze_bitwise(site: RuleSite) -> Sequence[AbstractTensor]:
    """On booleans, the bitwise operators are the logical ones."""
    if site.results[0].dtype != BOOL or site.op.scalars:
        return [site.combine_unknown(*site.inputs)]
    compute = {BitwiseAnd: _conjoin_truths, BitwiseOr: _disjoin_truths, BitwiseNot: _invert_truth}[type(site.op)]
    return [site.combine(lambda facts: compute(None, facts), *site.inputs)]


@proof_rule(Where)
def analyze_where(site: RuleSite) -> Sequence[AbstractTensor]:
    condition, *choices = site.inputs
    if site.op.scalars:
        constant = site.positions.make_constant((), _make_number(site.op.scalars[0]))
        choices = [constant, *choices] if site.op.number_first else [*choices, constant]
    return [site.positions.combine([condition, *choices], choose_fact)]


def choose_fact(facts: Sequence[Fact]) -> Fact:
    """The fact of an element that a condition chooses from two others. What is not chosen does not matter, even if it is NaN."""
    condition, first, second = facts
    truth = _find_truth(condition)
    if truth is None:
        joined = join_facts([first, second])
        return drop_constant_dependence(replace(joined, depends=joined.depends | condition.depends))
    chosen = first if truth else second
    return drop_constant_dependence(replace(chosen, depends=chosen.depends | condition.depends))


@proof_rule(MaskedFill)
def analyze_masked_fill(site: RuleSite) -> Sequence[AbstractTensor]:
    value = _make_number(site.op.value)
    return [site.positions.combine([site.get("mask"), site.get("x")], lambda facts: choose_fact([facts[0], value, facts[1]]))]


@proof_rule(Cast)
def analyze_cast(site: RuleSite) -> Sequence[AbstractTensor]:
    before, after = site.given.x.dtype, site.results[0].dtype
    return [site.positions.combine(site.inputs, lambda facts: _cast_fact(facts[0], before, after))]


def _cast_fact(fact: Fact, before: DType, after: DType) -> Fact:
    if after == BOOL:
        return make_result(truth_interval(fact.interval.truth), [fact])
    if after.is_float:
        return drop_constant_dependence(Fact(round_interval(fact.interval), fact.depends, None, fact.penalty))
    if before.is_integer and after.size >= before.size and after.kind == before.kind:
        return fact
    # A smaller integer type may wrap, so only small numbers keep their values.
    small = not before.is_float and 0 <= fact.interval.low <= fact.interval.high < 2**7
    return make_result(fact.interval if small else UNKNOWN, [fact])


@proof_rule(Tril, Triu)
def analyze_triangle(site: RuleSite) -> Sequence[AbstractTensor]:
    """Some elements become 0, which does not depend on positions. If hidden positions come last, a visible row has all of its hidden
    columns after the diagonal, and a hidden row all of its visible ones before it."""
    (x,), zero, is_lower = site.inputs, Fact(make_point(0)), isinstance(site.op, Tril)
    joined = site.positions.combine([x], lambda facts: drop_constant_dependence(join_facts([facts[0], zero])))
    diagonal, rows, removed = site.op.diagonal, x.rank - 2, (VISIBLE, HIDDEN) if is_lower else (HIDDEN, VISIBLE)
    if not isinstance(diagonal, int) or (diagonal > 0 if is_lower else diagonal < 0):
        return [joined]
    return [replace_pairs(site.positions, joined, (rows, rows + 1), removed, zero)]


@proof_rule(PassingOn, Dropping)
def analyze_identity(site: RuleSite) -> Sequence[AbstractTensor]:
    return [site.combine_unknown(*site.inputs)] if site.training and site.op.may_draw else list(site.inputs)


@proof_rule(ByMode)
def analyze_mode(site: RuleSite) -> Sequence[AbstractTensor]:
    return [site.get("training" if site.training else "evaluation")]


@proof_rule(TableOperator)
def analyze_table(site: RuleSite) -> Sequence[AbstractTensor]:
    """An element has the value of the formula at its indices. If hidden positions come last, a visible index is less than a hidden one."""
    formula, shape, positions = fold_formula(site.op.formula), site.op.shape, site.positions
    if (rows := starts_rows(site, formula)) is not None:
        return [rows]
    everywhere = find_interval(formula, shape)
    axes = [index_positions(positions, size) for size in shape]

    def make_fact(indices: Sequence[tuple[int, int]]) -> Fact:
        earlier = [axis for axis, label in indices if label == VISIBLE]
        later = [axis for axis, label in indices if label == HIDDEN]
        interval = everywhere
        # With more elements in front of the second axis, its indices are even greater.
        for first, second in (pair for pair in product(earlier, later) if axes[pair[0]][0].front <= axes[pair[1]][0].front):
            interval = interval & interval_of_pairs(formula, shape, first, second, later=True)
        return Fact(interval if site.op.element_type == BOOL else round_interval(_make_finite(interval)))

    if not positions.relation.ordered or sum(is_table_axis(axis) for axis in axes) != 2:
        return [positions.make_constant(site.results[0].shape, make_fact([]))]
    references = positions.list_references(axes)

    def find_labels(case: Case) -> list[tuple[int, int]]:
        return [(reference[-1][0], label) for reference, label in zip(references, case, strict=True) if reference[-1] != STEP]

    return [positions.make_tensor(axes, lambda case: make_fact(find_labels(case)))]


def _make_finite(interval: Interval) -> Interval:
    """A table of NaN or unknown infinities has unknown values."""
    return interval if not interval.nan and (not interval.infinite or interval.low == interval.high) else UNKNOWN


@proof_rule(ParamOperator)
def analyze_parameter(site: RuleSite) -> Sequence[AbstractTensor]:
    return [site.positions.make_constant(site.results[0].shape, Fact())]


@proof_rule(Embedding, OneHot)
def analyze_lookup(site: RuleSite) -> Sequence[AbstractTensor]:
    """A row for each index. A table that is given as a tensor is mixed."""
    positions, size = site.positions, site.results[0].shape[-1]
    indices, *tables = site.inputs
    rows = positions.move_axes(indices, [*range(indices.rank), make_axis(size)])
    return [site.combine_unknown(rows, *(positions.forget_positions(table, (size,)) for table in tables))]
