"""Call a converter, and turn its exceptions into errors of the spec.

In: the input of a backend, and what to do with its exported module. Out: the result, or `UnsupportedByTarget` with the converter's reason.
Always: the converter prints nothing, because its progress and its tracebacks are no messages of netc.

    >>> format_reason(RuntimeError("Missing lowering: aten.foo\\nWhile executing %foo"))
    'Missing lowering: aten.foo'
    >>> len(format_reason(RuntimeError("expected " + "x" * 500)))
    201
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TypeVar

from netc.dsl.record import Record

from ...errors.target_errors import FormatUnsupported, UnsupportedByTarget
from ..backend import Artifact, BackendInput
from .export_module import ExportedModule
from .failing_stage import find_failing_stage

Result = TypeVar("Result")
_LONGEST = 200
"""The most characters of a converter's reason that are printed."""
_PLACE = re.compile(r"<netc [^>]*>:\d+:\d+: (error: )?")
"""A line of the emitted source, which the user does not have."""


class Converter(Record):
    """A vendor's converter: `convert` makes the artifact of a module, and `describe` the converted module as text. Any exception means that
    the converter refuses the module."""

    convert: Callable[[ExportedModule], Artifact]
    describe: Callable[[ExportedModule], str]


def convert_program(title: str, given: BackendInput, convert: Callable[[ExportedModule], Result]) -> Result:
    """Convert the module of a program. `title` is the format's, for errors. Raises `UnsupportedByTarget`."""
    exported = ExportedModule.make(given, title)
    with silence_converter():
        try:
            return convert(exported)
        except (UnsupportedByTarget, MemoryError, OSError):
            raise
        # Converters do not document their exceptions, and raise AssertionError, KeyError and many others for operators that they lack.
        except Exception as error:
            node = find_failing_stage(given.program, title, convert, error)
            what, span = (f"`{node.op.name}`", node.span) if node is not None else ("the model", None)
            raise UnsupportedByTarget(FormatUnsupported(what, title, format_reason(error)), span) from error


def format_reason(error: BaseException) -> str:
    """Return the first line of an exception's text, without the converter's traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = _PLACE.sub("", re.sub(r"\s+", " ", lines[0])) if lines else type(error).__name__
    if len(reason) <= _LONGEST:
        return reason
    # A reason may be one long word, such as a type.
    space = reason.rfind(" ", _LONGEST // 2, _LONGEST)
    return f"{reason[: space if space >= 0 else _LONGEST]}…"


@contextmanager
def silence_converter() -> Iterator[None]:
    """Silence warnings, loggers, and everything that is printed, also by native code, which writes to the descriptors themselves."""
    level = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _redirect_descriptors():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)


@contextmanager
def _redirect_descriptors() -> Iterator[None]:
    """Send what is written to the descriptors 1 and 2 to nowhere."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        for number in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
