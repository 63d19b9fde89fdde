"""Read the `measure` settings of a section: metrics by name, that need all validation samples at once.

In: a section and its `measure` settings, such as `measure f1 average=micro`. Out: a `MeasureRule` for each, or problems. Always: neither
PyTorch nor scikit-learn is imported, because `netc check` reads the settings too.

    >>> MEASURES["f1"].options, FOREIGN_MEASURES["f1_score"]
    (('average',), 'f1')
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, SettingArgument, Training
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..prediction.model_signature import BINARY, CLASSES, LABEL, LOG_CLASSES, PROBABILITIES, PROBABILITY, VALUE, OutputSignature
from ..prediction.output_tasks import find_output_tasks
from .setting_values import describe_found, is_count

Problems = list[tuple[Problem, Span]]
MACRO = "macro"
AVERAGES = (MACRO, "micro", "weighted")
"""How the classes are averaged, as in scikit-learn."""
OUTPUT = "output"
_MANY, _TWO = frozenset((CLASSES, LOG_CLASSES, PROBABILITIES)), frozenset((BINARY, PROBABILITY))


class MeasureKind(Record):
    """What a measure needs: outputs of these tasks, and which options it has. `higher`: a higher value is better."""

    tasks: frozenset[str]
    higher: bool = True
    options: tuple[str, ...] = ()


MEASURES = {
    "accuracy": MeasureKind(_MANY | _TWO),
    "balanced_accuracy": MeasureKind(_MANY | _TWO),
    "f1": MeasureKind(_MANY | _TWO, options=("average",)),
    "precision": MeasureKind(_MANY | _TWO, options=("average",)),
    "recall": MeasureKind(_MANY | _TWO, options=("average",)),
    "log_loss": MeasureKind(_MANY | _TWO, higher=False),
    "perplexity": MeasureKind(_MANY, higher=False),
    "auroc": MeasureKind(_MANY | _TWO),
    "average_precision": MeasureKind(_MANY | _TWO),
    "top_k": MeasureKind(_MANY, options=("k",)),
    "mae": MeasureKind(frozenset((VALUE,)), higher=False),
    "rmse": MeasureKind(frozenset((VALUE,)), higher=False),
    "r2": MeasureKind(frozenset((VALUE,))),
}
"""All measures."""
FOREIGN_MEASURES = {
    "auc": "auroc",
    "roc_auc": "auroc",
    "f1_score": "f1",
    "mse": "rmse",
    "r2_score": "r2",
    "top5": "top_k",
    "top_5": "top_k",
}
"""Names that other libraries have for measures."""


class MeasureRule(Record):
    """A measure of one output. `name` is its name among the results, `position` the place of the output among the model's outputs."""

    name: str
    kind: str
    output: OutputSignature
    position: int
    average: str
    k: int
    span: Span

    @property
    def higher(self) -> bool:
        """Whether a higher value is better."""
        return MEASURES[self.kind].higher


def read_measures(training: Training, settings: Iterable[Setting]) -> tuple[tuple[MeasureRule, ...], Problems]:
    """Read the settings. Return the measures and the problems."""
    reader = _MeasureReader(training)
    for setting in settings:
        reader.read_setting(setting)
    return tuple(reader.rules), reader.problems


