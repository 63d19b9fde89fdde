"""Compute the numbers for missing cells, as the `fill` settings of a section say.

In: encoded columns, the rules, and the indices of the training samples. Out: the encodings with a `fill`, or problems at the rules. Always:
medians and means come from the training samples alone.

For example, if the training samples have 1, 3, 50 and an empty cell in a column, `fill median` makes the empty cell 3.
"""

from __future__ import annotations

import numpy as np

from netc.compiler.errors.column_names import format_column
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import DType
from netc.dsl.record import replace

from .data_columns import InputColumns
from .data_source import Indices, Source, TableColumn
from .encodings import CATEGORY, ColumnEncoding, EncodedSource, make_plain_encoding, read_cells
from .table_rules import MEDIAN, NONE, FillRule, LocatedProblem, TableRules


def find_fills(
    encoded: EncodedSource, inputs: list[Value], columns: InputColumns, rules: TableRules, model_inputs: frozenset[str], training: Indices
) -> tuple[list[ColumnEncoding], list[LocatedProblem]]:
    """Add the numbers for missing cells to the encodings of columns. They are computed from the training samples alone."""
    encodings, problems = dict(encoded.encodings), list[LocatedProblem]()
    for value in inputs:
        for name in columns.columns[value.name].names if value.name in columns.columns else ():
            rule = rules.find_fill(name, value.name in model_inputs)
            column = encoded.source.columns[name]
            if rule is None or (name in encodings and encodings[name].fill is not None):
                continue
            encoding = encodings.get(name, make_plain_encoding(name, value.type.dtype))
            why = _find_fill_obstacle(rule, encoding, column, value.type.dtype)
            if why:
                problems += [(WrongSetting("fill", *why), rule.span)] if name in rule.columns else []
                continue
            encoding, problem = _add_fill(encoding, rule, encoded.source, value.type.dtype, training)
            problems += [] if problem is None else [problem]
            encodings[name] = encoding
    return list(encodings.values()), problems


def _find_fill_obstacle(rule: FillRule, encoding: ColumnEncoding, column: TableColumn, dtype: DType) -> tuple[str, str] | None:
    """Say why a column cannot be filled, and what to do."""
    if encoding.kind == CATEGORY:
        return f"is for numbers, and `{column.name}` has categories", f"write `category {format_column(column.name)} unknown=other`"
    if column.shape != () or not column.is_readable:
        return f"is for columns with one number in a cell, and `{column.name}` has another form", ""
    if rule.value == NONE and not dtype.is_float:
        return f"cannot be `none` for `{column.name}`, because only floats have NaN", "write a number in place of `none`"
    return None


def _add_fill(
    encoding: ColumnEncoding, rule: FillRule, source: Source, dtype: DType, training: Indices
) -> tuple[ColumnEncoding, LocatedProblem | None]:
    if rule.value == NONE:
        return replace(encoding, allows_missing=True), None
    number = rule.value if isinstance(rule.value, float) else _compute_fill(encoding, rule.value, source, training)
    filled = replace(encoding, fill=number)
    if number is None:  # 0, so that the empty cells are not reported too
        filled = replace(encoding, fill=0.0)
        why = f"needs numbers, and the training samples have none in `{encoding.column}`"
        return filled, (WrongSetting("fill", why, f"write a number: `fill 0 columns={format_column(encoding.column)}`"), rule.span)
    is_unfit = not number.is_integer() if dtype.is_integer else dtype.kind == "bool" and number not in (0, 1)
    if is_unfit:
        why = f"gives {number:g} for `{encoding.column}`, which an input of {dtype.name} cannot hold"
        return filled, (WrongSetting("fill", why, f"write another number: `fill 0 columns={format_column(encoding.column)}`"), rule.span)
    return filled, None


def _compute_fill(encoding: ColumnEncoding, statistic: str, source: Source, training: Indices) -> float | None:
    cells = read_cells(source, encoding.column, encoding.kind)[training]
    numbers, is_wrong = replace(encoding, fill=None, allows_missing=False).encode_cells(cells)
    known = numbers[~is_wrong].astype(np.float64)
    if not len(known):
        return None
    return float(np.median(known) if statistic == MEDIAN else known.mean())
