"""Handle Ctrl-C while a command runs, and signals that end the process while it writes files.

In: SIGINT. Out: `KeyboardInterrupt` in the main thread, as from Python's own handler, and a flag. Always: the command knows of an
interruption even if the exception is lost: a library in C that imports a module, as NumPy and ONNX Runtime do, prints it and raises another
one.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

_TERMINATING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a process at once; Windows has no SIGHUP."""
_was_interrupted = False


def handle_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Handle SIGINT: set the flag, and raise `KeyboardInterrupt`."""
    global _was_interrupted
    _was_interrupted = True
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Whether `handle_interrupt` has been called."""
    return _was_interrupted


def report_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an uncaught exception, except interruptions, which libraries in C print although the command reports them."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


@contextmanager
def delay_termination() -> Iterator[None]:
    """Let signals that end the process at once interrupt the context first, so that it can remove its temporary files.

    Signals with another handler, or ignored ones, stay as they are. Outside of the main thread nothing changes, because Python handles
    signals in the main thread alone.
    """
    import threading

    in_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in _TERMINATING_SIGNALS if in_main and signal.getsignal(number) is signal.SIG_DFL]
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:  # a second signal must not interrupt the cleaning up
            raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, receive)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        if received:
            # with the default handler again, so that the parent process sees which signal ended this one
            signal.raise_signal(received[0])
