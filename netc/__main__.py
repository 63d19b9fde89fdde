"""Run the command line, as `python -m netc` or as the script `netc`.

Always: the process starts and ends fast, and Ctrl-C never shows a traceback, also while modules are imported and while the process ends.
"""

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
    """End the process at once. Before a command can catch an interruption, nothing has begun that would need an orderly end."""
    os._exit(130)  # 128 + SIGINT, as a shell reports it


def _interrupt_main() -> None:
    """Interrupt the main thread, also in a system call if the operating system supports that."""
    import threading

    # Windows has no `pthread_kill`
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _repeat_lost_interrupt(what: sys.UnraisableHookArgs) -> None:
    """Repeat an interruption that came while Python ran a finalizer: Python would print a traceback and continue."""
    if what.exc_type is KeyboardInterrupt:
        import threading

        # a little later, when the finalizer has returned
        threading.Timer(0.01, _interrupt_main).start()
    else:
        sys.__unraisablehook__(what)


def main() -> NoReturn:
    """Run the command line. Importing it takes a moment, in which Ctrl-C must not show a traceback either."""
    handler = signal.getsignal(signal.SIGINT)
    # any other handler stays: a caller has chosen it, or SIGINT is ignored, as in a background job of a shell
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_on_interrupt)
        sys.unraisablehook = _repeat_lost_interrupt
        from netc.interrupts import handle_interrupt, report_uncaught

        sys.excepthook, handler = report_uncaught, handle_interrupt
    gc.disable()  # imports make no garbage; `netc.cli.main` enables the collector again, with a higher threshold
    from netc.cli import main as run

    try:
        run(handler)
    except SystemExit as end:
        _exit_quickly(end)
        raise


def _exit_quickly(end: SystemExit) -> None:
    """End the process as Python does, but without dismantling hundreds of modules, which takes a fifth of the time of `netc check`.

    If something watches the process, such as a profiler, or the output cannot be written, the function returns, and Python ends the
    process.
    """
    if not isinstance(end.code, int) or _is_watched():
        return
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # waits for threads
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    # the two private functions may be absent in another version of Python
    except (AttributeError, OSError, ValueError):
        return
    os._exit(end.code)


def _is_watched() -> bool:
    """Whether a profiler, a debugger or a measurement of coverage runs; since Python 3.12 they may be tools of `sys.monitoring`."""
    monitoring = getattr(sys, "monitoring", None)
    # `sys.monitoring` has six numbers for tools
    tools = [] if monitoring is None else [monitoring.get_tool(number) for number in range(6)]
    return sys.getprofile() is not None or sys.gettrace() is not None or any(tools)


if __name__ == "__main__":
    main()
