"""Errors in the structure of a program: no result, misplaced statements, and uses of models, `shared` and `tie`.

>>> import netc
>>> netc.compile("x = input 3; (_, rest...) = x; rest")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[no-result]: the model has no result
 --> <text>:1:32
  |
1 | x = input 3; (_, rest...) = x; rest
  |                                ^^^^
  |
  = help: end it with a pipeline or with `out ...`
...
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..types.tensor_types import TensorType
from .problem import Problem


class NoResult(Problem):
    code: ClassVar[str] = "no-result"
    what: str

    def format_message(self) -> str:
        return f"{self.what} has no result"

    def format_help(self) -> tuple[str, ...]:
        return ("end it with a pipeline or with `out ...`",)


class NoDependence(Problem):
    """A `gradient` of a tensor that is not computed from the other one."""

    code: ClassVar[str] = "gradient-of-nothing"
    of_parameter: bool = False
    through_input: bool = False
    """Whether it may depend on it through an input of the model that the section computes."""

    def format_message(self) -> str:
        if self.of_parameter:
            return "the second tensor of `gradient` is a parameter of a stage, which it cannot differentiate by"
        if self.through_input:
            return "the first tensor of `gradient` does not depend on the second, unless through an input that the section computes"
        return "the first tensor of `gradient` does not depend on the second"

    def format_help(self) -> tuple[str, ...]:
        if self.through_input:
            return ("differentiate by the input of the model, or do not pass the gradient to a stage of the model",)
        if self.of_parameter:
            return ("declare the parameter, `w = param [4, 3] as w`, and pass it to the stage: `dense 4 weight=w`",)
        return ("write the tensor that is computed first: `gradient(energy, positions)`; after `detach`, nothing depends on a tensor",)


class EmptyEach(Problem):
    """`each` over an empty list."""

    code: ClassVar[str] = "no-result"

    def format_message(self) -> str:
        return "this `each` has no items, and therefore no result"

    def format_help(self) -> tuple[str, ...]:
        return ("give it at least one item, or skip it with an `if`",)


class OutTwice(Problem):
    code: ClassVar[str] = "out-twice"

    def format_message(self) -> str:
        return "a body can have only one `out`"

    def format_help(self) -> tuple[str, ...]:
        return ("use `out a, b` for several results",)


class InputMisplaced(Problem):
    code: ClassVar[str] = "input-misplaced"
    parameter: str = ""

    def format_message(self) -> str:
        if self.parameter:
            return f"parameter `{self.parameter}` of a model cannot be a tensor"
        return "`input` is only allowed at the top level of a model"

    def format_notes(self) -> tuple[str, ...]:
        return () if self.parameter else ("it cannot be in a block, a labeled group or a repeat, which may be used several times",)

    def format_help(self) -> tuple[str, ...]:
        if self.parameter:
            return (f"declare it in the model's body: `{self.parameter} = input ...`",)
        return ("use `in` for the input of a block",)


class InputScaled(Problem):
    """`input 3*28*28`, which multiplies the input."""

    code: ClassVar[str] = "input-scaled"
    severity: ClassVar[Severity] = "warning"
    factor: str

    def format_message(self) -> str:
        return f"this multiplies the input by {self.factor}, not its size"

    def format_help(self) -> tuple[str, ...]:
        return ("put a computed size in brackets: `input [28 * 28]`", "to multiply the input, name it first: `x = input ...`")


class NoInput(Problem):
    code: ClassVar[str] = "no-input"

    def format_message(self) -> str:
        return "the model has no `input`"

    def format_help(self) -> tuple[str, ...]:
        return ("begin with one, for example `input 3 -> dense 2`",)


class ExpectMisplaced(Problem):
    """An `expect` that is not among the statements of a model. `lone`: the file has no model."""

    code: ClassVar[str] = "expect-misplaced"
    lone: bool = False

    def format_message(self) -> str:
        if self.lone:
            return "`expect` needs a model, and this file has none"
        return "`expect` is only allowed at the top level of a model"


class DefaultMisplaced(Problem):
    """A `default` in a block, or after a stage to which it would not apply."""

    code: ClassVar[str] = "default-misplaced"

    def format_message(self) -> str:
        return "`default` is only allowed at the top level of a model, before its stages"


class IterationMismatch(Problem):
    """Names in parentheses that do not match the items of a list."""

    code: ClassVar[str] = "wrong-binder"
    names: int
    found: str

    def format_message(self) -> str:
        return f"cannot unpack {self.found} into {self.names} names"

    def format_help(self) -> tuple[str, ...]:
        pairs = ", or in a loop pairs, as `enumerate([64, 128])` gives" if self.names == 2 else ""
        return (f"use a list of {self.names}{pairs}",)


class TrainingMisplaced(Problem):
    """`training` outside of the condition of an `if` between stages."""

    code: ClassVar[str] = "training-misplaced"

    def format_message(self) -> str:
        return "`training` is only known at run time, and can only be the condition of an `if`"

    def format_help(self) -> tuple[str, ...]:
        return ("write `if training { ... } else { ... }`; for several conditions, one `if` in another",)


class ModesDiffer(Problem):
    """An operation on results that differ between training and evaluation."""

    code: ClassVar[str] = "modes-differ"
    training: tuple[TensorType, ...]
    evaluation: tuple[TensorType, ...]

    def format_message(self) -> str:
        first, second = (
            str(types[0]) if len(types) == 1 else f"({', '.join(map(str, types))})" for types in (self.training, self.evaluation)
        )
        return f"this is {first} in training, but {second} in evaluation"

    def format_notes(self) -> tuple[str, ...]:
        return ("only the result of a model may be another in training",)

    def format_help(self) -> tuple[str, ...]:
        return ("give both branches the same number of results, of the same types",)


class StrayStatement(Problem):
    """A statement that does not belong to a model. `base`: the model from which the statement's model is derived. Empty: the statement is
    outside of all models."""

    code: ClassVar[str] = "stray-statement"
    base: str = ""

    def format_message(self) -> str:
        if self.base:
            return f"a model derived from `{self.base}` can only contain `expect`"
        return "a file with a `model` cannot have pipelines outside of it"

    def format_help(self) -> tuple[str, ...]:
        if self.base:
            return (f"add a parameter to `{self.base}` for each difference, and give its value here",)
        return ("move this into a model, or remove the `model`",)


class UnknownModel(Problem):
    code: ClassVar[str] = "unknown-model"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]
    path: str = ""
    """The path of a used file that has the model: a `use` without names imports no models."""

    def format_message(self) -> str:
        return f"this file has no model `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the models are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("there is no `model` in it",)

    def format_help(self) -> tuple[str, ...]:
        if self.path:
            return (f'a `use` without names imports no models, so add `use "{self.path}": {self.name}`',)
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


MARKED = 3
"""The largest number of models that are marked at their definitions. If there are more, their names are listed."""


class AmbiguousModel(Problem):
    code: ClassVar[str] = "ambiguous-model"
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"this file has {len(self.known)} models, and none is selected"

    def format_notes(self) -> tuple[str, ...]:
        return ("the models are " + ", ".join(f"`{n}`" for n in self.known),) if len(self.known) > MARKED else ()

    def format_help(self) -> tuple[str, ...]:
        return (f"select one with `--model {self.known[0]}`",)


class UnknownParameter(Problem):
    code: ClassVar[str] = "unknown-parameter"
    name: str
    near: tuple[str, ...]
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"the model has no parameter `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the parameters are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ("it has none",)

    def format_help(self) -> tuple[str, ...]:
        return ("did you mean " + " or ".join(f"`{n}`" for n in self.near) + "?",) if self.near else ()


class UnknownDimension(Problem):
    code: ClassVar[str] = "unknown-dimension"
    name: str
    known: tuple[str, ...]

    def format_message(self) -> str:
        return f"the model has no dimension `{self.name}`"

    def format_notes(self) -> tuple[str, ...]:
        return ("the dimensions are " + ", ".join(f"`{n}`" for n in self.known),)


class ModelAsStage(Problem):
    """A use of a model as a stage that its inputs do not allow."""

    code: ClassVar[str] = "model-as-stage"
    name: str
    why: str
    remedy: str

    def format_message(self) -> str:
        return f"the model `{self.name}` cannot be this stage: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.remedy,)


class ExpectSkipped(Problem):
    """A note: the assertions are about the default parameters, which were overridden."""

    code: ClassVar[str] = "expect-skipped"
    severity: ClassVar[Severity] = "note"

    def format_message(self) -> str:
        return "`expect` is not checked, because parameters of the model were overridden"
