"""The operations on abstract tensors: reducing, moving and regrouping axes, and computing element by element.

Positions keep their axis as long as it is moved as a whole. Whatever an operation cannot follow has all facts of its operands joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from netc.dsl.record import replace

from ..dims import Dim
from ..types.tensor_types import Shape
from .abstract_tensors import AbstractTensor, PositionSpace
from .counted_positions import contains_count, measure_ahead
from .element_facts import Fact, add_count_dependence, join_facts
from .position_axes import (
    Axis,
    Factor,
    Place,
    Reference,
    find_reference,
    forget_tables,
    get_size,
    has_role,
    is_index_of,
    is_table_axis,
    make_axis,
    merge_factors,
)
from .position_order import delay_positions, find_delayed_axis
from .position_relations import Case

MOST_REFERENCES = 5
"""The most references of a tensor whose positions are tracked. The number of cases grows exponentially with them."""


class Positions(PositionSpace):
    """The operations on abstract tensors under one relation."""

    # --- cases ------------------------------------------------------------------------------------------------------------

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
        if not set(references).issuperset(self.list_references(changed)):
            # Without an axis of samples, an index of a table would belong to the positions of any sample.
            changed = tuple(forget_tables(axis) for axis in changed)
        # If a role is gone, no reference is left, since those that remain would lack it.
        complete = self.list_references(changed)
        kept = [index for index, reference in enumerate(references) if reference in complete]
        reduced = {case: join(facts) for case, facts in self.group_cases(tensor, kept).items()}
        # A number without axes has the axis 0 in PyTorch.
        if any(has_role(factors) for index, factors in enumerate(tensor.axes) if index in axes):
            # The elements belong to no sample any more.
            reduced = {case: replace(fact, index=None) if fact.index is not None else fact for case, fact in reduced.items()}
        result = replace(tensor, axes=changed, facts=reduced)
        return self.depend_on_count(result) if self.has_counted(get_size(tensor.axes[axis]) for axis in axes) else result

    def has_counted(self, sizes: Iterable[Dim]) -> bool:
        """Whether one of the sizes contains the number of positions, and elements must not depend on it."""
        return self.relation.counted and contains_count(sizes, self.whole)

    def depend_on_count(self, tensor: AbstractTensor) -> AbstractTensor:
        """Return a tensor whose elements depend on the number of positions."""
        return replace(tensor, facts={case: add_count_dependence(fact) for case, fact in tensor.facts.items()})

    def replace_axis(self, tensor: AbstractTensor, axis: int, size: Dim) -> AbstractTensor:
        """Forget the positions of an axis, and give it another size. Any element of the result may be any element along the axis."""
        return self.reduce(tensor, (axis,), new=make_axis(size))

    def forget_positions(self, tensor: AbstractTensor, shape: Shape) -> AbstractTensor:
        """Forget all positions. Any element of the result may come from any elements of the tensor."""
        fact = replace(join_facts(list(tensor.facts.values())), index=None)
        result = replace(self.make_constant(shape, fact), cause=tensor.cause)
        return self.depend_on_count(result) if self.has_counted(map(get_size, tensor.axes)) else result

    def move_axes(self, tensor: AbstractTensor, sources: Sequence[int | Axis]) -> AbstractTensor:
        """Return a tensor with other axes: an axis of this tensor by its number, or a new one. All axes with factors must be among them."""
        axes = tuple(tensor.axes[source] if isinstance(source, int) else source for source in sources)
        moved = {source: index for index, source in enumerate(sources) if isinstance(source, int)}
        return self._move_places(tensor, axes, lambda place: (moved[place[0]], place[1]))

    def _move_places(self, tensor: AbstractTensor, axes: tuple[Axis, ...], move: Callable[[Place], Place]) -> AbstractTensor:
        """Return the tensor with the same factors at other places."""
        new = self.list_references(axes)
        old = [tuple(place if place[0] < 0 else move(place) for place in reference) for reference in self.list_references(tensor.axes)]
        # The order of references is the order of their places, which may have changed.
        order = [new.index(reference) for reference in old]
        return replace(tensor, axes=axes, facts={case: self.get_fact(tensor, case, order) for case in self.relation.list_cases(len(new))})

    def remove_axes(self, tensor: AbstractTensor, axes: Sequence[int]) -> AbstractTensor:
        """Remove axes without factors."""
        return self.move_axes(tensor, [index for index in range(tensor.rank) if index not in axes])

    def regroup(self, tensor: AbstractTensor, shape: Shape) -> AbstractTensor:
        """Reshape, keeping positions whose axes are neither divided nor interleaved."""
        if not self._keeps_samples(tensor, shape):
            tensor = self.depend_on_count(tensor)
        while True:
            axes = self._distribute_factors(merge_factors(tensor.axes), shape)
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

    def _keeps_samples(self, tensor: AbstractTensor, shape: Shape) -> bool:
        """Whether reshaping moves the elements of all samples alike. Along an axis that has no role, such as the first one of a table, the
        number of samples is its size, and it has to stay the only one of its kind, after as many elements."""
        if not self.has_counted(factor.size for axis in tensor.axes for factor in axis if factor.role is None):
            return True
        own = tuple(factor.size for axis in tensor.axes for factor in axis)
        before, after = (measure_ahead(sizes, self.whole, self.sizes) for sizes in (own, shape))
        return before is not None and before == after

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
        kept = [self._find_references(t, references) for t in aligned]
        cause = next((t.cause for t in aligned if t.cause is not None), None)
        result = self.make_tensor(
            axes, lambda case: compute([self._get_known(t, case, indices) for t, indices in zip(aligned, kept, strict=True)])
        )
        return replace(result, cause=cause)

    def _find_references(self, tensor: AbstractTensor, references: Sequence[Reference]) -> list[int] | None:
        """Find the references of a tensor among these ones. None if one of them is missing."""
        found = [find_reference(reference, references) for reference in self.list_references(tensor.axes)]
        indices = [index for index in found if index is not None]
        return indices if len(indices) == len(found) else None

    def _get_known(self, tensor: AbstractTensor, case: Case, kept: Sequence[int] | None) -> Fact:
        """Return the fact of a tensor in a case, or what holds in all cases if it has references that the case lacks."""
        return join_facts(list(tensor.facts.values())) if kept is None else self.get_fact(tensor, case, kept)

    def _choose_axis(self, axes: Sequence[Axis]) -> Axis:
        """Choose the factors of the result of broadcasting: axes with positions win, and then axes that are no indices of tables."""
        tracked = [axis for axis in axes if has_role(axis) and not is_table_axis(axis)]
        if tracked:
            return (find_delayed_axis(self, tracked) if self.relation.ordered else None) or tracked[0]
        # An axis of features is no axis of positions, even if it has the size of a table.
        plain = max((axis for axis in axes if axis and not has_role(axis)), key=len, default=None)
        return plain or next((axis for axis in axes if axis), ())

    def _keep_matching(self, tensor: AbstractTensor, axes: tuple[Axis, ...]) -> AbstractTensor:
        """Forget the positions of a tensor that differ from the positions of the result."""
        for index, axis in enumerate(axes):
            own = tensor.axes[index]
            if has_role(own) and own != axis and not is_index_of(own, axis):
                delayed = delay_positions(self, tensor, index, axis) if self.relation.ordered else None
                tensor = delayed or self.replace_axis(tensor, index, get_size(own))
        return tensor
