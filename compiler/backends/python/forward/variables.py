"""Chooses the name of each tensor in one `forward`.

In: tensors in the order in which they are made, and how often each is still used. Out: names. Always: a name is reused only when its
tensor is not used any more. A tensor that the spec names keeps that name. The others are `x` where possible.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.record import Record

from ..code.framework import Framework
from ..identifiers import RESERVED, make_unique

RUNNING = ("x", "y", "z", "h")
"""Names that the next tensor can take over when this one is not used any more. The first two are preferred to words."""


class NameHint(Record):
    """Hints for the name of a tensor that the spec does not name.

    `source`: a tensor that it is computed from. `destination`: the name of the tensor that it leads to. `label`: what distinguishes it
    from others that are used with it. `role`: its name in the stage that takes it. `same`: the tensor of which it is a reshaped or
    converted copy. `last`: the name to use if there is no better one.
    """

    source: int | None = None
    destination: str = ""
    label: str = ""
    role: str = ""
    same: int | None = None
    last: str = "x"


class VariableNames:
    """The variables of a method. `fixed` names are never used: arguments that are no tensors, sizes, names that the class refers to.
    `reserved` names belong to tensors of the spec made in this body: nothing else gets them while that can be avoided."""

    def __init__(self, fixed: Iterable[str], reserved: Iterable[str], framework: Framework) -> None:
        self.make_variable_name = framework.make_variable_name
        self.fixed = {*fixed, *RESERVED, *framework.imported}
        self.reserved = {self.make_variable_name(n) for n in reserved if n}
        self.holds: dict[str, int] = {}
        self.name_of: dict[int, str] = {}
        self.remaining_uses: dict[int, int] = {}
        self.running: set[str] = {"x"}

    def bind_name(self, name: str, tensor: int, uses: int) -> str:
        """Give `tensor` a name that must be free."""
        self.holds[name] = tensor
        self.name_of[tensor] = name
        self.remaining_uses[tensor] = uses
        return name

    def take_uses(self, tensor: int, count: int = 1) -> None:
        """Count down the uses of the tensor that are still to be written."""
        self.remaining_uses[tensor] -= count

    def is_free(self, name: str) -> bool:
        holder = self.holds.get(name)
        return name not in self.fixed and (holder is None or self.remaining_uses[holder] == 0)

    def bind_named(self, wanted: str, tensor: int, uses: int) -> str:
        """Choose a name for a tensor that the spec calls `wanted`."""
        name = self.make_variable_name(wanted)
        if not self.is_free(name):
            name = make_unique(name, self._list_unavailable())
        # A name of the spec must not be passed on to the next tensor without one.
        if name not in RUNNING:
            self.running.discard(name)
        return self.bind_name(name, tensor, uses)

    def bind_bound(self, wanted: str, tensor: int, uses: int) -> str:
        """Choose a name for a tensor that only an operator's formula calls `wanted`: a name that the spec does not use."""
        return self.bind_name(make_unique(self.make_variable_name(wanted), self._list_unavailable() | self.reserved), tensor, uses)

    def bind_unnamed(self, tensor: int, uses: int, hint: NameHint) -> str:
        """Choose a name for a tensor without one."""
        # A reshaped or converted copy keeps the name of its source, as in `x = x.flatten(1)`.
        kept = self.name_of[hint.same] if hint.same is not None else ""
        if kept and self.is_free(kept):
            return self.bind_name(kept, tensor, uses)
        for name in (hint.label, "" if hint.destination else hint.role):
            if name and self._is_open(self.make_variable_name(name)):
                return self.bind_name(self.make_variable_name(name), tensor, uses)
        return self.bind_name(self._pick_name(hint, uses > 1), tensor, uses)

    def _pick_name(self, hint: NameHint, lasting: bool) -> str:
        destination = hint.destination
        previous = self.name_of.get(hint.source, "") if hint.source is not None else ""
        # A tensor that is used again later is better off with the name of its destination than with a running name.
        if previous in self.running and self.is_free(previous) and not (destination and lasting):
            return previous
        if destination and self.is_free(self.make_variable_name(destination)):
            self.running.add(self.make_variable_name(destination))
            return self.make_variable_name(destination)
        for name in (*RUNNING[:2], self.make_variable_name(hint.last), *RUNNING[2:]):
            if self._is_open(name):
                self.running |= {name} & set(RUNNING)
                return name
        return make_unique(self.make_variable_name(hint.last), self._list_unavailable() | self.reserved)

    def _is_open(self, name: str) -> bool:
        """Whether a tensor that the spec does not name can have the name."""
        return name not in self.reserved and self.is_free(name)

    def make_temporary(self, wanted: str) -> str:
        """Make a name that no tensor has, until `release_name` frees it."""
        name = make_unique(self.make_variable_name(wanted), self._list_unavailable() | self.reserved)
        self.fixed.add(name)
        return name

    def release_name(self, name: str) -> None:
        self.fixed.discard(name)

    def _list_unavailable(self) -> set[str]:
        return self.fixed | {n for n, t in self.holds.items() if self.remaining_uses[t] > 0}
