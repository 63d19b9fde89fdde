"""Abstract tensors: which axes are positions, and what is known of the elements in each case.

An axis is a product of factors, the slowest first: after `reshape [N, T, 8] -> [N * T, 8]` the first axis has the factors `N` and `T`. A
factor with a `role` is an axis of positions: element i of it belongs to position i. A *reference* is one place for each role. A tensor that
lacks a role has no references, and one fact for all of its elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..dims import Dim, Facts
from ..types.tensor_types import Shape
from .element_facts import Fact, join_facts
from .position_relations import Case, Relation

Place = tuple[int, int]
"""The number of an axis, and the number of a factor in it."""
Reference = tuple[Place, ...]
"""A place for each role."""


class Factor(Record):
    """A part of an axis. `role` is the number of the axis of positions that it is, or None. With `front`, the first elements are no
    positions, such as a class token, and count as visible; so do elements after the last position."""

    size: Dim
    role: int | None = None
    front: int = 0


Axis = tuple[Factor, ...]
MOST_REFERENCES = 5
"""The most references of a tensor whose positions are tracked. The number of cases grows exponentially with them."""


class Cause(Record):
    """The stage at which hidden positions first reach elements that must not depend on them. `has_rule`: whether netc has a rule for it.
    `meets`: its elements have several positions, and depend on the groups of all."""

    operator: str
    span: Span
    has_rule: bool = True
    meets: bool = False


class AbstractTensor(Record):
    """`facts` has a fact for each case of the references. `cause` is set if elements depend on positions that they must not depend on."""

    axes: tuple[Axis, ...]
    facts: Mapping[Case, Fact]
    cause: Cause | None = None

    @property
    def rank(self) -> int:
        return len(self.axes)


def get_size(axis: Axis) -> Dim:
    return prod((factor.size for factor in axis), start=1)


def make_axis(size: Dim, role: int | None = None) -> Axis:
    """Make an axis of one factor. An axis of size 1 has none."""
    return () if size == 1 and role is None else (Factor(size, role),)


def _merge_factors(axes: Sequence[Axis]) -> list[Factor]:
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


class Positions:
    """The operations on abstract tensors under one relation. `whole` has the size of the axis of positions for each role."""

    def __init__(self, relation: Relation, whole: Shape, facts: Facts) -> None:
        self.relation, self.whole, self.roles, self.sizes = relation, whole, len(whole), facts

    # --- references and cases ---------------------------------------------------------------------------------------------

    def list_references(self, axes: Sequence[Axis]) -> list[Reference]:
        return self.list_places(axes, self.roles)

    @staticmethod
    def list_places(axes: Sequence[Axis], roles: int) -> list[Reference]:
        """List the references of a tensor. There are none if a role is missing."""
        places: list[list[Place]] = [[] for _ in range(roles)]
        for index, axis in enumerate(axes):
            for inner, factor in enumerate(axis):
                if factor.role is not None:
                    places[factor.role].append((index, inner))
        return list(product(*places))

    def make_constant(self, shape: Shape, fact: Fact) -> AbstractTensor:
        """Make a tensor with one fact for all elements."""
        return AbstractTensor(tuple(make_axis(size) for size in shape), {(): fact})

    def make_tensor(self, axes: Sequence[Axis], make_fact: Callable[[Case], Fact]) -> AbstractTensor:
        """Make a tensor from the facts of its cases."""
        return AbstractTensor(tuple(axes), {case: make_fact(case) for case in self.relation.list_cases(len(self.list_references(axes)))})

    def measure_leak(self, tensor: AbstractTensor) -> int:
        """Whether elements depend on positions that an output must not depend on: 0, `MEETING` or `LEAK`."""
        return max(self.relation.measure_leak(case, fact.depends) for case, fact in tensor.facts.items())

    def get_fact(self, tensor: AbstractTensor, case: Case, kept: Sequence[int]) -> Fact:
        """Return the fact of a tensor whose references are these ones of a larger tensor, in a case of the larger one."""
        small, names = self.relation.project(case, kept)
        back = {label: name for name, label in names.items()}
        fact = tensor.facts[small]
        group = None if fact.group is None else back.get(fact.group)
        return replace(fact, depends=self.relation.rename(fact.depends, back), group=group)

    def group_cases(self, tensor: AbstractTensor, kept: Sequence[int]) -> dict[Case, list[Fact]]:
        """Return the facts of a tensor by the cases of some of its references."""
        grouped: dict[Case, list[Fact]] = {}
        for case, fact in tensor.facts.items():
            small, names = self.relation.project(case, kept)
            group = None if fact.group is None else names.get(fact.group)
            grouped.setdefault(small, []).append(replace(fact, depends=self.relation.rename(fact.depends, names), group=group))
        return grouped

    # --- axes -------------------------------------------------------------------------------------------------------------

    def reduce(
        self, tensor: AbstractTensor, axes: Sequence[int], join: Callable[[Sequence[Fact]], Fact] = join_facts, new: Axis = ()
    ) -> AbstractTensor:
        """Compute elements along axes from all elements along them. The axes stay, each with the factors `new`."""
        changed = tuple(new if index in axes else axis for index, axis in enumerate(tensor.axes))
        references = self.list_references(tensor.axes)
        # If a role is gone, no reference is left, since those that remain would lack it.
        complete = self.list_references(changed)
        kept = [index for index, reference in enumerate(references) if reference in complete]
        facts = {case: join(facts) for case, facts in self.group_cases(tensor, kept).items()}
        return replace(tensor, axes=changed, facts=facts)

    def replace_axis(self, tensor: AbstractTensor, axis: int, size: Dim) -> AbstractTensor:
        """Forget the positions of an axis, and give it another size. Any element of the result may be any element along the axis."""
        return self.reduce(tensor, (axis,), new=make_axis(size))

    def forget_positions(self, tensor: AbstractTensor, shape: Shape) -> AbstractTensor:
        """Forget all positions. Any element of the result may come from any elements of the tensor."""
        fact = join_facts(list(tensor.facts.values()))
        return replace(self.make_constant(shape, fact), cause=tensor.cause)

    def move_axes(self, tensor: AbstractTensor, sources: Sequence[int | Axis]) -> AbstractTensor:
        """Return a tensor with other axes: an axis of this tensor by its number, or a new one. All axes with factors must be among them."""
        axes = tuple(tensor.axes[source] if isinstance(source, int) else source for source in sources)
        moved = {source: index for index, source in enumerate(sources) if isinstance(source, int)}
        return self._move_places(tensor, axes, lambda place: (moved[place[0]], place[1]))

    def _move_places(self, tensor: AbstractTensor, axes: tuple[Axis, ...], move: Callable[[Place], Place]) -> AbstractTensor:
        """Return the tensor with the same factors at other places."""
        new = self.list_references(axes)
        old = [tuple(move(place) for place in reference) for reference in self.list_references(tensor.axes)]
        # The order of references is the order of their places, which may have changed.
        order = [new.index(reference) for reference in old]
        return replace(tensor, axes=axes, facts={case: self.get_fact(tensor, case, order) for case in self.relation.list_cases(len(new))})

    def remove_axes(self, tensor: AbstractTensor, axes: Sequence[int]) -> AbstractTensor:
        """Remove axes without factors."""
        return self.move_axes(tensor, [index for index in range(tensor.rank) if index not in axes])

    def regroup(self, tensor: AbstractTensor, shape: Shape) -> AbstractTensor:
        """Reshape, keeping positions whose axes are neither divided nor interleaved."""
        while True:
            axes = self._distribute_factors(_merge_factors(tensor.axes), shape)
            if axes is not None:
                break
            last = next((index for index in reversed(range(tensor.rank)) if has_role(tensor.axes[index])), None)
            if last is None:
                return self.forget_positions(tensor, shape)
            # Without the positions of the last axis, the others may fit.
            tensor = self.replace_axis(tensor, last, get_size(tensor.axes[last]))
        places = [(a, b) for a, axis in enumerate(axes) for b, factor in enumerate(axis) if factor.role is not None]
        before = [(a, b) for a, axis in enumerate(tensor.axes) for b, factor in enumerate(axis) if factor.role is not None]
        return self._move_places(tensor, axes, dict(zip(before, places, strict=True)).__getitem__)

    def _distribute_factors(self, factors: list[Factor], shape: Shape) -> tuple[Axis, ...] | None:
        """Distribute factors over axes of these sizes. Factors without a role may be divided. None if they do not fit."""
        rest, axes = list(factors), list[Axis]()
        for size in shape:
            axis = list[Factor]()
            left: Dim | None = size
            while left is not None and left != 1:
                if not rest:
                    return None
                factor = rest.pop(0)
                quotient = left if factor.size == 1 else self.sizes.exact_div(left, factor.size)
                if quotient is None and factor.role is None:
                    part = self.sizes.exact_div(factor.size, left)
                    if part is None:
                        return None
                    rest.insert(0, Factor(part))
                    factor, quotient = Factor(left), 1
                if quotient is None:
                    return None
                axis.append(factor)
                left = quotient
            axes.append(tuple(axis))
        return tuple(axes) if all(factor.role is None and factor.size == 1 for factor in rest) else None

    # --- several tensors --------------------------------------------------------------------------------------------------

    def combine(self, tensors: Sequence[AbstractTensor], compute: Callable[[Sequence[Fact]], Fact]) -> AbstractTensor:
        """Broadcast tensors, and compute each element from the elements at its place."""
        rank = max(tensor.rank for tensor in tensors)
        aligned = [self.move_axes(t, [*[()] * (rank - t.rank), *range(t.rank)]) for t in tensors]
        axes = tuple(self._choose_axis([t.axes[index] for t in aligned]) for index in range(rank))
        if len(self.list_references(axes)) > MOST_REFERENCES:
            aligned = [self.forget_positions(t, tuple(get_size(axis) for axis in t.axes)) for t in aligned]
            axes = tuple(self._choose_axis([t.axes[index] for t in aligned]) for index in range(rank))
        aligned = [self._keep_matching(t, axes) for t in aligned]
        references = self.list_references(axes)
        kept = [[references.index(reference) for reference in self.list_references(t.axes)] for t in aligned]
        cause = next((t.cause for t in aligned if t.cause is not None), None)
        result = self.make_tensor(
            axes, lambda case: compute([self.get_fact(t, case, indices) for t, indices in zip(aligned, kept, strict=True)])
        )
        return replace(result, cause=cause)

    def _choose_axis(self, axes: Sequence[Axis]) -> Axis:
        """Choose the factors of the result of broadcasting: those with positions win."""
        return next((axis for axis in axes if has_role(axis)), next((axis for axis in axes if axis), ()))

    def _keep_matching(self, tensor: AbstractTensor, axes: tuple[Axis, ...]) -> AbstractTensor:
        """Forget the positions of a tensor that are other positions than those of the result."""
        for index, axis in enumerate(axes):
            own = tensor.axes[index]
            if has_role(own) and own != axis:
                tensor = self.replace_axis(tensor, index, get_size(own))
        return tensor
