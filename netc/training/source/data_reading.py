"""Emit the reading of data: the paths, and a function for each way to read a file.

In: a section and its recipe. Out: lines that set `DATA` and `VALIDATION`, the text of `load_data`, and the text of `load_validation_data`
if validation data is read in another way. Always: the file reads npz files and text tables as `netc train` does. For another format, a
comment in the file says that it reads an npz file instead, with an array for each input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Training
from netc.dsl.record import Record, replace

from ...errors import CompileError
from ...files.file_problems import make_diagnostic
from ..data.data_columns import ColumnSpec
from ..data_inputs import list_data_inputs
from ..model_inputs import list_model_inputs
from ..recipe import DataRule, Recipe
from .lines import quote_string, to_literal
from .section_words import TORCH_WORDS, SectionWords
from .table_reading import FUNCTIONS, MATCH_COLUMNS, TableWay, emit_input, emit_options, emit_table_reading

DATA, VALIDATION = "train.npz", "validation.npz"
"""The files to read if the section names none, or one in a format that the file does not read."""
READABLE_FORMATS = ("npz", "csv")
CONCATENATE_COLUMNS = '''def concatenate_columns(arrays: Any, names: tuple[str, ...]) -> np.ndarray:
    """Concatenate columns along the first axis of a sample. A name may be a pattern."""
    columns = []
    for name in names:
        matches = [name] if name in arrays else [column for column in arrays if fnmatch(column, name)]
        columns += [arrays[match] for match in matches]
    return np.concatenate([column[:, None] if column.ndim == 1 else column for column in columns], 1)'''


class ReadOptions(Record):
    """How to read a file: its format, the options of the format, and the columns by input."""

    format: str = "npz"
    options: dict[str, Any] = {}
    columns: dict[str, ColumnSpec] = {}


def emit_paths(recipe: Recipe) -> list[str]:
    """Emit the lines that set the paths of the data."""
    lines = _emit_path("DATA", recipe.data, DATA) if len(recipe.sources) < 2 else _emit_source_paths(recipe)
    if recipe.validate is not None:
        return [*lines, *_emit_path("VALIDATION", recipe.validate, VALIDATION)]
    return [*lines, *([f"VALIDATION = {to_literal(recipe.validation)}"] if recipe.validation else [])]


def _emit_source_paths(recipe: Recipe) -> list[str]:
    """Emit the paths of several data. A format that the file does not read has the same comment for all of them."""
    lines = [_emit_path("DATA", rule, f"train{number}.npz") for number, rule in enumerate(recipe.sources, 1)]
    paths = [line[-1].removeprefix("DATA = ") for line in lines]
    comments = dict.fromkeys(comment for line in lines for comment in line[:-1])
    return [*sorted(comments, key=lambda comment: not comment.startswith("# The section")), f"DATA = ({', '.join(paths)})"]


def _check_sources(recipe: Recipe) -> None:
    """Raise `CompileError` for several data that one function cannot load."""
    first = _make_read_options(recipe.data, {})
    inherited = {} if recipe.data is None else recipe.data.columns
    different = next((rule for rule in recipe.sources[1:] if _make_read_options(rule, inherited) != first), None)
    if different is not None:
        need = "of a training file must all have the same format, options and columns"
        raise CompileError((make_diagnostic(WrongSetting("data", need, "convert them, or train with `netc train`"), different.span),))


def _emit_path(name: str, rule: DataRule | None, instead: str) -> list[str]:
    if rule is None:
        return [f"{name} = {quote_string(instead)}"]
    if rule.format in READABLE_FORMATS:
        return [f"{name} = {quote_string(rule.path)}"]
    return [
        f"# The section has {rule.format} {quote_string(rule.path)}, which this file does not read.",
        "# Save its samples as an npz file with an array for each input, or replace `load_data`.",
        f"{name} = {quote_string(instead)}",
    ]


def name_validation_loader(recipe: Recipe) -> str:
    """Return the name of the function that loads validation data."""
    return "load_data" if _make_validation_options(recipe) == _make_read_options(recipe.data, {}) else "load_validation_data"


def emit_loaders(training: Training, recipe: Recipe, words: SectionWords = TORCH_WORDS) -> list[str]:
    """Emit the functions that load data. Raises `CompileError` for rules that the file cannot follow."""
    _check_rules(recipe)
    _check_sources(recipe)
    loaders = [_emit_loader("load_data", _make_read_options(recipe.data, {}), training, recipe, words)]
    if recipe.validate is not None and name_validation_loader(recipe) != "load_data":
        loaders.append(_emit_loader("load_validation_data", _make_validation_options(recipe), training, recipe, words))
    return [CONCATENATE_COLUMNS, MATCH_COLUMNS, *FUNCTIONS, *loaders]


def _check_rules(recipe: Recipe) -> None:
    """Raise `CompileError` for rules of data that is no table of text."""
    spans = [("fill", rule.span) for rule in recipe.table_rules.fills]
    spans += [("category", rule.span) for rule in recipe.table_rules.categories]
    if spans and (recipe.data is None or recipe.data.format != "csv"):
        remedy = "name the data in the section, `data csv ...`, or remove the rule and prepare the data for the file"
        raise CompileError(
            tuple(make_diagnostic(WrongSetting(word, "is for csv data in a training file", remedy), span) for word, span in spans)
        )


def _make_validation_options(recipe: Recipe) -> ReadOptions:
    return _make_read_options(recipe.validate, {} if recipe.data is None else recipe.data.columns)


def _make_read_options(rule: DataRule | None, inherited: Mapping[str, ColumnSpec]) -> ReadOptions:
    if rule is None or rule.format not in READABLE_FORMATS:
        return ReadOptions()
    options = dict(rule.options)
    if rule.format == "csv":
        options.setdefault("separator", "\t" if rule.path.lower().endswith(".tsv") else ",")
    return ReadOptions(rule.format, options, {**inherited, **rule.columns})


def _emit_loader(name: str, way: ReadOptions, training: Training, recipe: Recipe, words: SectionWords) -> str:
    inputs = list_data_inputs(training, recipe)
    lines = [f"def {name}(path: str) -> Batch:"]
    if way.format == "csv":
        return "\n".join([*lines, *emit_table_reading(_make_table_way(way, training, recipe, words), inputs), "    }"])
    lines += ['    """Load the columns of an npz file, `[samples, ...]`."""', "    arrays = np.load(path)", "    return {"]
    for value in inputs:
        array = _emit_array(way.columns.get(value.name, value.name))
        lines.append(f"        {quote_string(value.name)}: {words.convert(array, value.type.dtype.name)},")
    return "\n".join([*lines, "    }"])


def _make_table_way(way: ReadOptions, training: Training, recipe: Recipe, words: SectionWords) -> TableWay:
    """Say how a table is encoded: categories and fills come from the training table, also for a table of validation data."""
    data = _make_read_options(recipe.data, {})
    is_held = recipe.validate is not None and data.format == "csv"
    model_inputs = list_model_inputs(training)
    read = f"read_table(DATA{emit_options(data.options)})" if is_held else ""
    if len(recipe.sources) > 1:
        read = f"read_tables(DATA{emit_options(data.options)})"
    table_way = TableWay(way.options, way.columns, recipe.table_rules, model_inputs, read, words=words)
    if not recipe.validation:
        return table_way
    inputs = list_data_inputs(training, recipe)
    table = "training" if read else "table"
    if recipe.stratify is None:
        return replace(table_way, samples=f"split_samples(len(next(iter({table}.values()))))[0]")
    classes = next(value for value in inputs if value.name == recipe.stratify.input)
    return replace(table_way, samples=f"split_samples_by_class({words.wrap(emit_input(replace(table_way, table=table), classes))})[0]")


def _emit_array(column: ColumnSpec) -> str:
    """Emit a column, or the concatenation of the columns of a list or a pattern."""
    if isinstance(column, str) and not {",", "*"} & set(column):
        return f"arrays[{quote_string(column)}]"
    names = tuple(column.split(",")) if isinstance(column, str) else column
    return f"concatenate_columns(arrays, {to_literal(names)})"
