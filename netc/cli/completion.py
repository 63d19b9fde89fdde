"""What the shell completes: files and folders by itself, and names that `completion_names` finds when the shell asks for them.

In: the words that are typed so far. Out: those that may follow. Always: declaring an option imports nothing of the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


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


def _names_of(finder: str) -> Completer:
    """Completes the names that the function `finder` of `completion_names` finds."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        names = getattr(import_module(".completion_names", __package__), finder)(ctx)
        return sorted(name for name in set(names) if name.startswith(incomplete))

    return complete


operators = _names_of("find_operators")
published = _names_of("find_published")
codes = _names_of("find_codes")
models = _names_of("find_models")
