"""Operations on positions whose hidden ones come last, as with padding on the right (`Hidden.ordered`).

Then no hidden position is earlier than a visible one. So an element that depends on its position and earlier ones only is in the clear if
its position is visible: in that case, nothing that it depends on is hidden. Every rule here is an application of this sentence to one
sample, and changes axes of the last role only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product

from netc.dsl.record import replace

from ..dims import Dim, SymDim
from .abstract_tensors import AbstractTensor, PositionSpace
from .element_facts import Fact, join_facts
from .position_axes import Axis, Factor, Place, make_axis
from .position_relations import HIDDEN, VISIBLE


def get_ordered_factor(positions: PositionSpace, axis: Axis) -> Factor | None:
    """Return the factor of an axis whose elements are in the order of positions. None if the axis is another one."""
    is_ordered = positions.relation.ordered and len(axis) == 1 and axis[0].role == positions.roles - 1
    return axis[0] if is_ordered else None


def ends_in_positions(positions: PositionSpace, size: Dim, front: int) -> bool:
    """Whether an axis of this size has no elements after the last position."""
    return positions.sizes.is_at_least(positions.whole[-1] + front, size) is True


def get_sequence_factor(positions: PositionSpace, axis: Axis) -> Factor | None:
    """Return the factor of an axis on which no visible element comes after a hidden one: there is none after the last position. None if the
    axis is another one."""
    factor = get_ordered_factor(positions, axis)
    return factor if factor is not None and (factor.tail or ends_in_positions(positions, factor.size, factor.front)) else None


def replace_pairs(
    positions: PositionSpace, tensor: AbstractTensor, axes: tuple[int, int], labels: tuple[int, int], fact: Fact
) -> AbstractTensor:
    """Replace the elements of pairs of positions with these labels, if the elements of both axes belong to the same positions in order."""
    rows, columns = (get_sequence_factor(positions, tensor.axes[axis]) for axis in axes)
    if rows is None or rows != columns:
        return tensor
    references = positions.list_references(tensor.axes)
    # Only positions of one sample are ordered, so the references differ in their last places alone.
    pairs = [(references.index((*r[:-1], (axes[0], 0))), index) for index, r in enumerate(references) if r[-1] == (axes[1], 0)]
    replaced = {case for case in tensor.facts for i, j in pairs if (case[i], case[j]) == labels}
    return replace(tensor, facts={case: fact if case in replaced else known for case, known in tensor.facts.items()})


def index_positions(positions: PositionSpace, size: Dim) -> Axis:
    """Return the axis of a table. If it has the size of the positions, its index i belongs to position i of each sample. If it is longer,
    such as `T + 1`, the first indices belong to elements in front, such as a class token."""
    front = size - positions.whole[-1]
    is_index = positions.relation.ordered and isinstance(front, int) and (front == 0 or (front > 0 and isinstance(size, SymDim)))
    return (Factor(size, positions.roles - 1, front, is_table=True),) if is_index and isinstance(front, int) else make_axis(size)


def join_earlier(positions: PositionSpace, tensor: AbstractTensor, places: Collection[Place]) -> AbstractTensor:
    """Return what holds of an element at the position at one of these places, or at an earlier one of the same sample. A visible position
    has visible ones before it; a hidden position has both."""
    references = positions.list_references(tensor.axes)

    def list_earlier(case: Sequence[int]) -> list[Sequence[int]]:
        free = [reference[-1] in places and label == HIDDEN for reference, label in zip(references, case, strict=True)]
        return [*product(*((HIDDEN, VISIBLE) if is_free else (label,) for is_free, label in zip(free, case, strict=True)))]

    return replace(tensor, facts={case: join_facts([tensor.facts[tuple(c)] for c in list_earlier(case)]) for case in tensor.facts})


def mix_earlier(positions: PositionSpace, tensor: AbstractTensor, axis: int, size: Dim, ahead: int = 0) -> AbstractTensor | None:
    """Compute element i along an axis from the elements 0 to i + `ahead`. None if that may reach later positions.

    Element k of the operand belongs to position k - `front`. With `ahead` fewer elements in front, element i of the result belongs to
    position i + `ahead` - `front`, so it is computed from this position and earlier ones. Elements after the last position are computed
    from all positions, and count as hidden."""
    factor = get_ordered_factor(positions, tensor.axes[axis])
    if factor is None or factor.front < ahead:
        return None
    front = factor.front - ahead
    if factor.is_table and (ahead or not positions.sizes.are_equal(size, factor.size)):
        return None
    new = Factor(size, factor.role, front, not ends_in_positions(positions, size, front), factor.is_table)
    mixed = join_earlier(positions, tensor, [(axis, 0)])
    return replace(mixed, axes=(*tensor.axes[:axis], (new,), *tensor.axes[axis + 1 :]))


def find_delayed_axis(positions: PositionSpace, axes: Sequence[Axis]) -> Axis | None:
    """Find the axis that tensors have in common if their elements belong to different positions, because some were shifted to later
    elements. None if there is none."""
    factors = [factor for axis in axes if (factor := get_ordered_factor(positions, axis)) is not None]
    if len(factors) < len(axes) or len({factor.size for factor in factors}) > 1:
        return None
    return (replace(factors[0], front=min(f.front for f in factors), tail=any(f.tail for f in factors), is_table=False),)


def delay_positions(positions: PositionSpace, tensor: AbstractTensor, axis: int, new: Axis) -> AbstractTensor | None:
    """Return a tensor whose elements along an axis belong to later positions than before: the positions of another axis of its size. None
    if they don't. An element that is known at a position is known at each later one."""
    old, later = get_ordered_factor(positions, tensor.axes[axis]), get_ordered_factor(positions, new)
    if old is None or later is None or old.is_table or old.size != later.size or later.front > old.front:
        return None
    if not later.tail and not ends_in_positions(positions, later.size, later.front):
        return None
    delayed = join_earlier(positions, tensor, [(axis, 0)])
    return replace(delayed, axes=(*tensor.axes[:axis], new, *tensor.axes[axis + 1 :]))
