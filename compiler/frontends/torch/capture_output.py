"""Silences the output of PyTorch during an export. The exception that it raises has all that the user needs."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def silence_output() -> Iterator[None]:
    """Silence warnings, PyTorch's loggers and the graphs that torch.export prints when it fails.

    Some of the loggers print tracebacks of exceptions that are raised anyway.
    """
    loggers = [
        one
        for name, one in logging.root.manager.loggerDict.items()
        if name.partition(".")[0] == "torch" and isinstance(one, logging.Logger)
    ]
    # A logger that the user has disabled stays disabled afterwards.
    silenced = [logger for logger in loggers if not logger.disabled]
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in silenced:
            logger.disabled = True
        try:
            yield
        finally:
            for logger in silenced:
                logger.disabled = False
