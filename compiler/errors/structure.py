"""Programs whose structure is at fault: too large, too deep, recursive, without a result."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import show
from ..ir.types import Shape
from .base import Problem


def number(value: int) -> str:
    """An integer as it is read; of a very large one, how large it is."""
    digits = len(str(abs(value))) if value.bit_length() < 4096 else 0
    if digits and digits <= 24:
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    return f"a number of {digits} digits" if digits else "a number of more than 1000 digits"


class TooManyNodes(Problem):
    """`what` is made of these `parts`. Counting ends where the limit is passed, so that `found` is a least number."""

    code: ClassVar[str] = "too-many-nodes"
    found: int
    limit: int
    what: str = "network"
    parts: str = "operators"

    def message(self) -> str:
        return f"this makes a {self.what} of {number(self.found)} {self.parts} or more; the limit is {self.limit:_}"


class TooManyCalls(Problem):
    """Functions that call others twice, which call others twice, and so on."""

    code: ClassVar[str] = "too-many-nodes"
    limit: int

    def message(self) -> str:
        return f"this expression comes to more than {self.limit:_} calls of functions"

    def help(self) -> tuple[str, ...]:
        return ("keep what is needed twice in a `let`",)


class LargeNumber(Problem):
    """An integer that no backend holds."""

    code: ClassVar[str] = "too-large"
    found: int
    limit: int

    def message(self) -> str:
        return f"this number is too large: {number(self.found)}"

    def notes(self) -> tuple[str, ...]:
        return (f"whole numbers go up to {self.limit:_}, that is 2 ** 63 - 1",)


class LargeTensor(Problem):
    """A tensor with more elements than can be counted."""

    code: ClassVar[str] = "too-large"
    shape: Shape

    def message(self) -> str:
        axes = ", ".join(number(d) if isinstance(d, int) else show(d) for d in self.shape)
        return f"a tensor of shape [{axes}] is too large"

    def notes(self) -> tuple[str, ...]:
        return ("a tensor has less than 2 ** 60 elements",)


class LargeDimension(Problem):
    """A symbolic dimension whose formula has grown beyond use."""

    code: ClassVar[str] = "too-large"
    limit: int

    def message(self) -> str:
        return f"the formula for this dimension has grown beyond {self.limit:_} parts"

    def help(self) -> tuple[str, ...]:
        return ("declare the dimensions of the input as numbers, or fix them with `--dim`",)


class TooMuchNesting(Problem):
    code: ClassVar[str] = "too-much-nesting"
    limit: int
    what: str = "blocks"

    def message(self) -> str:
        return f"{self.what} are nested more than {self.limit} deep"

    def help(self) -> tuple[str, ...]:
        if self.what != "blocks":
            return ()
        return ("stages that follow each other need no nesting: write them in one pipeline, or use `repeat`",)


class Recursion(Problem):
    code: ClassVar[str] = "recursion"
    name: str
    kind: str

    def message(self) -> str:
        return f"the {self.kind} `{self.name}` uses itself"

    def notes(self) -> tuple[str, ...]:
        return ("a net always ends, so nothing may be defined by itself",)

    def help(self) -> tuple[str, ...]:
        return ("use `repeat` for what happens several times",) if self.kind == "block" else ()


class NoResult(Problem):
    code: ClassVar[str] = "no-result"
    what: str

    def message(self) -> str:
        return f"{self.what} has no result"

    def help(self) -> tuple[str, ...]:
        return ("end it with a pipeline, or say `out ...`",)


class EmptyEach(Problem):
    """`each` over an empty list."""

    code: ClassVar[str] = "no-result"

    def message(self) -> str:
        return "this `each` goes through nothing, and so it has no result"

    def help(self) -> tuple[str, ...]:
        return ("give it at least one item, or leave it out by an `if`",)


class OutTwice(Problem):
    code: ClassVar[str] = "out-twice"

    def message(self) -> str:
        return "a body has one `out`"

    def help(self) -> tuple[str, ...]:
        return ("`out a, b` gives several results",)


class InputMisplaced(Problem):
    code: ClassVar[str] = "input-misplaced"
    parameter: str = ""

    def message(self) -> str:
        if self.parameter:
            return f"a model takes its tensors by `input`, not as parameters, and `{self.parameter}` is a tensor"
        return "`input` stands in the model itself, not in a block, a labelled group or a repeat"

    def help(self) -> tuple[str, ...]:
        if self.parameter:
            return (f"write it in the model's body: `{self.parameter} = input ...`",)
        return ("what flows into a block is called `in`",)


class BatchAxisWritten(Problem):
    """`input [N, 3]`, as PyTorch counts the axes."""

    code: ClassVar[str] = "batch-axis-written"
    severity: ClassVar[Severity] = "warning"
    found: str

    def message(self) -> str:
        return f"the batch axis is there already: this input is {self.found}"

    def help(self) -> tuple[str, ...]:
        return ("leave `N` out of the shape", "for a tensor without a batch axis, say `batch=false`")


class InputScaled(Problem):
    """`input 3*28*28`, which multiplies the input."""

    code: ClassVar[str] = "input-scaled"
    severity: ClassVar[Severity] = "warning"
    factor: str

    def message(self) -> str:
        return f"this multiplies the input itself by {self.factor}, not its size"

    def help(self) -> tuple[str, ...]:
        return ("a size that is computed stands in brackets: `input [28 * 28]`", "if it is meant, name the input first: `x = input ...`")


class NoInput(Problem):
    code: ClassVar[str] = "no-input"

    def message(self) -> str:
        return "the model has no `input`"

    def help(self) -> tuple[str, ...]:
        return ("begin with one, such as `input 3 -> dense 2`",)


class ExpectMisplaced(Problem):
    """An `expect` that is not among the statements of a model. `lone`: the file has no model."""

    code: ClassVar[str] = "expect-misplaced"
    lone: bool = False

    def message(self) -> str:
        if self.lone:
            return "`expect` speaks of a model, and this file has none"
        return "`expect` stands in the model itself, not in a block, a branch or a repeat"


class SharedConflict(Problem):
    code: ClassVar[str] = "shared-conflict"
    name: str
    parameter: str
    first: str
    second: str

    def message(self) -> str:
        return f"`{self.name}` is shared, but its `{self.parameter}` would be {self.first} at one use and {self.second} at another"

    def help(self) -> tuple[str, ...]:
        return ("a shared stage needs inputs of the same sizes at every use",)


class SymbolicParameter(Problem):
    code: ClassVar[str] = "symbolic-parameter"
    owner: str
    parameter: str
    shape: str
    symbols: tuple[str, ...]

    def message(self) -> str:
        return f"`{self.parameter}` of `{self.owner}` would have the shape {self.shape}, which is not known before run time"

    def help(self) -> tuple[str, ...]:
        return (f"declare the size as a number, or fix it with `--dim {self.symbols[0]}=...`",)


class TieTarget(Problem):
    code: ClassVar[str] = "unknown-tie"
    target: str
    near: tuple[str, ...]
    why: str = "no stage here is labelled so"
    weightless: bool = False

    def message(self) -> str:
        return f"cannot tie to `{self.target}`: {self.why}"

    def notes(self) -> tuple[str, ...]:
        return () if self.weightless else ("a tie reaches the stages of its own body, and what is inside of those",)

    def help(self) -> tuple[str, ...]:
        if self.weightless:
            return ()
        if self.near:
            return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",)
        return ("label the stage whose weight is meant: `embedding ... as " + self.target.split(".")[-1] + "`",)


class TieMismatch(Problem):
    code: ClassVar[str] = "tie-mismatch"
    own: str
    target: str
    target_shape: str

    def message(self) -> str:
        return f"cannot tie a weight of shape {self.own} to `{self.target}`, whose weight is {self.target_shape}"


class NoTie(Problem):
    code: ClassVar[str] = "no-tie"
    operator: str

    def message(self) -> str:
        return f"`{self.operator}` has no weight to tie"


class IterationMismatch(Problem):
    """A `repeat` binder that does not go with its items."""

    code: ClassVar[str] = "wrong-binder"
    names: int
    found: str

    def message(self) -> str:
        return f"cannot unpack {self.found} into {self.names} names"

    def help(self) -> tuple[str, ...]:
        return (f"each item must be a list of {self.names}" + (", as those of `enumerate([64, 128])` are" if self.names == 2 else ""),)


class StrayStatement(Problem):
    """`base`: the model that the one of this statement is made of; empty for a statement outside of all models."""

    code: ClassVar[str] = "stray-statement"
    base: str = ""

    def message(self) -> str:
        if self.base:
            return f"this model is made of `{self.base}`, and has nothing of its own but what is expected of it"
        return "a file with a `model` has no pipelines of its own"

    def help(self) -> tuple[str, ...]:
        if self.base:
            return (f"what differs between the models is a parameter of `{self.base}`",)
        return ("move this into a model, or take the `model` away",)


class UnknownModel(Problem):
    code: ClassVar[str] = "unknown-model"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"this file has no model `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("its models are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("it has no `model` at all",)

    def help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class AmbiguousModel(Problem):
    code: ClassVar[str] = "ambiguous-model"
    known: tuple[str, ...]

    def message(self) -> str:
        return f"this file has {len(self.known)} models; one must be chosen"

    def help(self) -> tuple[str, ...]:
        return (f"choose one: `--model {self.known[0]}`",)


class UnknownParameter(Problem):
    code: ClassVar[str] = "unknown-parameter"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"the model has no parameter `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("its parameters are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("it has none",)

    def help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class UnknownDimension(Problem):
    code: ClassVar[str] = "unknown-dimension"
    name: str
    known: tuple[str, ...]

    def message(self) -> str:
        return f"the model has no dimension `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("its dimensions are " + ", ".join(f"`{n}`" for n in self.known),)


class ModelAsStage(Problem):
    code: ClassVar[str] = "model-as-stage"
    name: str

    def message(self) -> str:
        return f"`{self.name}` is a model, which has inputs of its own and cannot be a stage"

    def help(self) -> tuple[str, ...]:
        return ("put what both need into a `block`",)


class ExpectSkipped(Problem):
    """A note: with overridden parameters the assertions about the defaults say nothing."""

    code: ClassVar[str] = "expect-skipped"
    severity: ClassVar[Severity] = "note"

    def message(self) -> str:
        return "`expect` is not checked, since parameters of the model were set"
