"""`python -m netc`, and the `netc` script: the command line."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Ends at once: until the commands can catch an interruption, nothing has been begun."""
    os._exit(130)


def main() -> NoReturn:
    """The entry point. Importing the command line takes a moment, in which Ctrl-C is to have no traceback either."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    from netc.cli import main as run

    run(usual)


if __name__ == "__main__":
    main()
