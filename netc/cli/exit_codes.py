"""Report the exception that ended a command.

In: an exception. Out: a message on standard error, and the exit code of the process. Always: there is no traceback, unless `NETC_DEBUG` is
set.

A spec with errors ends a command with 1, Ctrl-C with 130, and an exception that nobody expected with 70.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from netc import __version__
from netc.compiler.backends.backend import WrongOutput
from netc.compiler.errors.plugin_errors import PluginMistake
from netc.compiler.errors.problem import Problem

from ..errors import CompileError
from ..files.source_files import format_reason
from ..interrupts import was_interrupted
from ..plugin_loading import PluginError, find_plugin_line
from .command_failure import FAILED
from .report import report_diagnostics
from .terminal import write_error

INTERNAL = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
NOBODY_READS = 141  # 128 + SIGPIPE


def report_exception(error: BaseException) -> int:
    """Report an exception, and return the exit code. An unknown exception is an error of netc itself."""
    if was_interrupted() or _is_interrupted(error):
        return INTERRUPTED
    match error:
        # click shows these itself, and exits with their code
        case click.ClickException():
            raise error
        case BrokenPipeError():  # `netc ops | head`: the reader has seen enough, so there is nothing to report
            _discard_output()
            return NOBODY_READS
        case OSError():  # reading a file raises errors of its own, so this is about an output
            _report_unwritable(error)
            return FAILED
        case MemoryError():
            write_error(f"there is not enough memory for this{': ' if str(error) else ''}{error}")
            return FAILED
        case Exception():
            return _report_error(error)
        case _:
            raise error


def _is_interrupted(error: BaseException | None) -> bool:
    """Whether the exception is an interruption, or was raised because of one: a library may turn KeyboardInterrupt into its own error."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _report_unwritable(error: OSError) -> None:
    if error.filename is None and isinstance(error, FileNotFoundError):  # of `os.getcwd`, which names no file
        write_error("the current folder does not exist anymore", "change to another folder")
        return
    if error.filename is None:  # standard output, since every file has a name
        _discard_output()
        write_error(f"cannot write the output: {format_reason(error)}")
        return
    folder = os.path.dirname(str(error.filename))
    missing = isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder)
    write_error(f"cannot write `{error.filename}`: " + (f"there is no folder `{folder}`" if missing else format_reason(error)))


def _report_error(error: Exception) -> int:
    """Report an error that carries diagnostics or a `Problem`, such as weights that do not fit; any other is internal."""
    if isinstance(error, CompileError):
        report_diagnostics(error.diagnostics, "text", sys.stderr)
        return FAILED

    if isinstance(error, (WrongOutput, PluginError, PluginMistake)):
        write_error(str(error))
        return FAILED
    problem = getattr(error, "problem", None)
    if not isinstance(problem, Problem):
        return _report_internal_error(error)
    write_error(problem.format_message(), *problem.format_help(), notes=problem.format_notes(), code=problem.code)
    return FAILED


def _report_internal_error(error: Exception) -> int:
    """Report an exception that nobody expected: a plugin's mistake if a frame of the traceback is in a plugin, else netc's."""
    if os.environ.get("NETC_DEBUG"):
        raise error

    what, place = f"{type(error).__name__}: {error}", find_plugin_line(error)
    if place is not None:
        write_error(f"a plugin has failed: {what}", f"this was raised in {place}; NETC_DEBUG=1 shows the whole traceback")
        return FAILED
    write_error(
        f"internal error in netc {__version__}: {what}",
        "this is a mistake of netc, not of yours; please report it with the spec and the command",
        "NETC_DEBUG=1 shows where it happened",
    )
    return INTERNAL


def _discard_output() -> None:
    """Point standard output to the null device, so that Python does not fail a second time when it flushes the stream at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
