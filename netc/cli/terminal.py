r"""Write text to standard output and standard error: plain in a pipe, with colors in a terminal that has them.

Always: no line is wrapped. No name or string from a file reaches the terminal with control characters, which could hide text or set the
title of the window. `NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are respected.

    >>> escape_control_characters("title\x1b]0;hidden")
    'title\\u{1b}]0;hidden'
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


def has_colors(stream: TextIO) -> bool:
    """Whether to write colors to the stream. `FORCE_COLOR` turns them on without a terminal, and `NO_COLOR` wins over it."""
    if os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR"):
        return True
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def get_terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal, or None if the stream is not a terminal."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # a terminal of unknown size reports 0
    except (OSError, ValueError):
        return None


def get_table_width(stream: TextIO) -> int:
    """Return the most columns of a table: the width of the terminal, or 80 without a terminal."""
    return get_terminal_width(stream) or 80


def write_text(text: str) -> None:
    """Write a text to standard output, with a newline at the end. Control characters are escaped."""
    text = escape_control_characters(text, has_colors(sys.stdout))
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_status(text: str) -> None:
    """Write a message about the result, such as `wrote m.onnx`, to standard error. Control characters are escaped."""
    text = escape_control_characters(text, has_colors(sys.stderr))
    sys.stdout.flush()  # standard output is buffered, and the message belongs after what was written before it
    sys.stderr.write(text if text.endswith("\n") else text + "\n")
    sys.stderr.flush()


def to_printable(text: str) -> str:
    """Return a text that is safe to print: control characters are escaped, and a very long text is shortened. Newlines stay."""
    from netc.dsl.diagnostics.render.cells import shorten_text

    return escape_control_characters(shorten_text(text))


_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")


def escape_control_characters(text: str, colors: bool = False) -> str:
    """Escape the characters that would control the terminal, except newlines and tabs. `colors`: the codes of colors stay, because netc has
    written most of them, and a color can do no harm."""
    if colors:
        return "".join(part if _COLOR.fullmatch(part) else escape_control_characters(part) for part in _COLOR.split(text))
    return escape_controls(text, keep="\n\t")


def write_markdown(text: str) -> None:
    """Write Markdown to standard output: formatted where there are colors, and as it is elsewhere, so that it stays Markdown in a file."""
    if not has_colors(sys.stdout):
        write_text(text.rstrip("\n"))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def write_note(text: str) -> None:
    """Write a note about the result to standard error, after the word `note:`."""
    write_status(f"note: {text}")


def write_error(message: str, *help: str, notes: Sequence[str] = (), code: str = "") -> None:
    """Write an error without a position in a spec, in the form of a diagnostic."""
    title = style_word(f"error[{code}]" if code else "error", "red")
    lines = [f"{title}: {to_printable(message)}"]
    lines += [f"  {style_word('note', 'cyan')}: {to_printable(n)}" for n in notes]
    lines += [f"  {style_word('help', 'cyan')}: {to_printable(h)}" for h in help]
    write_status("\n".join(lines))


def style_word(word: str, paint: str) -> str:
    """Return a word of a message on standard error in bold and a color, if standard error shows colors."""
    return click.style(word, fg=paint, bold=True) if has_colors(sys.stderr) else word


def defer_garbage_collection() -> None:
    """Collect garbage rarely, in commands whose trees and graphs live to the end.

    Searching them for garbage takes a tenth of a command's time, or a fifth with two models. A model of 100,000 stages makes fewer objects
    than the first threshold, and because of the second one an object that survived once is not searched again. `netc train` must not call
    this: its garbage may hold tensors.
    """
    gc.set_threshold(20_000_000, 1_000)


def limit_blas_threads() -> None:
    """Let NumPy start no threads, in commands that copy arrays and multiply no large matrices.

    Starting one thread for each core, as NumPy does when it is imported, takes a tenth of the command's time. A number of threads in the
    environment stays.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def style_table(text: str) -> str:
    """Return a table with its header in bold, if standard output shows colors."""
    if not has_colors(sys.stdout):
        return text
    header, newline, rest = text.partition("\n")
    return click.style(header, bold=True) + newline + rest
