"""The table of predictions: the columns of the data as they are, and the predicted columns after them.

In: predictions, and the data that they are for. Out: a CSV text. Always: the cells of a CSV file are copied as they are written, so that
`007` and `1.50` stay; the rows are in the order of the data.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from ..training.data.csv import copy_rows
from .model_signature import ModelSignature
from .open_samples import FILE
from .predictions import Predictions

TABLE_ENDINGS = (".csv", ".tsv")


def format_table(results: Predictions, samples: Any, signature: ModelSignature) -> str:
    """Format predictions as CSV. Raises `NoTable` for results that need more than one number in a cell."""
    options = signature.options if signature.format == "csv" else {}
    header, rows = _copy_columns(samples, len(results), options)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n", delimiter=options.get("separator", ","))
    writer.writerow([*header, *(name if name not in header else f"{name}_new" for name in results.columns)])
    for copied, predicted in zip(rows, results.iterate_rows(), strict=True):
        writer.writerow([*copied, *predicted])
    return stream.getvalue()


def _copy_columns(samples: Any, count: int, options: Mapping[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """Return the names and the rows of the columns to copy."""
    if isinstance(samples, str) and samples.lower().endswith(TABLE_ENDINGS):
        return copy_rows(samples, **options)
    if isinstance(samples, list):
        return [FILE], ([path] for path in samples)
    return [], ([] for _ in range(count))
