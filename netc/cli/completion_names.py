"""Find the names that the shell completes: operators and words, codes, models.

In: the context of the words typed so far. Out: all names that could follow. Always: nothing is printed, and an unreadable file has no
models: a message here would land in the middle of the line that somebody is typing.

    >>> "unknown-operator" in find_codes(None), "dense" in find_operators(None)
    (True, True)
"""

from __future__ import annotations

import click

from netc.compiler.elaborate import complete_models
from netc.compiler.ops import Operator
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from ..files.file_access import open_regular
from ..files.published_specs import list_published
from ..files.source_files import Unreadable, read_file
from ..reference.error_pages import list_codes
from ..reference.word_pages import STD, list_library_files, read_word_pages


def find_operators(ctx: click.Context) -> list[str]:
    """Return the names that `netc ops` takes."""
    return [*(op.name for op in Operator.registry.values() if op.operands), *read_word_pages(), STD, *list_library_files()]


def find_published_models(ctx: click.Context) -> list[str]:
    """Return the names that `netc zoo` takes."""
    return [name for entry in list_published() for name in (entry.path, *entry.complete)]


def find_codes(ctx: click.Context) -> list[str]:
    """Return the codes that `netc explain` takes."""
    return list_codes()


def find_models(ctx: click.Context) -> list[str]:
    """Return the models of the file on the command line, or of the text after `-e`."""
    text = ctx.params.get("text")
    # click leaves the file in `ctx.args` while an option after it still lacks its value, as in `netc check x.net --model <TAB>`
    files = [*(ctx.params.get("files") or ()), ctx.params.get("file"), *ctx.args, ""]
    try:
        # only a regular file: the shell must not wait for the writer of a FIFO
        source = SourceFile("text", text) if text is not None else read_file(next(f for f in files if f is not None), opener=open_regular)
    except Unreadable:
        return []
    return complete_models(parse_source(source)[0])
