"""Errors in the structure of a program: too large, too deep, recursive, without a result; and of models, `shared` and `tie`."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import show
from ..ir.types import Shape, TensorType
from .base import Problem, Replacement


def number(value: int) -> str:
    """An integer with `_` between thousands; for a very large one, its number of digits."""
    digits = len(str(abs(value))) if value.bit_length() < 4096 else 0
    if digits and digits <= 24:
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    return f"a number of {digits} digits" if digits else "a number of more than 1000 digits"


class TooManyNodes(Problem):
    """`what` consists of these `parts`. Counting stops at the limit, so `found` is a lower bound."""

    code: ClassVar[str] = "too-many-nodes"
    found: int
    limit: int
    what: str = "network"
    parts: str = "operators"

    def message(self) -> str:
        return f"this {self.what} has {number(self.found)} {self.parts} or more; the limit is {self.limit:_}"


class TooManyCalls(Problem):
    """Functions that call others twice, which call others twice, and so on: exponentially many calls."""

    code: ClassVar[str] = "too-many-nodes"
    limit: int

    def message(self) -> str:
        return f"this expression needs more than {self.limit:_} function calls"

    def help(self) -> tuple[str, ...]:
        return ("bind what is needed twice with `let`",)


class LargeNumber(Problem):
    """An integer that does not fit into 64 bits."""

    code: ClassVar[str] = "too-large"
    found: int
    limit: int

    def message(self) -> str:
        return f"this number is too large: {number(self.found)}"

    def notes(self) -> tuple[str, ...]:
        return (f"the largest integer is {self.limit:_}, that is 2 ** 63 - 1",)


class LargeTensor(Problem):
    """A tensor with more elements than can be counted."""

    code: ClassVar[str] = "too-large"
    shape: Shape

    def message(self) -> str:
        axes = ", ".join(number(d) if isinstance(d, int) else show(d) for d in self.shape)
        return f"a tensor of shape [{axes}] is too large"

    def notes(self) -> tuple[str, ...]:
        return ("a tensor has fewer than 2 ** 60 elements",)


class ManyAxes(Problem):
    """A tensor with more axes than PyTorch can reduce."""

    code: ClassVar[str] = "too-large"
    axes: int
    limit: int

    def message(self) -> str:
        return f"a tensor with {self.axes} axes is too large"

    def notes(self) -> tuple[str, ...]:
        return (f"a tensor has at most {self.limit} axes",)


class LargeDimension(Problem):
    """A symbolic dimension whose formula is too large."""

    code: ClassVar[str] = "too-large"
    limit: int

    def message(self) -> str:
        return f"the formula of this dimension has more than {self.limit:_} terms"

    def help(self) -> tuple[str, ...]:
        return ("declare the dimensions of the input as numbers, or fix them with `--dim`",)


class TooMuchNesting(Problem):
    code: ClassVar[str] = "too-much-nesting"
    limit: int
    what: str = "blocks"

    def message(self) -> str:
        return f"{self.what} are nested more than {self.limit} levels deep"

    def help(self) -> tuple[str, ...]:
        if self.what != "blocks":
            return ()
        return ("write consecutive stages in one pipeline, or use `repeat`",)


class Recursion(Problem):
    """A value, shared stage or model that is defined in terms of itself."""

    code: ClassVar[str] = "recursion"
    name: str
    kind: str

    def message(self) -> str:
        return f"the {self.kind} `{self.name}` is defined in terms of itself"


class EndlessRecursion(Problem):
    """A block within itself, or a function that calls itself, beyond the limit. `kind` is `block` or `function`."""

    code: ClassVar[str] = "recursion"
    name: str
    kind: str
    limit: int

    def message(self) -> str:
        if self.kind == "block":
            return f"the block `{self.name}` is inside itself, more than {self.limit} levels deep"
        return f"the function `{self.name}` calls itself, more than {self.limit} levels deep"

    def help(self) -> tuple[str, ...]:
        if self.kind == "block":
            return ("end it by a condition on what differs at each level: `if depth > 1 { ... }`", "use `repeat` for plain repetition")
        return ("end it by a condition on what differs at each call: `... if n > 0 else 1`",)


class TooMuchRecursion(Problem):
    """A block that is inside itself several times at each level, and so at too many places in total."""

    code: ClassVar[str] = "too-many-nodes"
    name: str
    limit: int

    def message(self) -> str:
        return f"the block `{self.name}` is inside itself more than {self.limit:_} times"


class NoResult(Problem):
    code: ClassVar[str] = "no-result"
    what: str

    def message(self) -> str:
        return f"{self.what} has no result"

    def help(self) -> tuple[str, ...]:
        return ("end it with a pipeline or with `out ...`",)


class EmptyEach(Problem):
    """`each` over an empty list."""

    code: ClassVar[str] = "no-result"

    def message(self) -> str:
        return "this `each` has no items, and therefore no result"

    def help(self) -> tuple[str, ...]:
        return ("give it at least one item, or skip it with an `if`",)


class OutTwice(Problem):
    code: ClassVar[str] = "out-twice"

    def message(self) -> str:
        return "a body can have only one `out`"

    def help(self) -> tuple[str, ...]:
        return ("use `out a, b` for several results",)


class InputMisplaced(Problem):
    code: ClassVar[str] = "input-misplaced"
    parameter: str = ""

    def message(self) -> str:
        if self.parameter:
            return f"parameter `{self.parameter}` of a model cannot be a tensor"
        return "`input` is only allowed at the top level of a model"

    def notes(self) -> tuple[str, ...]:
        return () if self.parameter else ("it cannot be in a block, a labelled group or a repeat, which may be used several times",)

    def help(self) -> tuple[str, ...]:
        if self.parameter:
            return (f"declare it in the model's body: `{self.parameter} = input ...`",)
        return ("use `in` for the input of a block",)


class BatchSizeUnknown(Problem):
    """`input [None, 3]`, `input [-1, 3]`: a size that Keras and ONNX leave open for the batch."""

    code: ClassVar[str] = "batch-size-unknown"
    found: str
    rest: str

    def message(self) -> str:
        return f"`{self.found}` is not a size; the batch axis is implied, and has any size"

    def help(self) -> tuple[str, ...]:
        return (f"write the shape without it: `input {self.rest}`",)

    def replacement(self) -> Replacement | None:
        return Replacement(self.rest, safe=True)


class BatchAxisWritten(Problem):
    """`input [N, 3]`, with the batch axis as in PyTorch's shapes."""

    code: ClassVar[str] = "batch-axis-written"
    severity: ClassVar[Severity] = "warning"
    found: str

    def message(self) -> str:
        return f"the batch axis is implied: the shape of this input is {self.found}"

    def help(self) -> tuple[str, ...]:
        return ("remove `N` from the shape", "for a tensor without a batch axis, write `batch=false`")


