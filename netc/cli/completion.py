"""What the shell completes: files, operators and words, codes, models.

In: the words that are typed so far. Out: those that may follow. Always: nothing is printed, and a file that cannot be read has no models.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


class FileName(click.ParamType):  # type: ignore[type-arg]
    """A path. The shell completes it, as it does without netc."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class FolderName(click.ParamType):  # type: ignore[type-arg]
    """The path of a folder."""

    name = "directory"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]


def operators(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names that `netc ops` takes."""
    from netc.compiler.ops import Operator

    from ..reference.word_pages import STD, library_files, words

    names = [op.name for op in Operator.registry.values() if op.operands]
    return _beginning(incomplete, [*names, *words(), STD, *library_files()])


def published(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names that `netc zoo` takes."""
    from ..files.published_specs import published

    return _beginning(incomplete, [name for entry in published() for name in (entry.path, *entry.complete)])


def codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The codes that `netc explain` takes."""
    from ..reference.error_pages import codes

    return _beginning(incomplete, codes())


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The models of the file that is typed, or of the text after `-e`."""
    from netc.compiler.elaborate import complete_models
    from netc.dsl.parser import parse
    from netc.dsl.source import SourceFile

    from ..files.file_access import open_regular
    from ..files.source_files import Unreadable, read_file

    text = ctx.params.get("text")
    files = [*(ctx.params.get("files") or ()), ctx.params.get("file"), *ctx.args, ""]  # in args: what is before an option without its value
    try:
        source = SourceFile("text", text) if text is not None else read_file(next(f for f in files if f is not None), opener=open_regular)
    except Unreadable:
        return []
    return _beginning(incomplete, complete_models(parse(source)[0]))


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return sorted(name for name in set(names) if name.startswith(incomplete))
