"""Emit the reading of data: the paths, and a function for each way to read a file.

In: a section and its recipe. Out: lines that set `DATA` and `VALIDATION`, the text of `load_data`, and the text of `load_validation_data`
if validation data is read in another way. Always: the file reads npz files and text tables as `netc train` does. For another format, a
comment in the file says that it reads an npz file instead, with an array for each input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.record import Record

from ..data.data_columns import ColumnSpec
from ..recipe import DataRule, Recipe
from .lines import quote_string, to_literal
from .sampled_inputs import list_data_inputs

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
    lines = _emit_path("DATA", recipe.data, DATA)
    if recipe.validate is not None:
        return [*lines, *_emit_path("VALIDATION", recipe.validate, VALIDATION)]
    return [*lines, *([f"VALIDATION = {to_literal(recipe.validation)}"] if recipe.validation else [])]


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


def emit_loaders(training: Training, recipe: Recipe) -> list[str]:
    """Emit the functions that load data."""
    inputs = list_data_inputs(training, recipe)
    loaders = [_emit_loader("load_data", _make_read_options(recipe.data, {}), inputs)]
    if recipe.validate is not None and name_validation_loader(recipe) != "load_data":
        loaders.append(_emit_loader("load_validation_data", _make_validation_options(recipe), inputs))
    return [*([CONCATENATE_COLUMNS] if any("concatenate_columns(" in text for text in loaders) else []), *loaders]


def _make_validation_options(recipe: Recipe) -> ReadOptions:
    return _make_read_options(recipe.validate, {} if recipe.data is None else recipe.data.columns)


def _make_read_options(rule: DataRule | None, inherited: Mapping[str, ColumnSpec]) -> ReadOptions:
    if rule is None or rule.format not in READABLE_FORMATS:
        return ReadOptions()
    options = dict(rule.options)
    if rule.format == "csv":
        options.setdefault("separator", "\t" if rule.path.lower().endswith(".tsv") else ",")
    return ReadOptions(rule.format, options, {**inherited, **rule.columns})


def _emit_loader(name: str, way: ReadOptions, inputs: list[Value]) -> str:
    lines = [f"def {name}(path: str) -> Batch:", *(_emit_csv_reading(way) if way.format == "csv" else _emit_npz_reading()), "    return {"]
    for value in inputs:
        array = _emit_conversion(_emit_array(way.columns.get(value.name, value.name)), value, way)
        lines.append(f"        {quote_string(value.name)}: torch.from_numpy({array}).to(torch.{value.type.dtype.name}),")
    return "\n".join([*lines, "    }"])


def _emit_npz_reading() -> list[str]:
    return ['    """Load the columns of an npz file, `[samples, ...]`."""', "    arrays = np.load(path)"]


def _emit_csv_reading(way: ReadOptions) -> list[str]:
    rows = f"row for row in csv.reader(file, delimiter={quote_string(way.options['separator'])}) if row"
    columns = "{name.strip(): np.array(cells) for name, *cells in zip(*rows, strict=True)}"
    if not way.options.get("header", True):
        columns = "{str(i): np.array(cells) for i, cells in enumerate(zip(*rows, strict=True))}"
    return [
        '    """Load the columns of a table, `[samples, ...]`."""',
        '    with open(path, encoding="utf-8-sig", newline="") as file:',
        f"        rows = [{rows}]",
        f"    arrays = {columns}",
    ]


def _emit_array(column: ColumnSpec) -> str:
    """Emit a column, or the concatenation of the columns of a list or a pattern."""
    if isinstance(column, str) and not {",", "*"} & set(column):
        return f"arrays[{quote_string(column)}]"
    names = tuple(column.split(",")) if isinstance(column, str) else column
    return f"concatenate_columns(arrays, {to_literal(names)})"


def _emit_conversion(array: str, value: Value, way: ReadOptions) -> str:
    """Emit the conversion of an array to numbers. The cells of a table are strings."""
    if way.format != "csv":
        return array
    if value.type.dtype.kind == "bool":
        return f'np.char.lower(np.char.strip({array})) == "true"'
    return f"{array}.astype(np.{'float64' if value.type.dtype.is_float else 'int64'})"
