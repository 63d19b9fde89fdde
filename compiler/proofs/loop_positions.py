"""The steps of a loop over positions in order: a step's tensors belong to the position of the step, at the place `STEP`.

So a body that mixes samples can be recognized: a state `[N, 8]` has a reference, the sample at its axis and the position at
`STEP`, which is gone after a mean over the samples.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import replace

from ..dims import Dim
from .abstract_tensors import AbstractTensor
from .element_facts import join_facts
from .position_axes import STEP, Axis, Factor, Place, Reference, has_role, make_axis
from .position_order import get_sequence_factor
from .tensor_positions import Positions


def find_step_factor(positions: Positions, axes: Sequence[Axis]) -> Factor | None:
    """Find the factor that the scanned axes with positions have in common. None if a step has no position, or if the loop is in another
    one, or if there is no axis of samples, without which constants would have positions too."""
    if positions.in_step or positions.roles < 2:
        return None
    factors = {get_sequence_factor(positions, axis) for axis in axes if has_role(axis)}
    factor = factors.pop() if len(factors) == 1 else None
    return None if factor is None or factor.is_table else factor


def make_step_input(positions: Positions, inner: Positions, x: AbstractTensor, axis: int | None, step: Factor) -> AbstractTensor:
    """Return a tensor as any step gets it: its slice along `axis`, or, if that is None, the same tensor in each step."""
    if axis is not None and x.axes[axis] != (step,):
        x, axis = positions.remove_axes(positions.reduce(x, (axis,)), (axis,)), None
    axes = tuple(factors for index, factors in enumerate(x.axes) if index != axis)
    references = inner.list_references(axes)
    kept = [references.index(_move_reference(reference, axis)) for reference in positions.list_references(x.axes)]
    return replace(inner.make_tensor(axes, lambda case: positions.get_fact(x, case, kept)), cause=x.cause)


def _move_reference(reference: Reference, axis: int | None) -> Reference:
    """Return a reference of a tensor as its slice along an axis has it."""

    def move_place(place: Place) -> Place:
        if axis is None or place[0] < axis:
            return place
        return STEP if place[0] == axis else (place[0] - 1, place[1])

    return tuple(move_place(place) for place in reference)


def take_last_state(positions: Positions, inner: Positions, state: AbstractTensor) -> AbstractTensor:
    """Return a state after the last step, whichever position that has."""
    references = inner.list_references(state.axes)
    kept = [index for index, reference in enumerate(references) if reference[-1] != STEP]
    return replace(state, facts={case: join_facts(facts) for case, facts in inner.group_cases(state, kept).items()})


def stack_steps(positions: Positions, inner: Positions, x: AbstractTensor, axis: int, step: Factor, length: Dim) -> AbstractTensor:
    """Stack the results of all steps along a new axis, whose elements belong to the positions of the steps."""
    axes = (*x.axes[:axis], (step,), *x.axes[axis:])
    outer, references = positions.list_references(axes), inner.list_references(x.axes)
    moved = [_move_reference(reference, axis) for reference in outer]
    if not references or set(moved) != set(references):
        last = take_last_state(positions, inner, x)
        return positions.move_axes(last, [*range(axis), make_axis(length), *range(axis, x.rank)])
    kept = [outer[moved.index(reference)] for reference in references]
    indices = [outer.index(reference) for reference in kept]
    return replace(positions.make_tensor(axes, lambda case: inner.get_fact(x, case, indices)), cause=x.cause)
