"""Train a network for each combination of values, one after the other, for `netc sweep --train`.

In: the combinations. Out: a row for each, with the results of its training, and a folder for each run. Always: an error of one combination
is in its row, and the others go on. If the folder of a combination has a run already, that run continues, so the same command continues a
sweep that was stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..errors import CompileError
from ..training.stop_signals import Interrupted
from .exit_codes import report_exception
from .report import report_diagnostics
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..training.run_training import Result

ERROR = "error"
INTERNAL = "internal-error"
UNWRITABLE = "not-written"
MAX_FOLDER_NAME = 100
"""The most characters of a folder's name."""
Row = dict[str, object]
Spec = tuple[str | None, str | None]
"""The path of a spec, or its text."""


def train_combinations(
    spec: Spec, folder: str, choices: Iterable[tuple[Mapping[str, str], Choice]], section: str | None, **wishes: Any
) -> list[Row]:
    """Train each combination, and return a row for each: its values, the results of its training, and its folder.

    `choices` has the values of each combination as they are on the command line, and as parsed.
    """
    rows: list[Row] = []
    for values, choice in choices:
        run_folder = os.path.join(folder, name_folder(values))
        result, code = _train_combination(spec, run_folder, choice, section, **wishes)
        size_and_steps = {"parameters": None, "steps": None} if result is None else {"parameters": result.parameters, "steps": result.steps}
        results = {} if result is None else result.results
        rows.append({**values, **size_and_steps, **results, ERROR: code, "run": run_folder})
        if result is not None:
            # the warnings of the spec once, not again for each combination
            report_diagnostics(result.diagnostics if len(rows) == 1 else (), "text", sys.stderr)
            write_status(f"{run_folder}: {result.summary().splitlines()[0]}")
    # a failed combination has no results, but all rows of a CSV need the same keys
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("run", ERROR)))
    return [{name: row.get(name) for name in (*names, ERROR, "run")} for row in rows]


def _train_combination(spec: Spec, run_folder: str, choice: Choice, section: str | None, **wishes: Any) -> tuple[Result | None, str | None]:
    """Train one combination. Return the result, or None and the code of the error."""
    from ..training.run_training import train_or_continue

    try:
        result = train_or_continue(*spec, choice, section, run_folder, lambda _: None, note=write_note, **wishes)
    except Interrupted as stopped:
        write_status(f"stopped at step {stopped.step} of {quote(run_folder)}; the same command continues")
        raise click.exceptions.Exit(stopped.exit_code) from None
    except Exception as error:
        write_status(f"{run_folder}:")
        report_exception(error)
        return None, _get_error_code(error)
    return result, None


def _get_error_code(error: Exception) -> str:
    """Return the code that the table shows for an error."""
    if isinstance(error, CompileError):
        return next(d.code for d in error.diagnostics if d.severity == "error")
    if isinstance(error, OSError):
        return UNWRITABLE
    return getattr(getattr(error, "problem", None), "code", INTERNAL)


def name_folder(values: Mapping[str, str]) -> str:
    """Return the name of a combination's folder.

    Different values have different names: where the characters of a value do not suit a file name, the name ends with a hash of the values.

    >>> name_folder({"width": "8", "act": "relu"})
    'width=8,act=relu'
    """
    full_name = ",".join(f"{name}={value}" for name, value in values.items())
    name = re.sub(r"[^\w.=,+-]+", "_", full_name)
    if name == full_name and len(name) <= MAX_FOLDER_NAME:
        return name
    # 9: the dash and the 8 digits of the hash
    return f"{name[: MAX_FOLDER_NAME - 9]}-{hashlib.sha256(full_name.encode()).hexdigest()[:8]}"
