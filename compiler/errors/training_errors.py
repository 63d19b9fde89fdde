"""Errors of train sections: the loss, the metrics, and the model that is trained.

>>> problem = NoLoss()
>>> problem.format_message(), problem.format_help()
('this train section has no loss', ('name the loss: `loss = ...`',))
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..types.tensor_types import TensorType
from .problem import Problem, Replacement


class NoLoss(Problem):
    """A section without a loss. `name` is the loss that a `minimize` setting names, empty without one, and `near` has names like it."""

    code: ClassVar[str] = "no-loss"
    name: str = ""
    near: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"this train section computes no `{self.name}` to minimize" if self.name else "this train section has no loss"

    def format_help(self) -> tuple[str, ...]:
        return (f"did you mean `{self.near[0]}`?",) if self.near else (f"name the loss: `{self.name or 'loss'} = ...`",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.near[0]) if self.near else None


class LossNotMinimized(Problem):
    """A tensor `loss` in a section whose `minimize` settings name other losses."""

    code: ClassVar[str] = "loss-not-minimized"
    losses: tuple[str, ...]

    def format_message(self) -> str:
        return "`loss` is not minimized: the section has `minimize` settings, and none names it"

    def format_help(self) -> tuple[str, ...]:
        return ("add `minimize loss`, or give the tensor another name",)


class LossNotScalar(Problem):
    """A loss or metric that is not one number. `what` is `loss`, or the metric's name."""

    code: ClassVar[str] = "loss-not-scalar"
    what: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.what}` must be one number, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        if self.found.dtype.kind != "float":
            return ("end it with `-> cast float32 -> mean`",)
        return ("end it with `-> mean`, or give the loss function `reduction=mean`",)


class LossNotFloat(Problem):
    code: ClassVar[str] = "loss-not-float"
    found: TensorType
    name: str = "loss"

    def format_message(self) -> str:
        return f"`{self.name}` must be a float to have a gradient, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert integers or booleans before: `-> cast float32`",)


class NothingTrained(Problem):
    """A section in which no step could change anything. `why` names what is missing."""

    code: ClassVar[str] = "nothing-to-train"
    why: str

    def format_message(self) -> str:
        return f"there is nothing to train: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return ("compute the loss from the result of a stage with parameters, and leave some parameters unfrozen",)


class WrongModelInput(Problem):
    """A section that computes an input of the model with another type than the declared one."""

    code: ClassVar[str] = "wrong-model-input"
    name: str
    declared: TensorType
    found: TensorType

    def format_message(self) -> str:
        return f"the model's input `{self.name}` is {self.declared}, and this is {self.found}"

    def format_notes(self) -> tuple[str, ...]:
        return (f"in training, this value replaces the model's input `{self.name}`, because it has the same name",)

    def format_help(self) -> tuple[str, ...]:
        return ("give it the type of the input, or another name",)


class ModelOfItself(Problem):
    """A section that computes an input of the model from the model's outputs, or by a stage of the model."""

    code: ClassVar[str] = "wrong-model-input"
    names: tuple[str, ...]
    stage: str = ""

    def format_message(self) -> str:
        inputs = ", ".join(f"`{name}`" for name in self.names)
        source = f"by the model's stage `{self.stage}`" if self.stage else "from the model's results"
        return f"{inputs} replaces the model's input{'' if len(self.names) == 1 else 's'}, but is computed {source}"

    def format_help(self) -> tuple[str, ...]:
        return (f"give it another name, and use the model's stages on it in the section: `name -> {self.stage}`",) if self.stage else ()


class TrainedStage(Problem):
    """A stage with parameters of its own in a train section."""

    code: ClassVar[str] = "parameters-in-train"
    name: str

    def format_message(self) -> str:
        return f"`{self.name}` has parameters, which belong into the model"

    def format_notes(self) -> tuple[str, ...]:
        return ("the stages of a train section are not part of the saved model",)

    def format_help(self) -> tuple[str, ...]:
        return ("move the stage into the model and give its result a name there",)


class UnusedSharedStage(Problem):
    """A shared stage that only a train section uses."""

    code: ClassVar[str] = "parameters-in-train"
    name: str

    def format_message(self) -> str:
        return f"the model does not use `{self.name}`, so its parameters would not be saved"

    def format_help(self) -> tuple[str, ...]:
        return (f"use `{self.name}` in the model, too",)


class TrainingOnly(Problem):
    """`metric` outside a train section."""

    code: ClassVar[str] = "metric-misplaced"

    def format_message(self) -> str:
        return "`metric` is only allowed in a train section"

    def format_help(self) -> tuple[str, ...]:
        return ("write it in `train { ... }` after the model",)


class NoTrainedModel(Problem):
    """A section whose model is not in the file, or not clear."""

    code: ClassVar[str] = "unknown-model"
    models: tuple[str, ...]

    def format_message(self) -> str:
        return "this train section does not say which model it is for"

    def format_help(self) -> tuple[str, ...]:
        if not self.models:
            return ('write the model in this file, or import a published one: `use "zoo/vision/resnet.net": resnet18`',)
        names = ", ".join(f"`train for {name}`" for name in self.models)
        return (f"name the model: {names}",)


class SectionOfNoModel(Problem):
    """A section without `for`, whose name is not the name of a model."""

    code: ClassVar[str] = "unknown-model"
    name: str
    near: tuple[str, ...]
    models: tuple[str, ...]

    def format_message(self) -> str:
        return f"this file has no model `{self.name}` for the train section"

    def format_notes(self) -> tuple[str, ...]:
        return ("the models are " + ", ".join(f"`{name}`" for name in self.models),)

    def format_help(self) -> tuple[str, ...]:
        if self.near:
            return (f"did you mean `{self.near[0]}`?",)
        return (f"a section with a name of its own says which model it is for: `train {self.name} for {self.models[0]}`",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(self.near[0]) if self.near else None


class ParameterOfBoth(Problem):
    """A parameter of a section that has the name of a model parameter, which the section does not set."""

    code: ClassVar[str] = "bound-twice"
    name: str
    model: str
    meant: str = ""
    """What sets the model's parameters, if the section is called as its model and has no other parameters."""

    def format_message(self) -> str:
        return f"`{self.name}` is a parameter of the train section and of its model"

    def format_notes(self) -> tuple[str, ...]:
        return (f"`--set {self.name}=...` could mean either, and the section's is not given to the model",)

    def format_help(self) -> tuple[str, ...]:
        if self.meant:
            return (f"set the model's parameters after `for`: `train {self.meant}`",)
        return (f"use a different name, or set the model's by it: `train ... for {self.model} {self.name}={self.name}`",)


class NoOutInTraining(Problem):
    """`out` in a train section."""

    code: ClassVar[str] = "stray-statement"

    def format_message(self) -> str:
        return "a train section has no outputs"

    def format_notes(self) -> tuple[str, ...]:
        return ("the stages of a train section are not part of the model",)

    def format_help(self) -> tuple[str, ...]:
        return ("report it as `metric name = ...`, or write `out` in the model",)


class NoSection(Problem):
    """A train section that is not in the file, or several of which none is chosen."""

    code: ClassVar[str] = "no-train-section"
    wanted: str
    known: tuple[str, ...]
    model: str = ""
    use: tuple[str, str] = ("", "")
    """The path and the model of a published spec."""

    def format_message(self) -> str:
        if self.model:
            return f"no train section is for the model `{self.model}`"
        if self.wanted:
            return f"there is no train section `{self.wanted}`"
        return f"there are several train sections: {', '.join(self.known)}" if self.known else "there is no train section in this file"

    def format_help(self) -> tuple[str, ...]:
        if self.known:
            return ("choose one by `--section`: " + ", ".join(f"`{name}`" for name in self.known),)
        path, model = self.use
        if path:
            loss = "target = input SHAPE; loss = (output, target) -> mse_loss"
            return (f'write a file with `use "{path}": {model}` and `train for {model} {{ {loss} }}`',)
        return ("add one at the end, with the shape of the output: `train { target = input SHAPE; loss = (output, target) -> mse_loss }`",)


class NotMean(Problem):
    """A loss or a metric that cannot be computed from the parts of a batch. `metric` is its name, empty for the loss."""

    code: ClassVar[str] = "loss-not-mean"
    why: str
    metric: str = ""

    def format_message(self) -> str:
        if self.metric:
            return f"the metric `{self.metric}` of a batch cannot be computed from its parts: {self.why}"
        return f"the losses of the parts of a batch do not add up to the loss of the batch: {self.why}"

    def format_notes(self) -> tuple[str, ...]:
        return ("a batch is divided by `accumulate`, and over the devices that train together",)

    def format_help(self) -> tuple[str, ...]:
        combine = "combine them by any arithmetic" if self.metric else "combine the terms by `+`, `-` and factors only"
        return (
            f"end each term with `mean` or a loss function, and {combine}",
            "compute each batch as a whole: leave out `accumulate`, and train on one device",
        )


class MetricAveraged(Problem):
    """A metric that is not a function of means over the samples."""

    code: ClassVar[str] = "metric-averaged"
    severity: ClassVar[Severity] = "warning"
    metric: str
    why: str

    def format_message(self) -> str:
        return f"the metric `{self.metric}` is averaged over batches, so it depends on `batch`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (
            "compute it from means and sums over the samples",
            "for a metric of scikit-learn, write `measure`, such as `measure r2`",
        )
