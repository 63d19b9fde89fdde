"""Errors of learned parameters: their shapes, stages that share them, ties, and reads such as `embed.weight`.

>>> import netc
>>> netc.compile("input 3 -> dense 3 as a -> relu tie=a")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[no-tie]: `relu` has no weight to tie
 --> <text>:1:33
  |
1 | input 3 -> dense 3 as a -> relu tie=a
  |                                 ^^^^^
...
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .problem import Problem

_LISTED = 8
"""The largest number of names in a list."""


class SharedConflict(Problem):
    code: ClassVar[str] = "shared-conflict"
    name: str
    parameter: str
    first: str
    second: str

    def format_message(self) -> str:
        return f"`{self.name}` is shared, but its `{self.parameter}` would be {self.first} at one use and {self.second} at another"

    def format_help(self) -> tuple[str, ...]:
        return ("give it inputs of the same sizes at every use, or use two stages",)


class SymbolicParameter(Problem):
    code: ClassVar[str] = "symbolic-parameter"
    owner: str
    parameter: str
    shape: str
    symbols: tuple[str, ...]

    def format_message(self) -> str:
        return f"`{self.parameter}` of `{self.owner}` would have the shape {self.shape}, which is not known at compile time"

    def format_help(self) -> tuple[str, ...]:
        return (f"declare the size as a number, or fix it with `--dim {self.symbols[0]}=...`",)


class TieTarget(Problem):
    code: ClassVar[str] = "unknown-tie"
    target: str
    near: tuple[str, ...]
    why: str = "no stage of this body has that label"
    weightless: bool = False

    def format_message(self) -> str:
        return f"cannot tie to `{self.target}`: {self.why}"

    def format_notes(self) -> tuple[str, ...]:
        return () if self.weightless else ("`tie` can refer to stages of the same body and, with dots, to stages inside of those",)

    def format_help(self) -> tuple[str, ...]:
        if self.weightless:
            return ()
        if self.near:
            return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",)
        return ("label the stage whose weight should be used: `embedding ... as " + self.target.split(".")[-1] + "`",)


class NoParameterToRead(Problem):
    """A read of a parameter that the stage does not have. `known` has its parameters."""

    code: ClassVar[str] = "unknown-parameter-of-stage"
    stage: str
    parameter: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"`{self.stage}` has no parameter `{self.parameter}`"

    def format_notes(self) -> tuple[str, ...]:
        others = len(self.known) - _LISTED
        listed = ", ".join(f"`{name}`" for name in self.known[:_LISTED]) + (f" and {others} more" if others > 0 else "")
        return ("its parameters are " + listed,) if self.known else ()

    def format_help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class NotUsedBefore(Problem):
    """A read of a shared stage's parameter before any use of the stage: its shape is not known yet."""

    code: ClassVar[str] = "read-before-use"
    stage: str

    def format_message(self) -> str:
        return f"the shapes of the parameters of `{self.stage}` are not known before its first use"

    def format_help(self) -> tuple[str, ...]:
        return (f"read them below the first use of `{self.stage}`",)


class TieMismatch(Problem):
    code: ClassVar[str] = "tie-mismatch"
    own: str
    target: str
    target_shape: str

    def format_message(self) -> str:
        return f"cannot tie a weight of shape {self.own} to `{self.target}`, whose weight is {self.target_shape}"


class NoNorms(Problem):
    code: ClassVar[str] = "unknown-tie"
    target: str
    near: tuple[str, ...]

    def format_message(self) -> str:
        return f"`norms_of` has no parameter to start from: no `param` of this body has the label `{self.target}`"

    def format_help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class NormsMismatch(Problem):
    code: ClassVar[str] = "tie-mismatch"
    target: str
    target_shape: str
    wanted: str
    own: str

    def format_message(self) -> str:
        return f"the norms of the rows of `{self.target}`, {self.target_shape}, are a float tensor {self.wanted}, not {self.own}"

    def format_help(self) -> tuple[str, ...]:
        return (f"declare it with their shape: `param {self.wanted}`",)


class NoTie(Problem):
    code: ClassVar[str] = "no-tie"
    operator: str

    def format_message(self) -> str:
        return f"`{self.operator}` has no weight to tie"


class StartsAtRandom(Problem):
    """Buffers whose initial values follow a parameter, of an operator whose input is not a parameter."""

    code: ClassVar[str] = "starts-at-random"
    severity: ClassVar[Severity] = "warning"
    operator: str

    def format_message(self) -> str:
        return f"the vectors of `{self.operator}` start at random, since the weight is computed: train the model before its evaluation"

    def format_help(self) -> tuple[str, ...]:
        return ("normalize a `param` of the same body instead, or load the vectors of a model that was trained",)


class NothingToFreeze(Problem):
    """`trainable=false` where there are no parameters."""

    code: ClassVar[str] = "nothing-to-freeze"

    def format_message(self) -> str:
        return "`trainable=false` has no effect: this stage has no parameters"
