"""What a command does when it cannot go on: a message on standard error, never a traceback, and an exit code.

In: an exception. Out: the exit code, the message printed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from netc import __version__
from netc.compiler.backends.backend import WrongOutput
from netc.compiler.errors.problem import Problem

from ..errors import CompileError
from ..files.source_files import reason
from ..interrupts import noticed
from ..plugin_loading import PluginError, raised_by_plugin
from .command_failure import FAILED
from .report import report
from .terminal import complain

INTERNAL = 70
INTERRUPTED = 130
NOBODY_READS = 141


def exit_code(error: BaseException) -> int:
    """Reports the exception; an unknown one is an error of netc itself."""
    if noticed() or _is_interrupted(error):
        return INTERRUPTED
    match error:
        case click.ClickException():
            raise error
        case BrokenPipeError():
            _forget_output()
            return NOBODY_READS
        case OSError():
            _cannot_write(error)
            return FAILED
        case MemoryError():
            complain(f"there is not enough memory for this{': ' if str(error) else ''}{error}")
            return FAILED
        case Exception():
            return _reported(error)
        case _:
            raise error


def _is_interrupted(error: BaseException | None) -> bool:
    """Whether the exception is an interruption, or was raised because of one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _cannot_write(error: OSError) -> None:
    if error.filename is None:
        _forget_output()
        complain(f"cannot write the output: {reason(error)}")
        return
    folder = os.path.dirname(str(error.filename))
    missing = isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder)
    complain(f"cannot write `{error.filename}`: " + (f"there is no folder `{folder}`" if missing else reason(error)))


def _reported(error: Exception) -> int:
    """Errors that carry diagnostics or a `Problem`, such as weights that do not fit, or an internal error."""
    if isinstance(error, CompileError):
        report(error.diagnostics, "text", sys.stderr)
        return FAILED

    if isinstance(error, (WrongOutput, PluginError)):
        complain(str(error))
        return FAILED
    problem = getattr(error, "problem", None)
    if not isinstance(problem, Problem):
        return _internal(error)
    complain(problem.format_message(), *problem.format_help(), notes=problem.format_notes(), code=problem.code)
    return FAILED


def _internal(error: Exception) -> int:
    if os.environ.get("NETC_DEBUG"):
        raise error

    what, place = f"{type(error).__name__}: {error}", raised_by_plugin(error)
    if place is not None:
        complain(f"a plugin has failed: {what}", f"this was raised in {place}; NETC_DEBUG=1 shows the whole traceback")
        return FAILED
    complain(
        f"internal error in netc {__version__}: {what}",
        "this is a mistake of netc, not of yours; please report it with the spec and the command",
        "NETC_DEBUG=1 shows where it happened",
    )
    return INTERNAL


def _forget_output() -> None:
    """Keeps the interpreter from trying once more to write out what is left."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
