"""Ctrl-C while a command runs.

In: SIGINT. Out: `KeyboardInterrupt` in the main thread, as Python raises it, and the memory of it. Always: an interruption is known as one
whatever became of the exception: a library in C that imports a module, as NumPy and ONNX Runtime do, prints it and raises another one.
"""

from __future__ import annotations

import sys
from types import FrameType, TracebackType
from typing import NoReturn

_noticed = False


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """The handler of SIGINT."""
    global _noticed
    _noticed = True
    raise KeyboardInterrupt


def noticed() -> bool:
    """Whether `interrupt` has been called."""
    return _noticed


def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What C prints of an interruption is left out."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
