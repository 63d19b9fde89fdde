"""The axes of abstract tensors, and the places that their elements belong to.

An axis is a product of factors, the slowest first: after `reshape [N, T, 8] -> [N * T, 8]` the first axis has the factors `N` and `T`. A
factor with a `role` is an axis of positions: element i of it belongs to position i. A *reference* is one place for each role. Two places
are no axes: a table of indices is the same in each sample, so its references have `ANY_SAMPLE` for the axes of samples; and in a step of a
loop, the position of the step is at `STEP`.

    >>> list_places([(Factor(2, role=0),), (Factor(8, role=1),), (Factor(8, role=1),)], roles=2)
    [((0, 0), (1, 0)), ((0, 0), (2, 0))]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from netc.dsl.record import Record, replace

from ..dims import Dim

Place = tuple[int, int]
"""The number of an axis, and the number of a factor in it."""
Reference = tuple[Place, ...]
"""A place for each role."""
ANY_SAMPLE: Place = (-1, 0)
STEP: Place = (-2, 0)


class Factor(Record):
    """A part of an axis. `role` is the number of the axis of positions that it is, or None. With `front`, the first elements are no
    positions, such as a class token, and count as visible; so do elements after the last position. With `tail`, those count as hidden, as
    they do after a causal convolution. `is_table`: the index of a table, which belongs to the position with its number in each sample."""

    size: Dim
    role: int | None = None
    front: int = 0
    tail: bool = False
    is_table: bool = False


Axis = tuple[Factor, ...]


def get_size(axis: Axis) -> Dim:
    return prod((factor.size for factor in axis), start=1)


def make_axis(size: Dim, role: int | None = None) -> Axis:
    """Make an axis of one factor. An axis of size 1 has none."""
    return () if size == 1 and role is None else (Factor(size, role),)


def merge_factors(axes: Sequence[Axis]) -> list[Factor]:
    """List the factors of all axes. Neighbors without a role are one factor."""
    merged = list[Factor]()
    for factor in (factor for axis in axes for factor in axis):
        if merged and factor.role is None and merged[-1].role is None:
            merged[-1] = Factor(merged[-1].size * factor.size)
        else:
            merged.append(factor)
    return merged


def has_role(axis: Axis) -> bool:
    return any(factor.role is not None for factor in axis)


def is_table_axis(axis: Axis) -> bool:
    return any(factor.is_table for factor in axis)


def forget_tables(axis: Axis) -> Axis:
    return tuple(Factor(factor.size) if factor.is_table else factor for factor in axis)


def is_index_of(table: Axis, axis: Axis) -> bool:
    """Whether an axis is the index of a table, and its elements belong to the positions of another axis."""
    if not len(table) == len(axis) == 1:
        return False
    return table[0].is_table and replace(axis[0], tail=False, is_table=True) == table[0]


def find_reference(reference: Reference, references: Sequence[Reference]) -> int | None:
    """Find a reference. What holds in any sample holds in the first one that the others have."""
    matches = (all(a in (b, ANY_SAMPLE) for a, b in zip(reference, other, strict=True)) for other in references)
    return next((index for index, is_match in enumerate(matches) if is_match), None)


def list_places(axes: Sequence[Axis], roles: int, *, in_step: bool = False) -> list[Reference]:
    """List the references of a tensor. There are none if a role is missing. `in_step`: the tensor is in a step of a loop over the last
    role."""
    places: list[list[Place]] = [[] for _ in range(roles)]
    only_tables = True
    for index, axis in enumerate(axes):
        for inner, factor in enumerate(axis):
            if factor.role is not None:
                places[factor.role].append((index, inner))
                only_tables = only_tables and factor.is_table
    *samples, last = places
    if last and only_tables:
        samples = [[ANY_SAMPLE] for _ in samples]
    return list(product(*samples, [*last, STEP] if in_step else last))
