"""Where words go: plain text in a pipe, colors in a terminal that has them.

Always: nothing is wrapped; `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are heeded.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from netc.dsl.escapes import escape_controls


def colored(stream: TextIO) -> bool:
    """Whether the stream shows colors. `FORCE_COLOR` asks for them where there is no terminal; `NO_COLOR` goes first."""
    if os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR"):
        return True
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal; None where there is none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def columns(stream: TextIO) -> int:
    """How wide tables may be: as the terminal is, or 80 where there is none."""
    return width_of(stream) or 80


def write(text: str) -> None:
    """Writes to standard output, with a newline at the end. Control characters in names and strings are escaped."""
    text = without_controls(text, colored(sys.stdout))
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Writes a note about the output to standard error. Control characters in names and strings are escaped."""
    text = without_controls(text, colored(sys.stderr))
    sys.stdout.flush()
    sys.stderr.write(text if text.endswith("\n") else text + "\n")
    sys.stderr.flush()


def visible(text: str) -> str:
    """The text with escapes in place of characters that would control the terminal, and no longer than a screen; lines stay lines."""
    from netc.dsl.diagnostics.render.cells import shorten_text

    return without_controls(shorten_text(text))


_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")


def without_controls(text: str, colors: bool = False) -> str:
    """The text with escapes for characters that would control the terminal, except newlines and tabs. `colors`: the codes of colors stay,
    since netc has written them and they can do no harm."""
    if colors:
        return "".join(part if _COLOR.fullmatch(part) else without_controls(part) for part in _COLOR.split(text))
    return escape_controls(text, keep="\n\t")


def complain(message: str, *help: str, notes: Sequence[str] = (), code: str = "") -> None:
    """An error without a position in a spec, formatted as those that have one."""
    title = styled(f"error[{code}]" if code else "error", "red")
    lines = [f"{title}: {visible(message)}"]
    lines += [f"  {styled('note', 'cyan')}: {visible(n)}" for n in notes]
    lines += [f"  {styled('help', 'cyan')}: {visible(h)}" for h in help]
    note("\n".join(lines))


def styled(word: str, paint: str) -> str:
    """A word of a message on standard error."""
    return click.style(word, fg=paint, bold=True) if colored(sys.stderr) else word


def expect_no_garbage() -> None:
    """For commands whose trees and graphs live to the end: to look for garbage among them is a tenth of the time, or a fifth where there
    are two. A model of 100,000 stages makes fewer objects than that, and what has lasted once is not looked at again. In training, tensors
    may be garbage."""
    gc.set_threshold(20_000_000, 1_000)


def expect_no_products() -> None:
    """For commands that copy numbers and multiply no large matrices: the threads that NumPy starts for these when it is imported, one for
    each core, take a tenth of the time. Who asks for a number of threads gets it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def table(text: str) -> str:
    """A table with its header in bold where there are colors."""
    if not colored(sys.stdout):
        return text
    header, newline, rest = text.partition("\n")
    return click.style(header, bold=True) + newline + rest
