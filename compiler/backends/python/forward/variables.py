"""Variables of one `forward`: which name each tensor gets.

In: tensors in the order in which they are made, and how often each is still used. Out: names. Always: a name is reused only when
its tensor is not used any more; what the spec names keeps its name; the rest is `x` where possible.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..naming import local, unique

RUNNING = ("x", "y", "z", "h", "u", "v", "w")


class Variables:
    """`fixed` are names that are never used: arguments that are no tensors, sizes, what the class refers to. `reserved` are those that
    the spec gives to tensors made in this body: nothing else gets them while that can be avoided."""

    def __init__(self, fixed: Iterable[str], reserved: Iterable[str]) -> None:
        self.fixed = set(fixed)
        self.reserved = {local(n) for n in reserved if n}
        self.holds: dict[str, int] = {}
        self.name_of: dict[int, str] = {}
        self.left: dict[int, int] = {}
        self.running: set[str] = {"x"}

    def bind(self, name: str, tensor: int, uses: int) -> str:
        """Gives `tensor` a name that must be free."""
        self.holds[name] = tensor
        self.name_of[tensor] = name
        self.left[tensor] = uses
        return name

    def take(self, tensor: int, count: int = 1) -> None:
        """`count` uses of the tensor are written."""
        self.left[tensor] -= count

    def is_free(self, name: str) -> bool:
        holder = self.holds.get(name)
        return name not in self.fixed and (holder is None or self.left[holder] == 0)

    def named(self, wanted: str, tensor: int, uses: int) -> str:
        """A name for what the spec calls `wanted`."""
        name = local(wanted)
        if not self.is_free(name):
            name = unique(name, self._unavailable())
        if name not in RUNNING:
            self.running.discard(name)
        return self.bind(name, tensor, uses)

    def bound(self, wanted: str, tensor: int, uses: int) -> str:
        """A name for what only an operator's formula calls `wanted`: one that the spec does not give."""
        return self.bind(unique(local(wanted), self._unavailable() | self.reserved), tensor, uses)

    def unnamed(self, tensor: int, uses: int, source: int | None, destination: str, label: str = "", same: int | None = None) -> str:
        """A name for a tensor without one, computed from `source`, which leads to `destination`. `label`: what distinguishes it from others
        that are used with it. `same`: the tensor of which it is a reshaped or converted copy."""
        kept = self.name_of[same] if same is not None else ""
        if kept and self.is_free(kept):
            return self.bind(kept, tensor, uses)
        if label and local(label) not in self.reserved and self.is_free(local(label)):
            return self.bind(local(label), tensor, uses)
        return self.bind(self._pick(source, destination, uses > 1), tensor, uses)

    def _pick(self, source: int | None, destination: str, lasting: bool) -> str:
        previous = self.name_of.get(source, "") if source is not None else ""
        if previous in self.running and self.is_free(previous) and not (destination and lasting):
            return previous
        if destination and self.is_free(local(destination)):
            self.running.add(local(destination))
            return local(destination)
        for name in RUNNING:
            if name not in self.reserved and self.is_free(name):
                self.running.add(name)
                return name
        name = unique("x", self._unavailable() | self.reserved)
        self.running.add(name)
        return name

    def temporary(self, wanted: str) -> str:
        """A name that no tensor has, until `release` frees it."""
        name = unique(local(wanted), self._unavailable() | self.reserved)
        self.fixed.add(name)
        return name

    def release(self, name: str) -> None:
        self.fixed.discard(name)

    def _unavailable(self) -> set[str]:
        return self.fixed | {n for n, t in self.holds.items() if self.left[t] > 0}