class InputScaled(Problem):
    """`input 3*28*28`, which multiplies the input."""

    code: ClassVar[str] = "input-scaled"
    severity: ClassVar[Severity] = "warning"
    factor: str

    def message(self) -> str:
        return f"this multiplies the input by {self.factor}, not its size"

    def help(self) -> tuple[str, ...]:
        return ("put a computed size in brackets: `input [28 * 28]`", "to multiply the input, name it first: `x = input ...`")


class NoInput(Problem):
    code: ClassVar[str] = "no-input"

    def message(self) -> str:
        return "the model has no `input`"

    def help(self) -> tuple[str, ...]:
        return ("begin with one, for example `input 3 -> dense 2`",)


class ExpectMisplaced(Problem):
    """An `expect` that is not among the statements of a model. `lone`: the file has no model."""

    code: ClassVar[str] = "expect-misplaced"
    lone: bool = False

    def message(self) -> str:
        if self.lone:
            return "`expect` needs a model, and this file has none"
        return "`expect` is only allowed at the top level of a model"


class DefaultMisplaced(Problem):
    """A `default` in a block, or after a stage that it would not concern."""

    code: ClassVar[str] = "default-misplaced"

    def message(self) -> str:
        return "`default` is only allowed at the top level of a model, before its stages"


class SharedConflict(Problem):
    code: ClassVar[str] = "shared-conflict"
    name: str
    parameter: str
    first: str
    second: str

    def message(self) -> str:
        return f"`{self.name}` is shared, but its `{self.parameter}` would be {self.first} at one use and {self.second} at another"

    def help(self) -> tuple[str, ...]:
        return ("give it inputs of the same sizes at every use, or use two stages",)


class SymbolicParameter(Problem):
    code: ClassVar[str] = "symbolic-parameter"
    owner: str
    parameter: str
    shape: str
    symbols: tuple[str, ...]

    def message(self) -> str:
        return f"`{self.parameter}` of `{self.owner}` would have the shape {self.shape}, which is not known at compile time"

    def help(self) -> tuple[str, ...]:
        return (f"declare the size as a number, or fix it with `--dim {self.symbols[0]}=...`",)


class TieTarget(Problem):
    code: ClassVar[str] = "unknown-tie"
    target: str
    near: tuple[str, ...]
    why: str = "no stage of this body has that label"
    weightless: bool = False

    def message(self) -> str:
        return f"cannot tie to `{self.target}`: {self.why}"

    def notes(self) -> tuple[str, ...]:
        return () if self.weightless else ("`tie` can refer to stages of the same body and, with dots, to stages inside of those",)

    def help(self) -> tuple[str, ...]:
        if self.weightless:
            return ()
        if self.near:
            return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",)
        return ("label the stage whose weight should be used: `embedding ... as " + self.target.split(".")[-1] + "`",)


