"""Runs the server on standard input and output, until the editor ends it."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import redirect_stdout

from . import features, questions
from .server import NetServer


def collect_rarely() -> None:
    """Looks for garbage less often than Python would: an answer makes many objects, and little garbage."""
    gc.set_threshold(50_000)


def serve() -> None:
    """Speaks with one editor."""
    logging.basicConfig(level=logging.WARNING, format="netc: %(message)s")
    collect_rarely()
    server = NetServer()
    features.register(server)
    questions.register(server)
    gc.collect()
    gc.freeze()  # what was imported lives to the end
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers, redirect_stdout(sys.stderr):
        server.start_io(stdout=answers)  # which closes it
