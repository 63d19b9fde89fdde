"""Read the `draw` settings of a section: inputs that are sampled for each step instead of read from data.

In: a section and its settings. Out: a `Draw` for each sampled input, and problems with their spans. Always: the input's type holds every
value of the distribution, and each of its sizes is a number or the size of an axis of an input from the data.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "noise = input 3; loss = (y, noise) -> mse_loss; draw noise uniform 0 2; optimizer sgd lr=0.1"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 3; train {{ {section} }}"), Choice()).training
    >>> read_draws(training, [setting for setting in training.settings if setting.word == "draw"])
    ((Draw(input='noise', distribution='uniform', low=0, high=2),), [])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from netc.compiler.dims import free_symbols
from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, SettingStage, Training, Word
from netc.compiler.types.tensor_types import BATCH, TensorType
from netc.dsl.record import Record
from netc.dsl.source import Span

from .setting_values import DISTRIBUTIONS, find_wrong_bounds

LocatedProblem = tuple[Problem, Span]


class Draw(Record):
    """An input that is drawn for each step: `normal`, `uniform` from `low` to `high`, or `integers` from `low` to below `high`."""

    input: str
    distribution: str
    low: float = 0.0
    high: float = 1.0


def read_draws(training: Training, settings: Iterable[Setting]) -> tuple[tuple[Draw, ...], list[LocatedProblem]]:
    """Read the settings. Return the sampled inputs, and the problems."""
    stages = [setting.stages[0] for setting in settings]
    types = {value.name: value.type for value in training.program.main.inputs}
    drawn = {argument.value for stage in stages for argument in stage.positional}
    results = [_read_draw(stage, types, drawn) for stage in stages]
    return tuple(one for one in results if isinstance(one, Draw)), [one for one in results if not isinstance(one, Draw)]


def _read_draw(stage: SettingStage, types: Mapping[str, TensorType], drawn: Set[object]) -> Draw | LocatedProblem:
    words = [argument for argument in stage.positional if isinstance(argument.value, Word)]
    numbers = [argument.value for argument in stage.positional if not isinstance(argument.value, Word)]
    if len(words) != 2 or stage.named:
        return WrongSetting("draw", "takes an input and a distribution", "write `draw noise normal`"), stage.span
    name, distribution = str(words[0].value), str(words[1].value)
    if name not in types:
        known = ", ".join(f"`{n}`" for n in types)
        return WrongSetting("draw", f"takes an input, and `{name}` is none", f"the inputs are {known}"), words[0].span
    if distribution not in DISTRIBUTIONS:
        known = ", ".join(f"`{n}`" for n in DISTRIBUTIONS)
        return WrongSetting("draw", f"has no distribution `{distribution}`", f"the distributions are {known}"), words[1].span
    type_ = types[name]
    # `integers` for an input of floats, or another distribution for an input of integers
    if type_.dtype.is_float == (distribution == "integers"):
        needed = "integers" if distribution == "integers" else "floats"
        return WrongSetting(distribution, f"draws {needed}, and `{name}` is {type_.dtype.name}"), stage.span
    wrong = find_wrong_bounds(distribution, numbers, type_.dtype, name)
    if wrong is not None:
        return WrongSetting(distribution, *wrong), stage.span
    unknown = _find_unread_sizes(type_, types, drawn)
    if unknown:
        need = f"needs the sizes of `{name}`, and no input from the data has an axis of size `{unknown[0]}`"
        return WrongSetting("draw", need, "give the axis the size of an axis of another input"), words[0].span
    return Draw(name, distribution, *numbers)


def _find_unread_sizes(type_: TensorType, types: Mapping[str, TensorType], drawn: Set[object]) -> list[str]:
    """Return the symbols in the sizes of a drawn input that no input from the data has as the size of an axis."""
    known = {BATCH, *(str(size) for name, other in types.items() if name not in drawn for size in other.shape)}
    return sorted({symbol for size in type_.shape for symbol in free_symbols(size)} - known)
