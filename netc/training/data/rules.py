"""The arguments of `data` and `validate` in a spec: columns of inputs, and options of the format.

In: the format and the arguments. Out: columns by input, options by name, and problems with their spans. Always: an argument with the name
of an input names its column; any other argument is an option of the format, except `weight` of `data`. For example, in
`data csv("train.tsv", header=false, x=[0, 1])`, `header` is an option and `x` an input with two columns.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import SettingArgument, SettingStage
from netc.dsl.source import Span

from ..setting_values import describe_found, is_distance, is_positive
from .data_columns import ColumnSpec
from .data_formats import FORMATS, Format, suggest_format, suggest_option

LocatedProblem = tuple[Problem, Span]
WEIGHT = "weight"
"""The argument of `data` for its share of the samples. It is no option of a format."""


def read_data_arguments(
    word: str, stage: SettingStage, inputs: Collection[str]
) -> tuple[dict[str, ColumnSpec], dict[str, Any], list[LocatedProblem]]:
    """Read the stage of a `data` or `validate` setting."""
    format = FORMATS.get(stage.name)
    if format is None:
        return {}, {}, [(WrongSetting(word, f"has no format `{stage.name}`", suggest_format(stage.name)), stage.name_span)]
    if format.runs_code:
        need = f"cannot be `{stage.name}` in a spec, which never runs code"
        remedy = f"say it on the command line, `--data {stage.name}:package.module:function`, or in Python, `netc.train(..., data=...)`"
        return {}, {}, [(WrongSetting(word, need, remedy), stage.span)]
    columns: dict[str, ColumnSpec] = {}
    options: dict[str, Any] = {}
    problems: list[LocatedProblem] = []
    seen: set[str] = set()
    for argument in stage.named:
        if argument.name in seen:
            problems.append((WrongSetting(argument.name, "is given twice"), argument.name_span))
            continue
        seen.add(argument.name)
        problem = _read_columns(argument, columns) if argument.name in inputs else _read_option(word, stage.name, format, argument, options)
        if problem is not None:
            problems.append(problem)
    return columns, options, problems


def _read_columns(argument: SettingArgument, columns: dict[str, ColumnSpec]) -> LocatedProblem | None:
    """Add the columns of an input to `columns`, or return the problem."""
    # Integers are names too: a table without a header, and samples that are tuples, have columns 0, 1, ...
    value = argument.value
    names = value if isinstance(value, tuple) and value else (value,)
    if not all(isinstance(name, (str, int)) and not isinstance(name, bool) for name in names):
        return WrongSetting(argument.name, "must be the name of a column, or a list of them"), argument.span
    columns[argument.name] = tuple(map(str, value)) if isinstance(value, tuple) else str(value)
    return None


def _read_option(word: str, name: str, format: Format, argument: SettingArgument, options: dict[str, Any]) -> LocatedProblem | None:
    if argument.name == WEIGHT and word == "data":
        if not (is_positive(argument.value) and is_distance(argument.value)):
            return WrongSetting(WEIGHT, f"must be a positive number, {describe_found(argument.value)}"), argument.span
        options[WEIGHT] = float(argument.value)
        return None
    option = format.find_option(argument.name)
    if option is None:
        what = f"has neither an input nor an option `{argument.name}`"
        return WrongSetting(word, what, suggest_option(name, argument.name)), argument.name_span
    value = str(argument.value) if isinstance(argument.value, str) else argument.value
    if not option.is_valid(value):
        return WrongSetting(argument.name, option.requirement), argument.span
    options[argument.name] = value
    return None
