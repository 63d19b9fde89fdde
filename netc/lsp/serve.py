"""Runs the server on standard input and output, until the editor ends it."""

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
    """What is read on standard input are no messages of the protocol."""


class _OneLineFormatter(logging.Formatter):
    """What is logged goes to the editor's log: of an exception, such as that of a message that is no JSON, what it says."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = record.message.partition("\n")[0]  # pygls writes tracebacks into some
        return super().formatMessage(record)

    def formatException(  # noqa: N802
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return f"  {ei[0].__name__}: {str(ei[1])[:200]}" if ei[0] is not None else ""


def raise_gc_threshold() -> None:
    """Looks for garbage less often than Python would: an answer makes many objects, and little garbage."""
    gc.set_threshold(50_000)


def run_server() -> bool:
    """Speaks with one editor. False if it says that the server is to exit, and has not asked it to shut down before."""
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
    gc.freeze()  # what was imported lives to the end
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers, redirect_stdout(sys.stderr):
        try:
            server.start_io(stdout=answers)  # which closes it
        except (ValueError, OverflowError, MemoryError) as error:  # of the lengths in headers
            raise InvalidMessage(str(error)[:200] or "it announces a message that is larger than the memory") from error
    return endings[:1] != [lsp.EXIT]
