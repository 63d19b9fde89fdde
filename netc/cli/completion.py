"""Completion of words in the shell: files, folders, and the names that `completion_names` finds.

In: the words typed so far. Out: the words that may follow. Always: declaring an option imports nothing of the compiler. Every command
imports this module, and only the shell's completion needs `completion_names`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


class FileName(click.ParamType):  # type: ignore[type-arg]
    """The path of a file, which the shell completes in its usual way."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class SpecName(FileName):
    """The path of a spec, or the name of a published one."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        # All names at once would hide the files of the folder.
        names = complete_published(ctx, param, incomplete) if incomplete.isidentifier() else []
        return [*super().shell_complete(ctx, param, incomplete), *(CompletionItem(name) for name in names if name.isidentifier())]


class FolderName(click.ParamType):  # type: ignore[type-arg]
    """The path of a folder, which the shell completes in its usual way."""

    name = "directory"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir")]


def _make_completer(finder: str) -> Completer:
    """Return a function that completes the names found by the function `finder` of `completion_names`."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        names = getattr(import_module(".completion_names", __package__), finder)(ctx)
        return sorted(name for name in set(names) if name.startswith(incomplete))

    return complete


complete_operators = _make_completer("find_operators")
complete_published = _make_completer("find_published_models")
complete_codes = _make_completer("find_codes")
complete_models = _make_completer("find_models")
