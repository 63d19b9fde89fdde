r"""Errors of `use`: files and names that cannot be imported.

>>> import netc
>>> netc.compile('use ""\ninput 3 -> dense 2')  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[cannot-use]: cannot use `""`: the path is empty
 --> <text>:1:5
  |
1 | use ""
  |     ^^
...
"""

from __future__ import annotations

from typing import ClassVar

from .binding_errors import replace_with_near_name, suggest_names
from .problem import Problem, Replacement


class UseCycle(Problem):
    code: ClassVar[str] = "use-cycle"
    chain: tuple[str, ...]

    def format_message(self) -> str:
        return "circular `use`: " + " -> ".join(self.chain)

    def format_help(self) -> tuple[str, ...]:
        if len(set(self.chain)) == 1:
            return ("remove this `use`: a file can use all of its own definitions",)
        return ("move the definitions that these files share into another file, and use that file in each of them",)


class CannotUse(Problem):
    """A file that cannot be used. `why` completes "cannot use `path`: ..."; `remedy` says how to allow it."""

    code: ClassVar[str] = "cannot-use"
    path: str
    why: str
    near: tuple[str, ...] = ()
    remedy: str = ""

    def format_message(self) -> str:
        shown = self.path if self.path.strip() else f'"{self.path}"'
        return f"cannot use `{shown}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        meant = ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()
        return (*meant, *((self.remedy,) if self.remedy else ()))

    def make_replacement(self) -> Replacement | None:
        return Replacement(f'"{self.near[0]}"', safe=self.near[0] == f"{self.path}.net") if len(self.near) == 1 else None


class NotInFile(Problem):
    code: ClassVar[str] = "not-in-file"
    name: str
    path: str
    near: tuple[str, ...]

    def format_message(self) -> str:
        return f"`{self.path}` defines no block, model, `fn` or `let` called `{self.name}`"

    def format_help(self) -> tuple[str, ...]:
        return suggest_names(self.near)

    def make_replacement(self) -> Replacement | None:
        return replace_with_near_name(self.near, self.name)
