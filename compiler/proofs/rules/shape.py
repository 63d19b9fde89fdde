"""Operators that move elements. Positions keep their axis as long as it is moved as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.record import replace

from ...dims import Dim
from ...ops.axes import normalize_axis
from ...ops.joining import Concat, Division, Stack
from ...ops.rearrange import Rearrange
from ...ops.shape import Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ...ops.slicing import Pad, Select, Slice
from ..abstract_tensors import AbstractTensor
from ..element_facts import Fact, join_facts, make_point
from ..position_axes import Axis, get_size, has_role, is_table_axis, make_axis
from ..position_order import ends_in_positions, get_ordered_factor
from ..position_relations import VISIBLE, Case, Hidden
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from ..tensor_positions import Positions


@proof_rule(Permute, Transpose)
def analyze_permute(site: RuleSite) -> Sequence[AbstractTensor]:
    return [site.positions.move_axes(site.inputs[0], list(site.op.axis_order(site.given.x)))]


@proof_rule(Unsqueeze)
def analyze_unsqueeze(site: RuleSite) -> Sequence[AbstractTensor]:
    place, (x,) = site.op.new_axis(site.given.x), site.inputs
    return [site.positions.move_axes(x, [*range(place), (), *range(place, x.rank)])]


@proof_rule(Squeeze)
def analyze_squeeze(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), positions = site.inputs, site.positions
    dropped = site.op.dropped_axes(site.given)
    return [positions.remove_axes(positions.reduce(x, dropped), dropped)]


@proof_rule(Reshape, Flatten, Unflatten)
def analyze_reshape(site: RuleSite) -> Sequence[AbstractTensor]:
    return [site.positions.regroup(site.inputs[0], site.results[0].shape)]


@proof_rule(Rearrange)
def analyze_rearrange(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), positions = site.inputs, site.positions
    plan = site.op.make_plan(site.given)
    if plan.split is not None:
        x = positions.regroup(x, plan.split)
    if plan.order is not None:
        x = positions.move_axes(x, list(plan.order))
    return [x if plan.merge is None else positions.regroup(x, plan.merge)]


@proof_rule(Expand)
def analyze_expand(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), shape = site.inputs, site.results[0].shape
    added = len(shape) - x.rank
    grown: list[Any] = [make_axis(size) for size in shape[:added]]
    for index, axis in enumerate(x.axes):
        grown.append(index if axis else make_axis(shape[added + index]))
    return [site.positions.move_axes(x, grown)]


@proof_rule(Select)
def analyze_select(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), axis = site.inputs, normalize_axis(site.op.name, site.op.axis, site.given.x)
    return [site.positions.remove_axes(take_position(site, x, axis, site.op.index), (axis,))]


def take_position(site: RuleSite, x: AbstractTensor, axis: int, index: Any) -> AbstractTensor:
    """Take one position along an axis, which then has size 1. The first one is assumed to be visible, as in BERT's pooler. A class token in
    front of the positions is visible."""
    positions, has_token = site.positions, any(factor.front for factor in x.axes[axis])
    is_last = [factor.role for factor in x.axes[axis]] == [positions.roles - 1]
    if index != 0 or not (is_last or has_token) or not isinstance(positions.relation, Hidden):
        return positions.reduce(x, (axis,))
    shown = take_visible(positions, x, axis)
    any_position = positions.reduce(x, (axis,))
    if has_token:
        return shown
    if positions.measure_leak(shown) >= positions.measure_leak(any_position):
        return any_position
    site.assumptions.first = True
    return shown


def take_visible(positions: Positions, x: AbstractTensor, axis: int) -> AbstractTensor:
    """Take a visible position along an axis, which then has size 1."""
    taken = [n for n, reference in enumerate(positions.list_references(x.axes)) if any(place[0] == axis for place in reference)]

    def see_visible(case: Case) -> Case:
        return tuple(VISIBLE if n in taken else label for n, label in enumerate(case))

    return positions.reduce(replace(x, facts={case: x.facts[see_visible(case)] for case in x.facts}), (axis,))


@proof_rule(Slice)
def analyze_slice(site: RuleSite) -> Sequence[AbstractTensor]:
    """A slice from the first position on keeps its positions, which are those of other slices of this kind."""
    (x,), op, positions = site.inputs, site.op, site.positions
    axis = normalize_axis(op.name, op.axis, site.given.x)
    size = site.results[0].shape[axis]
    if size == site.given.x.shape[axis]:
        return [x]
    if size == 1:
        return [take_position(site, x, axis, op.start)]
    if _is_within_first(x.axes[axis], op.start, size, op.step):
        shape, (first, *inner) = [get_size(factors) for factors in x.axes], x.axes[axis]
        divided = positions.regroup(x, (*shape[:axis], first.size, get_size(tuple(inner)), *shape[axis + 1 :]))
        return [positions.replace_axis(positions.remove_axes(take_position(site, divided, axis, 0), (axis,)), axis, size)]
    front = x.axes[axis][0].front if len(x.axes[axis]) == 1 else 0
    if not isinstance(op.start, int) or not 0 <= op.start <= front or op.step != 1 or len(x.axes[axis]) != 1:
        return [positions.replace_axis(x, axis, size)]
    # Without the elements in front, the positions begin at 0 again.
    (factor,) = x.axes[axis]
    cut = replace(factor, size=size, front=front - op.start)
    if cut.tail and ends_in_positions(positions, size, cut.front):
        cut = replace(cut, tail=False)
    return [replace(x, axes=(*x.axes[:axis], (cut,), *x.axes[axis + 1 :]))]


def _is_within_first(axis: Axis, start: Any, size: Dim, step: Any) -> bool:
    """Whether all elements of a slice are of the first position along an axis such as `[T * 8]`."""
    inner = get_size(axis[1:])
    if len(axis) < 2 or not all(isinstance(number, int) for number in (start, size, step, inner)):
        return False
    return bool(start >= 0 and start + (size - 1) * step < inner)


@proof_rule(Pad)
def analyze_pad(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), positions = site.inputs, site.positions
    amounts = site.op.axis_amounts(x.rank)
    for axis, ends in amounts.items():
        if any(end != 0 for end in ends):
            size = site.results[0].shape[axis]
            x = _shift_positions(site, x, axis, size, ends) or positions.replace_axis(x, axis, size)
    value = site.op.value if site.op.mode == "constant" else None
    fill = Fact(make_point(float(value))) if isinstance(value, int | float) else Fact()
    padded = positions.combine([x], lambda facts: _join_padding(facts[0], fill))
    # Positions keep their elements. The positions of a table have only their index.
    axes = [axis for axis, ends in amounts.items() if any(end != 0 for end in ends) and not has_role(x.axes[axis])]
    return [_count_length(site, padded, [site.given.x.shape[axis] for axis in axes])]


def _shift_positions(site: RuleSite, x: AbstractTensor, axis: int, size: Dim, ends: tuple[Dim, Dim]) -> AbstractTensor | None:
    """Keep the positions of an axis with more elements in front. If hidden positions come last, what is shifted to later elements stays in
    the clear. None if the axis is another one, or if positions are cut off in front."""
    factor, (before, after), mode = get_ordered_factor(site.positions, x.axes[axis]), ends, site.op.mode
    if factor is None or factor.is_table or not isinstance(before, int) or factor.front + before < 0:
        return None
    # In front, this mode repeats the first position; at the end, it would repeat the last one.
    repeats_first = mode == "replicate" and isinstance(after, int) and after <= 0
    if mode != "constant" and not repeats_first:
        return None
    site.assumptions.first = site.assumptions.first or repeats_first
    longer = replace(factor, size=size, front=factor.front + before)
    return replace(x, axes=(*x.axes[:axis], (longer,), *x.axes[axis + 1 :]))


def _join_padding(fact: Fact, fill: Fact) -> Fact:
    joined = join_facts([fact, fill])
    # Elements that depend on positions and the padding are not told apart here.
    return Fact(joined.interval, fact.depends)


@proof_rule(Division)
def analyze_division(site: RuleSite) -> Sequence[AbstractTensor]:
    (x,), axis = site.inputs, normalize_axis(site.op.name, site.op.axis, site.given.x)
    return [site.positions.replace_axis(x, axis, result.shape[axis]) for result in site.results]


@proof_rule(Concat)
def analyze_concat(site: RuleSite) -> Sequence[AbstractTensor]:
    """Along the axis, an element of the result may be an element of any input."""
    axis = normalize_axis(site.op.name, site.op.axis, site.given.types[0])
    size = site.results[0].shape[axis]
    (first, *others) = (x.axes[axis] for x in site.inputs)
    is_batch = has_role(first) or site.positions.has_counted([get_size(first)])
    if is_batch and all(other == first for other in others):
        # Two batches in a row: each element keeps its position. So do the labels of both, which may be tables.
        repeated = (*make_axis(len(site.inputs)), *first)
        return [site.positions.combine([replace(x, axes=(*x.axes[:axis], repeated, *x.axes[axis + 1 :])) for x in site.inputs], join_facts)]
    extended = _extend_positions(site, axis)
    if extended is not None:
        return [extended]
    parts = [site.positions.replace_axis(x, axis, size) for x in site.inputs]
    return [_count_length(site, site.positions.combine(parts, join_facts), [type_.shape[axis] for type_ in site.given.types])]


def _count_length(site: RuleSite, joined: AbstractTensor, sizes: Sequence[Dim]) -> AbstractTensor:
    """Return elements that are taken from one tensor or another by their index along axes of these sizes."""
    return site.positions.depend_on_count(joined) if site.positions.has_counted(sizes) else joined


def _extend_positions(site: RuleSite, axis: int) -> AbstractTensor | None:
    """Join an axis of positions with elements that are no positions, such as a class token, which count as visible. None if the inputs are
    of another kind."""
    positions = site.positions
    places = [index for index, x in enumerate(site.inputs) if has_role(x.axes[axis]) and not is_table_axis(x.axes[axis])]
    if len(places) != 1 or not isinstance(positions.relation, Hidden):
        return None
    x, front = site.inputs[places[0]], sum((type_.shape[axis] for type_ in site.given.types[: places[0]]), start=0)
    (factor, *others) = x.axes[axis]
    is_whole = not others and not factor.front and factor.role is not None and factor.size == positions.whole[factor.role]
    # Positions that are cut off at the end are not missing between others if nothing follows.
    is_start = places[0] == len(site.inputs) - 1 and get_ordered_factor(positions, x.axes[axis]) is not None and not factor.tail
    if not (is_whole or is_start) or factor.front or not isinstance(front, int):
        return None
    factor = replace(factor, size=site.results[0].shape[axis], front=front)
    own = replace(x, axes=(*x.axes[:axis], (factor,), *x.axes[axis + 1 :]))
    added = [positions.reduce(other, (axis,)) for index, other in enumerate(site.inputs) if index != places[0]]
    hidden = positions.combine([own, *added], lambda facts: facts[0])
    visible = positions.combine([own, *added], join_facts)
    taken = [n for n, reference in enumerate(positions.list_references(hidden.axes)) if (axis, 0) in reference]
    facts = {case: (visible if all(case[n] == VISIBLE for n in taken) else hidden).facts[case] for case in hidden.facts}
    return replace(hidden, facts=facts)


@proof_rule(Stack)
def analyze_stack(site: RuleSite) -> Sequence[AbstractTensor]:
    place, count = site.op.axis % site.results[0].rank, len(site.inputs)
    parts = [site.positions.move_axes(x, [*range(place), make_axis(count), *range(place, x.rank)]) for x in site.inputs]
    return [site.positions.combine(parts, join_facts)]
