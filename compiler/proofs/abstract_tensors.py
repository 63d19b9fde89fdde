"""Abstract tensors, and the positions that their elements belong to.

In each case of its references (see `position_axes` and `position_relations`), a tensor has one fact. A tensor that lacks a role has no
references, and one fact for all of its elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Facts
from ..types.tensor_types import Shape
from .element_facts import Fact
from .position_axes import Axis, Reference, list_places
from .position_relations import Case, Relation


class Cause(Record):
    """The stage at which hidden positions first reach elements that must not depend on them. `has_rule`: whether netc has a rule for it.
    `meets`: its elements have several positions, and depend on the groups of all. `label` is the name of the stage; an input has none.
    `counts`: the stage depends on the number of positions, or on their indices."""

    operator: str
    span: Span
    has_rule: bool = True
    meets: bool = False
    label: str = ""
    counts: bool = False


class AbstractTensor(Record):
    """`facts` has a fact for each case of the references. `cause` is set if elements depend on positions that they must not depend on."""

    axes: tuple[Axis, ...]
    facts: Mapping[Case, Fact]
    cause: Cause | None = None

    @property
    def rank(self) -> int:
        return len(self.axes)


class PositionSpace:
    """The positions of a claim. `whole` has the size of the axis of positions for each role. `in_step`: the tensors are in a step of a loop
    over the last role."""

    def __init__(self, relation: Relation, whole: Shape, facts: Facts, *, in_step: bool = False) -> None:
        self.relation, self.whole, self.roles, self.sizes = relation, whole, len(whole), facts
        self.in_step = in_step

    def list_references(self, axes: Sequence[Axis]) -> list[Reference]:
        return list_places(axes, self.roles, in_step=self.in_step)
