"""Read the `balance` settings of a section: inputs that are weights of classes, computed from the training samples.

In: a section and its settings, such as `balance kind weight=weights`. Out: a `BalanceRule` for each of these inputs, or problems. Always:
PyTorch is not imported, because `netc check` reads the settings too.

`weight` has a number for each class of an integer target, `pos_weight` has the number of negative targets for each positive one.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "loss = (s, kind) -> cross_entropy weight=w; optimizer sgd; balance kind weight=w"
    >>> text = f"s = input 4 -> dense 3; train {{ kind = input [] int64; w = input [3] batch=false; {section} }}"
    >>> training = analyze_training(SourceFile("<text>", text), Choice()).training
    >>> (rule,), _ = read_balances(training, [setting for setting in training.settings if setting.word == "balance"], set())
    >>> rule.input, rule.kind, rule.target, rule.shape
    ('w', 'weight', 'kind', (3,))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Setting, SettingArgument, Training
from netc.compiler.types.tensor_types import Shape
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..prediction.model_signature import CLASSES, LOG_CLASSES, NOT_A_LABEL
from ..prediction.output_tasks import list_comparisons
from .data.class_labels import find_class_inputs
from .model_inputs import list_model_inputs

Problems = list[tuple[Problem, Span]]
WEIGHT, POSITIVE_WEIGHT = "weight", "pos_weight"
KINDS = (WEIGHT, POSITIVE_WEIGHT)


class BalanceRule(Record):
    """An input that the training samples of a target determine. `shape` and `dtype` are the input's; labels that are `ignored` are not
    counted."""

    input: str
    kind: str
    target: str
    shape: tuple[int, ...]
    dtype: str
    ignored: int
    span: Span


def read_balances(training: Training, settings: Iterable[Setting], drawn: set[str]) -> tuple[tuple[BalanceRule, ...], Problems]:
    """Read the settings. Return the rules and the problems. `drawn` has the inputs that are sampled."""
    reader = _BalanceReader(training, drawn)
    for setting in settings:
        reader.read_setting(setting)
    return tuple(reader.rules.values()), reader.problems


class _BalanceReader:
    def __init__(self, training: Training, drawn: set[str]) -> None:
        self.training, self.drawn = training, drawn
        self.inputs = {value.name: value for value in training.program.main.inputs}
        self.model_inputs = list_model_inputs(training)
        self.class_inputs = list(find_class_inputs(training.program.main))
        self.rules: dict[str, BalanceRule] = {}
        self.problems: Problems = []

    def read_setting(self, setting: Setting) -> None:
        stage = setting.stages[0]
        if len(stage.positional) != 1 or not stage.named:
            self._report("takes the target, and the inputs that are its weights", stage.span, self._write_example(stage.positional))
            return
        target = self._find_target(stage.positional[0])
        for argument in stage.named:
            if argument.name not in KINDS:
                self._report(f"has no argument `{argument.name}`", argument.name_span, "it has `weight` and `pos_weight`")
            elif target is not None:
                self._read_weight(target, argument)

    def _report(self, need: str, span: Span, remedy: str = "") -> None:
        self.problems.append((WrongSetting("balance", need, remedy), span))

    def _find_target(self, argument: SettingArgument) -> Value | None:
        targets = [name for name, value in self.inputs.items() if value.type.is_batch and name not in self.drawn]
        if argument.value in targets:
            return self.inputs[str(argument.value)]
        self._report(f"takes an input of samples, and `{argument.value}` is none", argument.span, _suggest(argument, targets))
        return None

    def _read_weight(self, target: Value, argument: SettingArgument) -> None:
        name = str(argument.value)
        free = [n for n, value in self.inputs.items() if not value.type.is_batch and n not in self.model_inputs]
        if name not in free:
            what = "is an input of the model" if name in self.model_inputs else "is none"
            remedy = _suggest(argument, free) if free else f"declare it: {self._write_declaration(argument.name, target, name)}"
            self._report(f"sets an input of the section without a batch axis, and `{name}` {what}", argument.span, remedy)
        elif name in self.rules or name in self.drawn:
            self._report(f"sets `{name}`, which another line sets too", argument.span, "remove one of them")
        elif not self.inputs[name].type.dtype.is_float:
            need = f"computes floats, and `{name}` is {self.inputs[name].type.dtype.name}"
            self._report(need, argument.span, f"declare it: {self._write_declaration(argument.name, target, name)}")
        elif argument.name == WEIGHT:
            self._read_class_weight(target, self.inputs[name], argument)
        else:
            self._read_positive_weight(target, self.inputs[name], argument)

    def _read_class_weight(self, target: Value, value: Value, argument: SettingArgument) -> None:
        ignored = self._find_ignored(target.name)
        if not target.type.dtype.is_integer:
            need = f"counts classes, which are integers, and `{target.name}` is {target.type.dtype.name}"
            declaration = self._write_declaration(POSITIVE_WEIGHT, target, value.name)
            self._report(need, argument.span, f"for yes and no, declare {declaration}, and write `pos_weight={value.name}`")
        elif len(value.type.shape) != 1 or not isinstance(value.type.shape[0], int):
            need = f"computes one number for each class, and `{value.name}` is {value.type}"
            self._report(need, argument.span, f"declare it: {self._write_declaration(WEIGHT, target, value.name)}")
        elif len(ignored) > 1:
            numbers = ", ".join(f"`{number}`" for number in sorted(ignored))
            self._report(f"needs one `ignore_index`, and the losses of `{target.name}` have {numbers}", argument.span)
        else:
            self._add_rule(target, value, argument, next(iter(ignored), NOT_A_LABEL))

    def _read_positive_weight(self, target: Value, value: Value, argument: SettingArgument) -> None:
        if not _fits(value.type.shape, target.type.shape):
            need = f"broadcasts to the target, and `{value.name}` is {value.type}, `{target.name}` is {target.type}"
            self._report(need, argument.span, f"declare it: {self._write_declaration(POSITIVE_WEIGHT, target, value.name)}")
        else:
            self._add_rule(target, value, argument, NOT_A_LABEL)

    def _write_example(self, positional: Sequence[SettingArgument]) -> str:
        """Write the declaration and the setting for the target that is named, or for the first one that fits."""
        named = [self.inputs[str(argument.value)] for argument in positional if argument.value in self.inputs]
        targets = named or [value for name, value in self.inputs.items() if value.type.is_batch and name not in self.model_inputs]
        if not targets:
            return "declare a target, `kind = input [] int64`"
        target = targets[0]
        kind, name = (WEIGHT, "weights") if target.type.dtype.is_integer else (POSITIVE_WEIGHT, "rare")
        return (
            f"declare {self._write_declaration(kind, target, name)}, pass it to the loss, and write `balance {target.name} {kind}={name}`"
        )

    def _find_ignored(self, target: str) -> set[int]:
        """Return the labels that the losses of a target ignore."""
        tasks = (CLASSES, LOG_CLASSES)
        outputs = (output for output in list_comparisons(self.training) if output.target == target and output.task in tasks)
        labels = (item.ignored for item in self.class_inputs if item.value.name == target)
        return {*(output.ignored for output in outputs), *(label for label in labels if label is not None)}

    def _write_declaration(self, kind: str, target: Value, name: str) -> str:
        """Write the declaration of an input for the weights of a target."""
        counts = [item.count for item in self.class_inputs if item.value is target]
        sizes = counts[:1] if kind == WEIGHT else [size for size in target.type.shape[1:] if isinstance(size, int)]
        if kind == WEIGHT and not counts:
            return f"`{name} = input [CLASSES] batch=false`, with the number of classes"
        return f"`{name} = input [{', '.join(map(str, sizes))}] batch=false`"

    def _add_rule(self, target: Value, value: Value, argument: SettingArgument, ignored: int) -> None:
        shape = tuple(size for size in value.type.shape if isinstance(size, int))
        rule = BalanceRule(value.name, argument.name, target.name, shape, value.type.dtype.name, ignored, argument.span)
        self.rules[value.name] = rule


def _suggest(argument: SettingArgument, names: Iterable[str]) -> str:
    near = find_similar_names(str(argument.value), list(names))
    return f"did you mean `{near[0]}`?" if near else "there are " + (", ".join(f"`{name}`" for name in names) or "none")


def _fits(shape: Shape, target: Shape) -> bool:
    """Whether weights of this shape broadcast to a target: each size is the target's, or 1."""
    if len(shape) > len(target) or not all(isinstance(size, int) for size in shape):
        return False
    pairs = zip_longest(reversed(shape), reversed(target), fillvalue=1)
    return all(own in (1, size) for own, size in pairs)