class _MeasureReader:
    def __init__(self, training: Training) -> None:
        self.training = training
        self.rules: list[MeasureRule] = []
        self.problems: Problems = []
        self.outputs: dict[str, OutputSignature] = {}
        for output in find_output_tasks(training):
            if output.task != LABEL and all(known.target != output.target for known in self.outputs.values()):
                self.outputs[output.name] = output

    def read_setting(self, setting: Setting) -> None:
        stage = setting.stages[0]
        if len(stage.positional) != 1:
            self._report("takes the name of one metric", stage.span, "write `measure f1`")
            return
        argument = stage.positional[0]
        kind = MEASURES.get(str(argument.value))
        if kind is None:
            self._report_unknown(argument)
            return
        options = {option.name: option for option in stage.named}
        for name, option in options.items():
            if name not in (*kind.options, OUTPUT):
                self._report(f"has no argument `{name}` for {argument.value}", option.name_span)
                return
        output = self._find_output(str(argument.value), kind, options.get(OUTPUT), stage.span)
        average = self._read_average(options.get("average"), output)
        k = self._read_k(options.get("k"))
        if output is None or average is None or k is None:
            return
        name = str(argument.value) if average == MACRO else f"{argument.value}_{average}"
        name = f"top_{k}" if name == "top_k" else name
        if OUTPUT in options and len(self.outputs) > 1:
            name = f"{name}_{output.name}"
        if name in (*self.training.program.main.output_names, *(rule.name for rule in self.rules)):
            self._report(f"makes a second metric of the name `{name}`", stage.span, "remove or rename one of them")
            return
        position = self.training.model_call.graph.output_names.index(output.name)
        self.rules.append(MeasureRule(name, str(argument.value), output, position, average, k, stage.span))

    def _report(self, need: str, span: Span, remedy: str = "") -> None:
        self.problems.append((WrongSetting("measure", need, remedy), span))

    def _report_unknown(self, argument: SettingArgument) -> None:
        word = str(argument.value)
        near = [FOREIGN_MEASURES[word]] if word in FOREIGN_MEASURES else find_similar_names(word, MEASURES)
        remedy = f"did you mean `{near[0]}`?" if near else "the metrics are " + ", ".join(f"`{name}`" for name in MEASURES)
        self._report(f"has no metric `{word}`", argument.span, f"{remedy}; write any other one as a formula: `metric NAME = ...`")

    def _find_output(self, word: str, kind: MeasureKind, option: SettingArgument | None, span: Span) -> OutputSignature | None:
        """Find the output that a measure is for: the one that is named, or the only one that fits."""
        if option is not None:
            output = self.outputs.get(str(option.value))
            if output is None:
                known = ", ".join(f"`{name}`" for name in self.outputs) or "none"
                self._report(f"has no output `{option.value}`", option.span, f"the outputs that the loss compares with a target: {known}")
                return None
            if output.task not in kind.tasks:
                self._report(f"cannot compute {word} of `{output.name}`", option.span, _describe_tasks(kind))
                return None
            return output
        fitting = [output for output in self.outputs.values() if output.task in kind.tasks]
        if not fitting:
            self._report(f"has no output for {word}", span, _describe_tasks(kind))
        elif len(fitting) > 1:
            names = " or ".join(f"`{OUTPUT}={output.name}`" for output in fitting)
            self._report(f"takes one output, and {len(fitting)} fit {word}", span, f"write {names}")
        return fitting[0] if len(fitting) == 1 else None

    def _read_average(self, option: SettingArgument | None, output: OutputSignature | None) -> str | None:
        if option is None:
            return MACRO
        if option.value not in AVERAGES:
            names = ", ".join(f"`{name}`" for name in AVERAGES)
            self._report(f"takes one of {names} as `average`, {describe_found(option.value)}", option.span)
            return None
        if output is not None and output.task in _TWO:
            self._report("has no `average` for an output with yes and no", option.span, "remove it")
            return None
        return str(option.value)

    def _read_k(self, option: SettingArgument | None) -> int | None:
        if option is None:
            return 5
        if not is_count(option.value):
            self._report(f"takes an integer of at least 1 as `k`, {describe_found(option.value)}", option.span)
            return None
        return int(option.value)


def _describe_tasks(kind: MeasureKind) -> str:
    losses = "`mse_loss` or `l1_loss`" if VALUE in kind.tasks else "`cross_entropy`, or `binary_cross_entropy_with_logits`"
    losses = "`cross_entropy`" if kind.tasks == _MANY else losses
    return f"it is for an output of the model that the loss compares with an input of the section, by {losses}"
