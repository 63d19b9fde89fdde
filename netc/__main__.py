"""`python -m netc`, and the `netc` script: the command line."""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def _exit_on_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Ends at once: until the commands can catch an interruption, nothing has been begun."""
    os._exit(130)


def _interrupt_main() -> None:
    """Interrupts what the main thread waits for, too, where the system can."""
    import threading

    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _repeat_lost_interrupt(what: sys.UnraisableHookArgs) -> None:
    """An interruption that comes while Python runs a finaliser is lost, with a traceback: it comes again, a moment later."""
    if what.exc_type is KeyboardInterrupt:
        import threading

        threading.Timer(0.01, _interrupt_main).start()
    else:
        sys.__unraisablehook__(what)


def main() -> NoReturn:
    """The entry point. Importing the command line takes a moment, in which Ctrl-C is to have no traceback either."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_on_interrupt)
        sys.unraisablehook = _repeat_lost_interrupt
        from netc.interrupts import handle_interrupt, report_uncaught

        sys.excepthook, handler = report_uncaught, handle_interrupt
    gc.disable()  # nothing that is imported is garbage; the command line looks for it again, more rarely
    from netc.cli import main as run

    try:
        run(handler)
    except SystemExit as end:
        _exit_quickly(end)
        raise


def _exit_quickly(end: SystemExit) -> None:
    """Ends the process as Python does, but does not take hundreds of modules apart, which is a fifth of the time of `netc check`. Where
    something watches the process, such as a profiler, or the output cannot be written, it returns, and Python ends it."""
    if not isinstance(end.code, int) or _is_watched():
        return
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # waits for threads
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return
    os._exit(end.code)


def _is_watched() -> bool:
    """Whether a profiler, a debugger or a measurement of coverage runs; since Python 3.12 they may be tools of `sys.monitoring`."""
    monitoring = getattr(sys, "monitoring", None)
    tools = [] if monitoring is None else [monitoring.get_tool(number) for number in range(6)]
    return sys.getprofile() is not None or sys.gettrace() is not None or any(tools)


if __name__ == "__main__":
    main()
