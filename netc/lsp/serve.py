"""Run the server on standard input and output, until the editor ends it."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import redirect_stdout
from types import TracebackType

from lsprotocol import types as lsp

from . import features, questions
from .protocol import is_worth_logging
from .server import NetServer


class InvalidMessage(ValueError):
    """Standard input does not contain messages of the protocol."""


class _OneLineFormatter(logging.Formatter):
    """Formats a record on one line for the editor's log, without tracebacks."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = record.message.partition("\n")[0]  # pygls writes tracebacks into some
        return super().formatMessage(record)

    def formatException(  # noqa: N802
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return f"  {ei[0].__name__}: {str(ei[1])[:200]}" if ei[0] is not None else ""


def raise_gc_threshold() -> None:
    """Make Python collect garbage less often: an answer creates many objects, but little cyclic garbage."""
    gc.set_threshold(50_000)


def run_server() -> bool:
    """Serve one editor. Return False if it sends `exit` without `shutdown` before, for which the protocol requires exit code 1."""
    log = logging.StreamHandler()
    log.setFormatter(logging.Formatter("netc: %(message)s") if os.environ.get("NETC_DEBUG") else _OneLineFormatter("netc: %(message)s"))
    log.addFilter(is_worth_logging)
    logging.basicConfig(level=logging.WARNING, handlers=[log])
    raise_gc_threshold()
    server = NetServer()
    features.register_text_features(server)
    questions.register_position_features(server)
    endings: list[str] = []
    server.feature(lsp.SHUTDOWN)(lambda *_: endings.append(lsp.SHUTDOWN))
    server.feature(lsp.EXIT)(lambda *_: endings.append(lsp.EXIT))
    gc.collect()
    gc.freeze()  # imported modules live to the end, so the collector need not visit them
    # A `print` anywhere would break the protocol, so everything else that writes to standard output goes to standard error.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers, redirect_stdout(sys.stderr):
        try:
            server.start_io(stdout=answers)  # closes `answers`
        except (ValueError, OverflowError, MemoryError) as error:  # from the lengths in headers
            raise InvalidMessage(str(error)[:200] or "it announces a message that is larger than the memory") from error
    return endings[:1] != [lsp.EXIT]
