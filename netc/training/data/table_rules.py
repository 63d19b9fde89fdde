"""The rules for the cells of a table: `fill` for missing numbers, `category` for the order and the unknown ones of categories.

In: the settings of a train section. Out: `TableRules`, and problems with their spans. For example,

    fill median columns=[age, income]
    category size [small, medium, large]
    category town unknown=other rare=5

fills the empty cells of two columns with their medians, numbers the sizes 0, 1 and 2, and makes 0 the number of all towns that have fewer
than 5 rows or that training has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Setting, SettingArgument
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

LocatedProblem = tuple[Problem, Span]
MEDIAN, MEAN, NONE = "median", "mean", "none"
_FILLS = (MEDIAN, MEAN, NONE)
_FILL_EXAMPLE = "write `fill median`, `fill mean`, `fill 0` or `fill none`"


class FillRule(Record):
    """How to fill missing numbers: with a number, with the `median` or `mean` of the training samples, or `none` to leave them. Without
    `columns`, the rule is for all columns of numbers that the model reads."""

    value: float | str
    columns: tuple[str, ...]
    span: Span


class CategoryRule(Record):
    """The categories of a column. `names` gives their order, empty for the sorted names. With `other`, unknown and empty cells, and
    categories with fewer than `rare` rows, are the category 0 of that name."""

    column: str
    names: tuple[str, ...]
    other: str
    rare: int
    span: Span


class TableRules(Record):
    """All rules of a section."""

    fills: tuple[FillRule, ...] = ()
    categories: tuple[CategoryRule, ...] = ()

    def find_fill(self, column: str, is_model_input: bool) -> FillRule | None:
        """Return the rule of a column: the one that names it, else the general one if the model reads the column."""
        named = next((rule for rule in self.fills if column in rule.columns), None)
        return named or next((rule for rule in self.fills if is_model_input and not rule.columns), None)

    def find_category(self, column: str) -> CategoryRule | None:
        return next((rule for rule in self.categories if rule.column == column), None)

    def find_unknown_columns(self, known: Sequence[str]) -> Iterator[LocatedProblem]:
        """Yield problems for columns that no input reads."""
        named = [("category", rule.column, rule.span) for rule in self.categories]
        named += [("fill", column, rule.span) for rule in self.fills for column in rule.columns]
        for word, column, span in named:
            if column not in known:
                near = find_similar_names(column, known)
                remedy = f"did you mean `{near[0]}`?" if near else "the columns of inputs are " + ", ".join(f"`{name}`" for name in known)
                yield WrongSetting(word, f"is for columns that an input reads, and none reads `{column}`", remedy), span


NO_RULES = TableRules()


def read_table_rules(fills: Sequence[Setting], categories: Sequence[Setting]) -> tuple[TableRules, list[LocatedProblem]]:
    """Read the `fill` and `category` settings of a section."""
    problems: list[LocatedProblem] = []
    fill_rules = [rule for setting in fills for rule in _read_fill(setting, problems)]
    category_rules = [rule for setting in categories for rule in _read_category(setting, problems)]
    seen: set[tuple[str, str]] = set()
    # the empty name stands for all columns
    named = [("fill", column, rule.span) for rule in fill_rules for column in rule.columns or ("",)]
    for word, column, span in [*named, *(("category", rule.column, rule.span) for rule in category_rules)]:
        if (word, column) in seen:
            problems.append((WrongSetting(word, f"is given twice for `{column}`" if column else "is given twice for all columns"), span))
        seen.add((word, column))
    return TableRules(tuple(fill_rules), tuple(category_rules)), problems


def _read_fill(setting: Setting, problems: list[LocatedProblem]) -> Iterator[FillRule]:
    stage = setting.stages[0]
    unknown = [argument for argument in stage.named if argument.name != "columns"]
    problems += [_report_argument("fill", argument, ("columns",)) for argument in unknown]
    if len(stage.positional) != 1:
        problems.append((WrongSetting("fill", "takes the number for missing cells", _FILL_EXAMPLE), stage.span))
        return
    value = stage.positional[0].value
    if not _is_fill(value):
        problems.append((WrongSetting("fill", f"must be followed by a number, found `{value}`", _FILL_EXAMPLE), stage.positional[0].span))
        return
    columns: tuple[str, ...] = ()
    for argument in stage.named:
        names = argument.value if isinstance(argument.value, tuple) else (argument.value,)
        if argument.name == "columns" and not (names and all(map(_is_name, names))):
            remedy = "write `fill median columns=[age, income]`"
            problems.append((WrongSetting("columns", "must be the name of a column, or a list of them", remedy), argument.span))
            return
        columns = tuple(map(str, names)) if argument.name == "columns" else columns
    yield FillRule(str(value) if isinstance(value, str) else float(value), columns, stage.span)


def _read_category(setting: Setting, problems: list[LocatedProblem]) -> Iterator[CategoryRule]:
    stage = setting.stages[0]
    example = "write `category town`, `category size [small, large]` or `category town unknown=other`"
    wrong = [argument for argument in stage.named if argument.name not in ("unknown", "rare")]
    problems += [_report_argument("category", argument, ("unknown", "rare")) for argument in wrong]
    lists = [a for a in stage.positional[1:] if isinstance(a.value, tuple) and a.value and all(map(_is_name, a.value))]
    if not stage.positional or not _is_name(stage.positional[0].value) or len(lists) != len(stage.positional) - 1 or len(lists) > 1:
        problems.append((WrongSetting("category", "takes a column, and perhaps a list of names", example), stage.span))
        return
    names = tuple(str(name).strip() for name in lists[0].value) if lists else ()
    named = {argument.name: argument for argument in stage.named}
    other, rare = named.get("unknown"), named.get("rare")
    if other is not None and not _is_name(other.value):
        problems.append((WrongSetting("unknown", "must be a name for unknown categories", "write `unknown=other`"), other.span))
    elif other is not None and str(other.value) in names:
        problems.append((WrongSetting("unknown", f"is the category 0, so `{other.value}` must not be in the list too"), other.span))
    elif rare is not None and (other is None or names or not _is_count(rare.value)):
        need = "must be a number of rows of at least 1, next to `unknown=other` and without a list of names"
        problems.append((WrongSetting("rare", need, "write `category town unknown=other rare=5`"), rare.span))
    elif len({*names}) < len(names):
        problems.append((WrongSetting("category", "has a name twice in its list"), lists[0].span))
    else:
        label = "" if other is None else str(other.value)
        yield CategoryRule(str(stage.positional[0].value), names, label, 1 if rare is None else int(rare.value), stage.span)


def _report_argument(word: str, argument: SettingArgument, known: tuple[str, ...]) -> LocatedProblem:
    near = find_similar_names(argument.name, known)
    remedy = f"did you mean `{near[0]}`?" if near else "its arguments are " + ", ".join(f"`{name}`" for name in known)
    return WrongSetting(word, f"has no argument `{argument.name}`", remedy), argument.name_span


def _is_fill(value: Any) -> bool:
    return (
        value in _FILLS if isinstance(value, str) else isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    )


def _is_name(value: Any) -> bool:
    # Integers are names too: a table without a header has columns 0, 1, ..., and categories may be numbers.
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
