"""Finds the names that the shell completes: operators and words, codes, models.

In: what is typed so far. Out: all names that could be meant. Always: nothing is printed, and a file that cannot be read has no models.
"""

from __future__ import annotations

import click

from netc.compiler.elaborate import complete_models
from netc.compiler.ops import Operator
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from ..files.file_access import open_regular
from ..files.published_specs import published
from ..files.source_files import Unreadable, read_file
from ..reference.error_pages import codes
from ..reference.word_pages import STD, library_files, words


def find_operators(ctx: click.Context) -> list[str]:
    """The names that `netc ops` takes."""
    return [*(op.name for op in Operator.registry.values() if op.operands), *words(), STD, *library_files()]


def find_published(ctx: click.Context) -> list[str]:
    """The names that `netc zoo` takes."""
    return [name for entry in published() for name in (entry.path, *entry.complete)]


def find_codes(ctx: click.Context) -> list[str]:
    """The codes that `netc explain` takes."""
    return codes()


def find_models(ctx: click.Context) -> list[str]:
    """The models of the file that is typed, or of the text after `-e`."""
    text = ctx.params.get("text")
    files = [*(ctx.params.get("files") or ()), ctx.params.get("file"), *ctx.args, ""]  # in args: what is before an option without its value
    try:
        source = SourceFile("text", text) if text is not None else read_file(next(f for f in files if f is not None), opener=open_regular)
    except Unreadable:
        return []
    return complete_models(parse_source(source)[0])
