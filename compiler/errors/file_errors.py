"""Errors of `use`: files and names that cannot be imported."""

from __future__ import annotations

from typing import ClassVar

from .binding_errors import either, only
from .problem import Problem, Replacement


class UseCycle(Problem):
    code: ClassVar[str] = "use-cycle"
    chain: tuple[str, ...]

    def message(self) -> str:
        return "circular `use`: " + " -> ".join(self.chain)

    def help(self) -> tuple[str, ...]:
        return ("move what both need into a third file",)


class CannotUse(Problem):
    """`why` completes "cannot use `path`: ..."; `remedy` is what would allow it."""

    code: ClassVar[str] = "cannot-use"
    path: str
    why: str
    near: tuple[str, ...] = ()
    remedy: str = ""

    def message(self) -> str:
        shown = self.path if self.path.strip() else f'"{self.path}"'
        return f"cannot use `{shown}`: {self.why}"

    def help(self) -> tuple[str, ...]:
        meant = ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()
        return (*meant, *((self.remedy,) if self.remedy else ()))

    def replacement(self) -> Replacement | None:
        return Replacement(f'"{self.near[0]}"', safe=self.near[0] == f"{self.path}.net") if len(self.near) == 1 else None


class NotInFile(Problem):
    code: ClassVar[str] = "not-in-file"
    name: str
    path: str
    near: tuple[str, ...]

    def message(self) -> str:
        return f"`{self.path}` defines no block, `fn` or `let` called `{self.name}`"

    def help(self) -> tuple[str, ...]:
        return either(self.near)

    def replacement(self) -> Replacement | None:
        return only(self.near, self.name)
