"""Results for other programs: `--json` and `--csv`, which several commands have.

Always: numbers are numbers; in CSV a list is its items with spaces between them, and what a spreadsheet would take for a formula is a text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])


def form_options(function: F) -> F:
    """`--json` and `--csv` as `form`, None without; both are wrong usage."""

    @click.option("--json", "in_json", is_flag=True, help="Print JSON instead of a table.")
    @click.option("--csv", "in_csv", is_flag=True, help="Print comma-separated values instead of a table.")
    @wraps(function)
    def command(*args: Any, in_json: bool, in_csv: bool, **kwargs: Any) -> Any:
        if in_json and in_csv:
            raise click.UsageError("give `--json` or `--csv`, not both")
        return function(*args, form="json" if in_json else "csv" if in_csv else None, **kwargs)

    return cast("F", command)


def as_json(data: object) -> str:
    """The data as JSON. Letters of all scripts stay as they are. Characters that would control a terminal are escaped, even if JSON allows
    them."""
    # NaN is no JSON, and readers of JSON refuse it.
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    return text if text.isascii() and "\x7f" not in text else "".join(map(_in_json, text))


def _in_json(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