class NoParameterToRead(Problem):
    """A parameter of a stage that is read, which it does not have. `known` are those that it has."""

    code: ClassVar[str] = "unknown-parameter-of-stage"
    stage: str
    parameter: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    inside: bool = False

    def message(self) -> str:
        if self.inside:
            return f"the stages inside the shared stage `{self.stage}` cannot be reached from outside"
        return f"`{self.stage}` has no parameter `{self.parameter}`"

    def notes(self) -> tuple[str, ...]:
        return ("its parameters are " + ", ".join(f"`{name}`" for name in self.known),) if self.known else ()

    def help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class NotUsedBefore(Problem):
    """A parameter of a shared stage that is read before any use of the stage: its shape is not known yet."""

    code: ClassVar[str] = "read-before-use"
    stage: str

    def message(self) -> str:
        return f"the shapes of the parameters of `{self.stage}` are not known before its first use"

    def help(self) -> tuple[str, ...]:
        return (f"read them below the first use of `{self.stage}`",)


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


class NothingToFreeze(Problem):
    """`trainable=false` where there are no parameters."""

    code: ClassVar[str] = "nothing-to-freeze"

    def message(self) -> str:
        return "`trainable=false` has no effect: this stage has no parameters"


class IterationMismatch(Problem):
    """Names in parentheses that do not match the items of a list."""

    code: ClassVar[str] = "wrong-binder"
    names: int
    found: str

    def message(self) -> str:
        return f"cannot unpack {self.found} into {self.names} names"

    def help(self) -> tuple[str, ...]:
        pairs = ", or in a loop pairs such as those of `enumerate([64, 128])`" if self.names == 2 else ""
        return (f"use a list of {self.names}{pairs}",)


class TrainingMisplaced(Problem):
    """`training` other than as the condition of an `if` between stages."""

    code: ClassVar[str] = "training-misplaced"

    def message(self) -> str:
        return "`training` is only known at run time, and can only be the condition of an `if`"

    def help(self) -> tuple[str, ...]:
        return ("write `if training { ... } else { ... }`; for several conditions, one `if` in another",)


class ModesDiffer(Problem):
    """Different results in training and in evaluation, where something is done with them."""

    code: ClassVar[str] = "modes-differ"
    training: tuple[TensorType, ...]
    evaluation: tuple[TensorType, ...]

    def message(self) -> str:
        first, second = (
            str(types[0]) if len(types) == 1 else f"({', '.join(map(str, types))})" for types in (self.training, self.evaluation)
        )
        return f"this is {first} in training, but {second} in evaluation"

    def notes(self) -> tuple[str, ...]:
        return ("only the result of a model may be another in training",)

    def help(self) -> tuple[str, ...]:
        return ("give both branches the same number of results, of the same types",)


class StrayStatement(Problem):
    """`base`: the model that the one of this statement is derived from; empty for a statement outside of all models."""

    code: ClassVar[str] = "stray-statement"
    base: str = ""

    def message(self) -> str:
        if self.base:
            return f"a model derived from `{self.base}` can only contain `expect`"
        return "a file with a `model` cannot have pipelines outside of it"

    def help(self) -> tuple[str, ...]:
        if self.base:
            return (f"make what differs between the models a parameter of `{self.base}`",)
        return ("move this into a model, or remove the `model`",)


class UnknownModel(Problem):
    code: ClassVar[str] = "unknown-model"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"this file has no model `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("the models are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("there is no `model` in it",)

    def help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class AmbiguousModel(Problem):
    code: ClassVar[str] = "ambiguous-model"
    known: tuple[str, ...]

    def message(self) -> str:
        return f"this file has {len(self.known)} models, and none is selected"

    def help(self) -> tuple[str, ...]:
        return (f"select one with `--model {self.known[0]}`",)


class UnknownParameter(Problem):
    code: ClassVar[str] = "unknown-parameter"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def message(self) -> str:
        return f"the model has no parameter `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("the parameters are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("it has none",)

    def help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class UnknownDimension(Problem):
    code: ClassVar[str] = "unknown-dimension"
    name: str
    known: tuple[str, ...]

    def message(self) -> str:
        return f"the model has no dimension `{self.name}`"

    def notes(self) -> tuple[str, ...]:
        return ("the dimensions are " + ", ".join(f"`{n}`" for n in self.known),)


class ModelAsStage(Problem):
    code: ClassVar[str] = "model-as-stage"
    name: str

    def message(self) -> str:
        return f"`{self.name}` is a model with its own inputs and cannot be used as a stage"

    def help(self) -> tuple[str, ...]:
        return ("move what both need into a `block`",)


class ExpectSkipped(Problem):
    """A note: the assertions are about the default parameters, which were overridden."""

    code: ClassVar[str] = "expect-skipped"
    severity: ClassVar[Severity] = "note"

    def message(self) -> str:
        return "`expect` is not checked, because parameters of the model were overridden"
