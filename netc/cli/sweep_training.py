"""What `netc sweep --train` does: a training for each combination of values, one after the other, each in a folder of its own.

In: the combinations. Out: a row for each, with what was reached. Always: what is wrong with one is in its row, and the others go on; a
combination whose folder has a run already goes on with that, so the same command continues a sweep that was stopped.
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
from .exit_codes import exit_code
from .report import report
from .terminal import note

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..training.run_training import Result

ERROR = "error"
INTERNAL = "internal-error"
UNWRITABLE = "not-written"
LONGEST = 100
"""The letters of a folder's name."""
Row = dict[str, object]
Spec = tuple[str | None, str | None]
"""The path of a spec, or its text."""


def trained(spec: Spec, folder: str, choices: Iterable[tuple[Mapping[str, str], Choice]], section: str | None, **wishes: Any) -> list[Row]:
    """The rows: the values of a combination, what its training reached, and its folder. `choices` have the values as words."""
    rows: list[Row] = []
    for values, choice in choices:
        own = os.path.join(folder, folder_of(values))
        found, code = _one(spec, own, choice, section, **wishes)
        reached = {"parameters": None, "steps": None} if found is None else {"parameters": found.parameters, "steps": found.steps}
        results = {} if found is None else found.results
        rows.append({**values, **reached, **results, ERROR: code, "run": own})
        if found is not None:
            report(found.diagnostics if len(rows) == 1 else (), "text", sys.stderr)
            note(f"{own}: {found.summary().splitlines()[0]}")
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("run", ERROR)))
    return [{name: row.get(name) for name in (*names, ERROR, "run")} for row in rows]


def _one(spec: Spec, own: str, choice: Choice, section: str | None, **wishes: Any) -> tuple[Result | None, str | None]:
    """How the training of one combination ended, or the code of what is wrong with it."""
    from ..training.run_training import train_or_continue

    try:
        found = train_or_continue(*spec, choice, section, own, lambda _: None, note=lambda words: note(f"note: {words}"), **wishes)
    except Interrupted as stopped:
        note(f"stopped at step {stopped.step} of {quote(own)}; the same command continues")
        raise click.exceptions.Exit(stopped.exit_code) from None
    except Exception as error:
        note(f"{own}:")
        exit_code(error)
        return None, _code(error)
    return found, None


def _code(error: Exception) -> str:
    """What the table says of an error."""
    if isinstance(error, CompileError):
        return next(one.code for one in error.diagnostics if one.severity == "error")
    if isinstance(error, OSError):
        return UNWRITABLE
    return getattr(getattr(error, "problem", None), "code", INTERNAL)


def folder_of(values: Mapping[str, str]) -> str:
    """The name of the folder of a combination: `width=8,act=relu`. Another one for other values, also where they have no letters for it."""
    whole = ",".join(f"{name}={value}" for name, value in values.items())
    name = re.sub(r"[^\w.=,+-]+", "_", whole)
    if name == whole and len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
