"""Emit the reading of a text table: the cells as `netc train` encodes them, in plain Python.

In: the inputs, their columns, and the rules of the section. Out: the functions of the file, and expressions for the columns. Always: the
file gives the numbers of `netc train`, or it raises an error: numbers that have texts among them are no categories, and an empty cell is
no number, unless a rule of the section says so.

    >>> emit_options({"separator": ";", "header": False})
    ', separator=";", header=False'
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.dsl.record import Record

from ...errors import CompileError
from ...files.file_problems import make_diagnostic
from ..data.data_columns import ColumnSpec
from ..data.table_rules import NONE, CategoryRule, FillRule, TableRules
from .lines import quote_string, to_literal
from .section_words import TORCH_WORDS, SectionWords

READ_TABLE = '''def read_table(path: str, separator: str = ",", header: bool = True) -> dict[str, np.ndarray]:
    """Read a table. The columns are texts, by name, or by number without a header."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter=separator) if row]
    if header:
        return {name.strip(): np.array(cells) for name, *cells in zip(*rows, strict=True)}
    return {str(i): np.array(cells) for i, cells in enumerate(zip(*rows, strict=True))}'''
READ_TABLES = '''def read_tables(paths: Iterable[str], separator: str = ",", header: bool = True) -> dict[str, np.ndarray]:
    """Read tables with the same columns, one after the other."""
    tables = [read_table(path, separator, header) for path in paths]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0] if all(name in table for table in tables)}'''
FUNCTIONS = (
    READ_TABLE,
    READ_TABLES,
    """MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
BOOLEANS = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}""",
    '''def parse_number(cell: str) -> float:
    """Return a number, or 1 or 0 for a boolean. An empty cell is NaN."""
    text = cell.strip().lower()
    if text in MISSING:
        return math.nan
    return BOOLEANS[text] if text in BOOLEANS else float(text)''',
    '''def parse_date(cell: str) -> float:
    """Return the days since 1970-01-01 of a date. An empty cell is NaN."""
    if cell.strip().lower() in MISSING:
        return math.nan
    moment = datetime.fromisoformat(cell.strip())
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)''',
    '''def parse_numbers(cells: np.ndarray) -> np.ndarray:
    """Convert cells to numbers. If one is neither a number nor a boolean, all are dates. Empty cells are NaN."""
    try:
        return np.array([parse_number(cell) for cell in cells])
    except ValueError:
        return np.array([parse_date(cell) for cell in cells])''',
    '''def encode_numbers(cells: np.ndarray) -> np.ndarray:
    """Convert cells to numbers, none of which may be missing."""
    numbers = parse_numbers(cells)
    if np.isnan(numbers).any():
        raise ValueError(f"row {np.isnan(numbers).argmax()} has an empty cell")
    return numbers''',
    '''def fill_numbers(cells: np.ndarray, number: float) -> np.ndarray:
    """Convert cells to numbers, with this number for empty cells."""
    numbers = parse_numbers(cells)
    return np.where(np.isnan(numbers), number, numbers)''',
    '''def known_numbers(cells: np.ndarray) -> np.ndarray:
    """Return the numbers of the cells that are not empty."""
    numbers = parse_numbers(cells)
    return numbers[~np.isnan(numbers)]''',
    '''def is_number(cell: str) -> bool:
    """Whether a cell is a number."""
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False''',
    '''def fill_integers(cells: np.ndarray, training_cells: np.ndarray, number: float | Callable[[np.ndarray], float]) -> np.ndarray:
    """Write a number into empty cells, or a statistic of the training data. Categories stay as they are."""
    if not any(is_number(cell) for cell in training_cells):
        return cells
    known = number(known_numbers(training_cells)) if callable(number) else number
    return np.array([str(known) if cell.strip().lower() in MISSING else cell for cell in cells])''',
    '''def list_names(cells: np.ndarray, rare: int = 1, other: str = "") -> list[str]:
    """List the categories in a column, sorted, with at least `rare` rows each."""
    counts = Counter(cell.strip() for cell in cells)
    return sorted(name for name, count in counts.items() if name not in ("", other) and count >= rare)''',
    '''def encode_categories(cells: np.ndarray, names: Sequence[str], has_other: bool = False) -> np.ndarray:
    """Convert names to their index. With `has_other`, 0 is for unknown and empty cells."""
    numbers = {name: number for number, name in enumerate(names, int(has_other))}
    if has_other:
        return np.array([numbers.get(cell.strip(), 0) for cell in cells])
    return np.array([numbers[cell.strip()] for cell in cells])''',
    '''def encode_integers(cells: np.ndarray, training_cells: np.ndarray) -> np.ndarray:
    """Convert cells to integers. Texts are categories: their index in the sorted texts of the training data."""
    if not any(is_number(cell) for cell in training_cells):
        return encode_categories(cells, list_names(training_cells))
    integers = np.array([int(cell) if cell.strip().lstrip("+-").isdecimal() else float(cell) for cell in cells])
    if not (integers == np.floor(integers)).all():
        raise ValueError("a cell is not an integer")
    return integers.astype(np.int64)''',
)
"""The functions that a file may need. It has the ones that it uses."""


class TableWay(Record):
    """How to read a table: its options, the columns by input, the rules, and the inputs of the model. `training` is the call that reads the
    training table, empty if it is the same; `samples` selects the training samples in it, for the numbers of `fill`. `table`: the name of
    the table whose cells are read."""

    options: dict[str, Any]
    columns: Mapping[str, ColumnSpec]
    rules: TableRules
    model_inputs: frozenset[str]
    training: str = ""
    samples: str = ""
    table: str = "table"
    words: SectionWords = TORCH_WORDS


def emit_table_reading(way: TableWay, inputs: list[Value]) -> list[str]:
    """Emit the body of a function that loads a table, up to the result."""
    entries = [
        f"        {quote_string(value.name)}: {way.words.convert(emit_input(way, value), value.type.dtype.name)}," for value in inputs
    ]
    text = "\n".join(entries) + way.samples
    lines = ['    """Load the columns of a table, `[samples, ...]`."""', f"    table = read_table(path{emit_options(way.options)})"]
    if way.training and "training[" in text:
        is_shared = way.training.startswith("read_table(")
        lines.append(f"    training = table if path == DATA else {way.training}" if is_shared else f"    training = {way.training}")
    if "samples]" in text:
        lines.append(f"    samples = {way.samples}")
    return [*lines, "    return {", *entries]


def emit_options(options: Mapping[str, Any]) -> str:
    """Emit the arguments of `read_table` that are not its defaults."""
    separator, header = options.get("separator", ","), options.get("header", True)
    return ("" if separator == "," else f", separator={quote_string(separator)}") + ("" if header else ", header=False")


def emit_input(way: TableWay, value: Value) -> str:
    """Emit the numbers of an input: one column, or several side by side."""
    spec = way.columns.get(value.name, value.name)
    if isinstance(spec, str) and not {",", "*"} & set(spec):
        return _emit_column(way, value, spec, quote_string(spec))
    names = tuple(spec.split(",")) if isinstance(spec, str) else spec
    if not any("*" in name or "?" in name or "[" in name for name in names):
        return f"np.stack([{', '.join(_emit_column(way, value, name, quote_string(name)) for name in names)}], 1)"
    _check_pattern_rules(way, names)
    column = _emit_column(way, value, "", "name")
    return f"np.stack([{column} for name in match_columns({way.table}, {to_literal(names)})], 1)"


MATCH_COLUMNS = '''def match_columns(table: Iterable[str], names: tuple[str, ...]) -> list[str]:
    """List the columns by name or pattern."""
    columns = list(table)
    return [column for name in names for column in ([name] if name in columns else [c for c in columns if fnmatch(c, name)])]'''


def _check_pattern_rules(way: TableWay, names: tuple[str, ...]) -> None:
    """Raise `CompileError` for a rule of a column that a pattern selects: one expression reads all of its columns."""
    rules: list[tuple[str, FillRule | CategoryRule]] = [(column, rule) for rule in way.rules.fills for column in rule.columns]
    rules += [(rule.column, rule) for rule in way.rules.categories]
    for column, rule in rules:
        if any(fnmatchcase(column, name) for name in names):
            problem = WrongSetting(
                column, "has a rule and is selected by a pattern, which a training file does not have", "list the columns"
            )
            raise CompileError((make_diagnostic(problem, rule.span),))


def _emit_column(way: TableWay, value: Value, name: str, key: str) -> str:
    """Emit one column; `key` is the expression for its name."""
    cells, training = f"{way.table}[{key}]", f"{'training' if way.training else 'table'}[{key}]"
    category = way.rules.find_category(name)
    if category is not None:
        return _emit_category(category, cells, training)
    rule = way.rules.find_fill(name, value.name in way.model_inputs)
    known = f"{training}[samples]" if way.samples else training
    if value.type.dtype.is_integer:
        return f"encode_integers({cells if rule is None else _emit_integer_fill(rule, cells, known)}, {training})"
    numbers = f"encode_numbers({cells})" if rule is None else _emit_fill(rule, cells, known)
    return f"{numbers} == 1" if value.type.dtype.kind == "bool" else numbers


def _emit_fill(rule: FillRule, cells: str, training: str) -> str:
    if rule.value == NONE:
        return f"parse_numbers({cells})"
    number = to_literal(rule.value) if isinstance(rule.value, float) else f"np.{rule.value}(known_numbers({training}))"
    return f"fill_numbers({cells}, {number})"


def _emit_integer_fill(rule: FillRule, cells: str, training: str) -> str:
    """Emit the filling of a column that has integers or categories, which is known when the file reads the table."""
    number = to_literal(rule.value) if isinstance(rule.value, float) else f"np.{rule.value}"
    return cells if rule.value == NONE else f"fill_integers({cells}, {training}, {number})"


def _emit_category(rule: CategoryRule, cells: str, training: str) -> str:
    rare = f", rare={rule.rare}" if rule.rare > 1 else ""
    other = f", other={quote_string(rule.other)}" if rule.other else ""
    names = to_literal(rule.names) if rule.names else f"list_names({training}{rare}{other})"
    return f"encode_categories({cells}, {names}{', has_other=True' if rule.other else ''})"
