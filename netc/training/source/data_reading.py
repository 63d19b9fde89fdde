"""Reading of the data: where they are, and a function for each way to read them.

In: a section and its recipe. Out: lines that set `DATA` and `VALIDATION`, and the texts of `load_data` and, if the data to validate on are
read in another way, `load_validation_data`. Always: npz files and tables of text are read as `netc train` reads them; of data in another format
the file says that it reads an npz file in their place, with an array for each input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.record import Record

from ..data.data_columns import ColumnSpec
from ..recipe import DataRule, Recipe
from .lines import literal, quoted
from .sampled_inputs import given_inputs

DATA, VALIDATION = "train.npz", "validation.npz"
"""The files that are read if the section has none, or one in a format that the file does not read."""
READ = ("npz", "csv")
JOINED = '''def concatenate_columns(arrays: Any, names: tuple[str, ...]) -> np.ndarray:
    """Concatenate columns along the first axis of a sample. A name may be a pattern."""
    columns = []
    for name in names:
        matches = [name] if name in arrays else [column for column in arrays if fnmatch(column, name)]
        columns += [arrays[match] for match in matches]
    return np.concatenate([column[:, None] if column.ndim == 1 else column for column in columns], 1)'''


class Way(Record):
    """How a file is read: its format, the options of the format, and the columns by input."""

    format: str = "npz"
    options: dict[str, Any] = {}
    columns: dict[str, ColumnSpec] = {}


def paths(recipe: Recipe) -> list[str]:
    """The lines that say where the data are."""
    lines = _path("DATA", recipe.data, DATA)
    if recipe.validate is not None:
        return [*lines, *_path("VALIDATION", recipe.validate, VALIDATION)]
    return [*lines, *([f"VALIDATION = {literal(recipe.validation)}"] if recipe.validation else [])]


def _path(name: str, rule: DataRule | None, instead: str) -> list[str]:
    if rule is None:
        return [f"{name} = {quoted(instead)}"]
    if rule.format in READ:
        return [f"{name} = {quoted(rule.path)}"]
    return [
        f"# The section has {rule.format} {quoted(rule.path)}, which this file does not read.",
        "# Save its samples as an npz file with an array for each input, or replace `load_data`.",
        f"{name} = {quoted(instead)}",
    ]


def load_validation(recipe: Recipe) -> str:
    """The name of the function that reads the data to validate on."""
    return "load_data" if _validation_way(recipe) == _way(recipe.data, {}) else "load_validation_data"


def load_texts(training: Training, recipe: Recipe) -> list[str]:
    """The functions that read data."""
    inputs = given_inputs(training, recipe)
    made = [_load("load_data", _way(recipe.data, {}), inputs)]
    if recipe.validate is not None and load_validation(recipe) != "load_data":
        made.append(_load("load_validation_data", _validation_way(recipe), inputs))
    return [*([JOINED] if any("concatenate_columns(" in text for text in made) else []), *made]


def _validation_way(recipe: Recipe) -> Way:
    return _way(recipe.validate, {} if recipe.data is None else recipe.data.columns)


def _way(rule: DataRule | None, inherited: Mapping[str, ColumnSpec]) -> Way:
    if rule is None or rule.format not in READ:
        return Way()
    options = dict(rule.options)
    if rule.format == "csv":
        options.setdefault("separator", "\t" if rule.path.lower().endswith(".tsv") else ",")
    return Way(rule.format, options, {**inherited, **rule.columns})


def _load(name: str, way: Way, inputs: list[Value]) -> str:
    lines = [f"def {name}(path: str) -> Batch:", *(_table(way) if way.format == "csv" else _archive()), "    return {"]
    for value in inputs:
        array = _converted(_array(way.columns.get(value.name, value.name)), value, way)
        lines.append(f"        {quoted(value.name)}: torch.from_numpy({array}).to(torch.{value.type.dtype.name}),")
    return "\n".join([*lines, "    }"])


def _archive() -> list[str]:
    return ['    """Load the columns of an npz file, `[samples, ...]`."""', "    arrays = np.load(path)"]


def _table(way: Way) -> list[str]:
    rows = f"row for row in csv.reader(file, delimiter={quoted(way.options['separator'])}) if row"
    made = "{name.strip(): np.array(cells) for name, *cells in zip(*rows, strict=True)}"
    if not way.options.get("header", True):
        made = "{str(i): np.array(cells) for i, cells in enumerate(zip(*rows, strict=True))}"
    return [
        '    """Load the columns of a table, `[samples, ...]`."""',
        '    with open(path, encoding="utf-8-sig", newline="") as file:',
        f"        rows = [{rows}]",
        f"    arrays = {made}",
    ]


def _array(column: ColumnSpec) -> str:
    """The column, or the columns that a list or a pattern says."""
    if isinstance(column, str) and not {",", "*"} & set(column):
        return f"arrays[{quoted(column)}]"
    names = tuple(column.split(",")) if isinstance(column, str) else column
    return f"concatenate_columns(arrays, {literal(names)})"


def _converted(array: str, value: Value, way: Way) -> str:
    """The array as numbers; the cells of a table are texts."""
    if way.format != "csv":
        return array
    if value.type.dtype.kind == "bool":
        return f'np.char.lower(np.char.strip({array})) == "true"'
    return f"{array}.astype(np.{'float64' if value.type.dtype.is_float else 'int64'})"
