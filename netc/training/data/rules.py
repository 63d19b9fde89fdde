"""The arguments of `data` and `validate` in a spec: columns for inputs, and options of the format.

In: the format and the arguments. Out: columns by input, options by name, and problems with their places. Always: an argument with the name
of an input says its column; any other is an option of the format.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import SettingArgument, SettingStage
from netc.dsl.source import Span

from .data_columns import Chosen
from .data_formats import FORMATS, Format, unknown_format, unknown_option

Found = tuple[Problem, Span]


def data_arguments(word: str, stage: SettingStage, inputs: Collection[str]) -> tuple[dict[str, Chosen], dict[str, Any], list[Found]]:
    """What the stage of a `data` or `validate` setting says."""
    format = FORMATS.get(stage.name)
    if format is None:
        return {}, {}, [(WrongSetting(word, f"has no format `{stage.name}`", unknown_format(stage.name)), stage.name_span)]
    if format.runs_code:
        need = f"cannot be `{stage.name}` in a spec, which never runs code"
        remedy = f"say it on the command line, `--data {stage.name}:package.module:function`, or in Python, `netc.train(..., data=...)`"
        return {}, {}, [(WrongSetting(word, need, remedy), stage.span)]
    columns: dict[str, Chosen] = {}
    options: dict[str, Any] = {}
    problems: list[Found] = []
    seen: set[str] = set()
    for argument in stage.named:
        if argument.name in seen:
            problems.append((WrongSetting(argument.name, "is given twice"), argument.name_span))
            continue
        seen.add(argument.name)
        problem = _columns(argument, columns) if argument.name in inputs else _option(word, stage.name, format, argument, options)
        if problem is not None:
            problems.append(problem)
    return columns, options, problems


def _columns(argument: SettingArgument, columns: dict[str, Chosen]) -> Found | None:
    """Without a header, and in tuples, the name of a column is its number."""
    value = argument.value
    names = value if isinstance(value, tuple) and value else (value,)
    if not all(isinstance(name, (str, int)) and not isinstance(name, bool) for name in names):
        return WrongSetting(argument.name, "must be the name of a column, or a list of them"), argument.span
    columns[argument.name] = tuple(map(str, value)) if isinstance(value, tuple) else str(value)
    return None


def _option(word: str, name: str, format: Format, argument: SettingArgument, options: dict[str, Any]) -> Found | None:
    option = format.option(argument.name)
    if option is None:
        what = f"has neither an input nor an option `{argument.name}`"
        return WrongSetting(word, what, unknown_option(name, argument.name)), argument.name_span
    value = str(argument.value) if isinstance(argument.value, str) else argument.value
    if not option.good(value):
        return WrongSetting(argument.name, option.need), argument.span
    options[argument.name] = value
    return None
