"""Where words go: plain text in a pipe, colours in a terminal that has them.

Always: nothing is wrapped; `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are heeded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click


def coloured(stream: TextIO) -> bool:
    """Whether the stream shows colours. `FORCE_COLOR` asks for them where there is no terminal; `NO_COLOR` goes first."""
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


def write(text: str) -> None:
    """Writes to standard output, with a newline at the end."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def note(text: str) -> None:
    """Writes to standard error what accompanies the output."""
    sys.stdout.flush()
    sys.stderr.write(text if text.endswith("\n") else text + "\n")


def complain(message: str, *help: str, notes: Sequence[str] = (), code: str = "") -> None:
    """An error without a position in a spec, formatted as those that have one."""
    colour = coloured(sys.stderr)

    def styled(word: str, paint: str) -> str:
        return click.style(word, fg=paint, bold=True) if colour else word

    title = styled(f"error[{code}]" if code else "error", "red")
    lines = [f"{title}: {message}"]
    lines += [f"  {styled('note', 'cyan')}: {n}" for n in notes]
    lines += [f"  {styled('help', 'cyan')}: {h}" for h in help]
    note("\n".join(lines))


def table(text: str) -> str:
    """A table with its header in bold where there are colours."""
    if not coloured(sys.stdout):
        return text
    header, newline, rest = text.partition("\n")
    return click.style(header, bold=True) + newline + rest
