"""Write results for other programs: the options `--json` and `--csv` of several commands.

Always: numbers stay numbers. In CSV, a list is its items with spaces between them, and a text that a spreadsheet would run as a formula
begins with a quote.

    >>> print(format_csv([{"name": "=1+1", "shape": [1, 3]}]), end="")
    name,shape
    '=1+1,1 3
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import click

from ..files.csv_writing import make_csv_writer

F = TypeVar("F", bound=Callable[..., Any])


def form_options(function: F) -> F:
    """Add `--json` and `--csv`, which the command gets as `form`: "json", "csv" or None. Giving both is wrong usage."""

    @click.option("--json", "in_json", is_flag=True, help="Print JSON instead of a table.")
    @click.option("--csv", "in_csv", is_flag=True, help="Print comma-separated values instead of a table.")
    @wraps(function)
    def wrapper(*args: Any, in_json: bool, in_csv: bool, **kwargs: Any) -> Any:
        if in_json and in_csv:
            raise click.UsageError("give `--json` or `--csv`, not both")
        return function(*args, form="json" if in_json else "csv" if in_csv else None, **kwargs)

    return cast("F", wrapper)


def format_json(data: object) -> str:
    """Return the data as JSON. Letters of all scripts stay as they are. Characters that would control a terminal are escaped, even if JSON
    allows them: a name in an ONNX file could set the title of the terminal, or hide text."""
    # NaN is no JSON, and readers of JSON refuse it
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    # json itself escapes the control characters below the space, so only DEL and those beyond ASCII are left
    return text if text.isascii() and "\x7f" not in text else "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def format_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV. All rows have the keys of the first one, which is the header."""
    text = io.StringIO()
    writer = make_csv_writer(text)
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_to_csv_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _to_csv_cell(value: object) -> object:
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
