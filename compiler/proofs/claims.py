"""Claims about a model, and the positions that they are about.

`ignores mask`: where the input `mask` is false, no other input reaches an element of an output all of whose positions are true.
`separates documents`: an element of an output depends only on the positions with its number. `separates N`: on its sample only.
"""

from __future__ import annotations

from typing import Literal

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..dims import SymDim, make_symbol
from ..errors.problem import Problem
from ..errors.proof_errors import NothingToHide, UnknownPositions, WrongMaskType
from ..ir.graph import Program
from ..ir.graph_values import Value
from ..types.tensor_types import BOOL, Shape, TensorType
from .abstract_tensors import AbstractTensor
from .element_facts import Fact, make_point
from .position_axes import ANY_SAMPLE, Axis, get_size, make_axis
from .position_order import delay_positions, ends_in_positions, get_ordered_factor
from .position_relations import LEAK, VISIBLE, Case, Groups, Hidden, Relation
from .tensor_positions import MOST_REFERENCES, Positions

Verb = Literal["ignores", "separates"]


class ClaimRefused(Exception):
    """A claim that says nothing about this model."""

    def __init__(self, problem: Problem, span: Span) -> None:
        super().__init__(problem.format_message())
        self.problem, self.span = problem, span


class Claim(Record):
    """`name` is an input, or, of `separates`, a dimension."""

    verb: Verb
    name: str


class Setting(Record):
    """`shape` is the shape of the positions: the axes of the mask. `mask` is the input that labels them; None: each index is a group."""

    relation: Relation
    shape: Shape
    mask: Value | None

    @property
    def roles(self) -> dict[int, int]:
        """The role of each axis of the mask. An axis of size 1 has none."""
        axes = [axis for axis, size in enumerate(self.shape) if size != 1]
        return {axis: role for role, axis in enumerate(axes)}

    @property
    def has_booleans(self) -> bool:
        return self.mask is not None and self.mask.type.dtype == BOOL

    def assign_roles(self, type_: TensorType) -> tuple[int | None, ...]:
        """Return the role of each axis of an input: the axis of the mask with the same size. Fixed sizes say little, so they must be at the
        same place as in the mask, or be unique."""
        roles = self.roles
        leading = type_.shape[: len(self.shape)] == self.shape
        found: list[int | None] = [None] * type_.rank
        for axis, role in roles.items():
            size = self.shape[axis]
            equal = [index for index, other in enumerate(type_.shape) if other == size]
            if leading and (isinstance(size, int) or self.shape.count(size) > 1):
                equal = [axis]
            for index in equal:
                found[index] = role
        return tuple(found)

    def is_covered(self, type_: TensorType) -> bool:
        """Whether an input has positions, so that some of its elements are hidden."""
        return set(self.roles.values()) <= set(self.assign_roles(type_))


def make_setting(program: Program, claim: Claim) -> Setting:
    """Return the positions that a claim is about. Raises `ClaimRefused` if there are none."""
    inputs = {value.name: value for value in program.main.inputs}
    mask = inputs.get(claim.name)
    if mask is not None:
        setting = Setting(Hidden() if claim.verb == "ignores" else Groups(), mask.type.shape, mask)
        _refuse_type(claim, mask)
    elif claim.verb == "separates" and claim.name in program.symbols:
        setting = Setting(Groups(meeting=LEAK), (make_symbol(claim.name),), None)
    else:
        raise ClaimRefused(UnknownPositions(claim.verb, claim.name, tuple(inputs), program.symbols), program.main.span)
    if not setting.roles or not any(setting.is_covered(value.type) for value in program.main.inputs if value is not mask):
        raise ClaimRefused(NothingToHide(claim.verb, claim.name, setting.shape), program.main.span if mask is None else mask.span)
    return setting


def _refuse_type(claim: Claim, mask: Value) -> None:
    """Refuse an input whose values say nothing about positions. Many models take their masks as the integers 0 and 1."""
    dtype = mask.type.dtype
    if not (dtype.is_integer or (dtype == BOOL and claim.verb == "ignores")):
        raise ClaimRefused(WrongMaskType(claim.verb, claim.name, mask.type), mask.span)


def make_input(positions: Positions, setting: Setting, value: Value) -> AbstractTensor:
    """Return an input as an abstract tensor."""
    shape, roles = value.type.shape, setting.assign_roles(value.type)
    if not setting.is_covered(value.type):
        return positions.make_constant(shape, Fact())
    axes: list[Axis] = [make_axis(size, role) for size, role in zip(shape, roles, strict=True)]
    if len(positions.list_references(axes)) > MOST_REFERENCES:
        return positions.make_constant(shape, Fact(depends=positions.relation.anything))
    if value is not setting.mask:
        return positions.make_tensor(axes, lambda case: Fact(depends=positions.relation.own_labels(case)))
    return positions.make_tensor(axes, lambda case: _make_label_fact(positions.relation, case))


def _make_label_fact(relation: Relation, case: Case) -> Fact:
    (label,) = case
    return Fact(make_point(float(label == VISIBLE))) if isinstance(relation, Hidden) else Fact(group=label)


def settle_output(positions: Positions, tensor: AbstractTensor) -> AbstractTensor:
    """Return an output as a claim sees it: element t along an axis of positions belongs to position t, unless there are elements around
    them. Elements after the last position count as visible, and so does an axis that has the size of the positions by chance."""
    in_samples = not any(ANY_SAMPLE in reference for reference in positions.list_references(tensor.axes))
    for axis, factors in enumerate(tensor.axes):
        factor = get_ordered_factor(positions, factors)
        if any(f.tail or (f.is_table and not (in_samples and isinstance(f.size, SymDim))) for f in factors):
            tensor = positions.replace_axis(tensor, axis, get_size(factors))
        elif factor is not None and factor.front and ends_in_positions(positions, factor.size, 0):
            tensor = delay_positions(positions, tensor, axis, (replace(factor, front=0),)) or tensor
    return tensor
