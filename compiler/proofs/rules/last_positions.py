"""The last visible position of each sample, which pools a causal model: `y[arange(N), mask.sum(1) - 1]`.

If the hidden positions are the last ones, the number of visible ones is the index of the first hidden one. A fact follows this number from
the sum of the mask to the look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.arithmetic import Remainder
from ...ops.axes import normalize_axis
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ...ops.indexing import Gather, IndexSelect
from ..abstract_tensors import AbstractTensor
from ..element_facts import Fact, SampleIndex
from ..position_axes import Axis, make_axis
from ..position_relations import HIDDEN, VISIBLE
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from ..tensor_positions import Positions
from .shape import take_visible

LAST = SampleIndex(lengths=1, offset=-1)
LAST_OF_ROW = SampleIndex(rows=1, lengths=1, offset=-1)


def sums_mask(site: RuleSite, x: AbstractTensor, axes: Sequence[int]) -> bool:
    """Whether a sum over axes counts the visible positions of each sample, whose hidden positions are the last ones."""
    positions, dtype = site.positions, site.results[0].dtype
    if not positions.relation.ordered or len(axes) != 1 or not x.rank or x.axes[axes[0]] != _whole_axis(positions, -1):
        return False
    is_mask = len(positions.list_references(x.axes)) == 1 and _is_number(x.facts[(VISIBLE,)], 1) and _is_number(x.facts[(HIDDEN,)], 0)
    return is_mask and dtype.is_integer and dtype.size >= 4


def _is_number(fact: Fact, number: int) -> bool:
    return fact.is_constant and fact.interval.low == number


def _whole_axis(positions: Positions, role: int) -> Axis:
    return make_axis(positions.whole[role], role % positions.roles)


def starts_rows(site: RuleSite, formula: Formula) -> AbstractTensor | None:
    """Return a table of the index of each sample times the number of positions, or None."""
    positions = site.positions
    if not positions.relation.ordered or positions.roles != 2 or not isinstance(formula, BinaryFormula) or formula.op != "*":
        return None
    match formula.left, formula.right:
        case (IndexFormula(number=axis), Const(value=size)) | (Const(value=size), IndexFormula(number=axis)):
            shape = site.results[0].shape
            if size == positions.whole[1] and shape[axis] == positions.whole[0]:
                axes = [make_axis(other, 0 if index == axis else None) for index, other in enumerate(shape)]
                return positions.make_tensor(axes, lambda case: Fact(index=SampleIndex(rows=1)))
    return None


@proof_rule(Remainder)
def analyze_remainder(site: RuleSite) -> Sequence[AbstractTensor]:
    """An index may count from the end of an axis. The index of a visible position does not."""
    x, scalars = site.inputs[0], site.op.scalars
    if scalars and not site.op.number_first and scalars[0] == site.positions.whole[-1] and _is_index(x, LAST):
        site.assumptions.any_visible = True
        return [x]
    return [site.combine_unknown(*site.inputs)]


def _is_index(x: AbstractTensor, index: SampleIndex) -> bool:
    return all(fact.index == index for fact in x.facts.values())


@proof_rule(Gather)
def analyze_gather(site: RuleSite) -> Sequence[AbstractTensor]:
    """The index at an element's place chooses any element of the other tensor along the axis."""
    axis, positions = normalize_axis(site.op.name, site.op.axis, site.given.x), site.positions
    x, index = site.inputs
    if x.rank and _is_index(index, LAST) and x.axes[axis] == _whole_axis(positions, -1) and _has_samples(positions, x, index):
        site.assumptions.any_visible = True
        last = positions.replace_axis(take_visible(positions, x, axis), axis, site.results[0].shape[axis])
        return [site.combine_unknown(last, index)]
    return site.mix_axes([frozenset({axis}), frozenset()])


def _has_samples(positions: Positions, x: AbstractTensor, index: AbstractTensor) -> bool:
    """Whether the elements of an index belong to the samples of another tensor, and each to one only."""
    for role in range(positions.roles - 1):
        places = [[n for n, axis in enumerate(tensor.axes) if any(factor.role == role for factor in axis)] for tensor in (x, index)]
        if places[0] != places[1] or len(places[0]) != 1 or index.axes[places[0][0]] != _whole_axis(positions, role):
            return False
    return True


@proof_rule(IndexSelect)
def analyze_index_select(site: RuleSite) -> Sequence[AbstractTensor]:
    """Each index chooses any element along the axis. With all positions of all samples along one axis, it may choose the last visible
    position of each sample."""
    axis, positions = normalize_axis(site.op.name, site.op.axis, site.given.x), site.positions
    x, index = site.inputs
    rows = tuple(factor for role in range(positions.roles) for factor in _whole_axis(positions, role))
    if x.rank and _is_index(index, LAST_OF_ROW) and x.axes[axis] == rows and index.axes == (_whole_axis(positions, 0),):
        site.assumptions.any_visible = True
        shape = site.results[0].shape
        divided = positions.regroup(x, (*shape[:axis], *positions.whole, *shape[axis + 1 :]))
        last = take_visible(positions, divided, axis + 1)
        return [site.combine_unknown(positions.remove_axes(last, (axis + 1,)))]
    return site.mix_axes([frozenset({axis}), frozenset({0})])
