"""Read the spec that a command or a function names: a file, or a spec that is part of netc.

In: a path or a bare name. Out: the text, and the path of the file. Always: a file of that name comes first.

    >>> source, path = read_spec("resnet18")
    >>> path.endswith("resnet.net"), source.model
    (True, 'resnet18')
"""

from __future__ import annotations

import os

from netc.dsl.source import SourceFile

from .published_specs import find_published, get_stem, list_complete_models, read_text, resolve_path
from .source_files import read_file


class PublishedSource(SourceFile):
    """The text of a published file. `model` is the model that its name stands for; None if it is the name of the file."""

    def __init__(self, path: str, text: str, model: str | None) -> None:
        super().__init__(f"zoo/{path}", text)
        self.model = model

    def name_model(self) -> str:
        """Return a model of the file: the one that the name stands for, or the first."""
        path = self.name.removeprefix("zoo/")
        return self.model or next(iter(list_complete_models(path)), get_stem(path))


def read_spec(path: str) -> tuple[SourceFile, str]:
    """Return the text of a file, or of a published spec if there is no such file, and the path of the file. Raises `Unreadable`."""
    # Only a bare name: a misspelled path must not be another text.
    published = find_published(path) if path.isidentifier() and not os.path.lexists(path) else None
    if published is None:
        return read_file(path), path
    where, model = published
    return PublishedSource(where, read_text(where), model), resolve_path(where)
