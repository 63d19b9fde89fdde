"""Find the specs that are part of netc, for `use "zoo/..."`, `netc zoo` and `netc.zoo`.

In: the name of a model or of a file. Out: the path of the file, and the model. Always: only one file has a model of that name, which a test
checks. A file without a model that can be compiled alone counts as one model, with the file's name.

    >>> find_published("resnet50")
    ('vision/resnet.net', 'resnet50')
"""

from __future__ import annotations

import os
import re
from functools import cache

from netc.compiler.elaborate import complete_models
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from .file_access import SUFFIX
from .package_data import find_data_folder

SPECS_FOLDER = find_data_folder("specs", "specs")
LIBRARY = "std"
"""The folder of blocks that the specs use. It has no models."""
_MODEL = re.compile(r"^model (\w+)", re.MULTILINE)


class PublishedSpec(Record):
    """A file, relative to the folder of all specs. `complete` are its models that need no arguments, else the file's name."""

    path: str
    complete: tuple[str, ...]


class NoSuchModel(ValueError):
    """No spec of this name is part of netc."""


@cache
def list_paths() -> tuple[str, ...]:
    """Return the paths of all files, such as `vision/resnet.net`."""
    spec_paths = []
    for home, folders, names in os.walk(SPECS_FOLDER):
        folders[:] = sorted(name for name in folders if home != SPECS_FOLDER or name != LIBRARY)
        spec_paths += [
            os.path.relpath(os.path.join(home, name), SPECS_FOLDER).replace(os.sep, "/") for name in names if name.endswith(SUFFIX)
        ]
    return tuple(sorted(spec_paths))


@cache
def list_published() -> tuple[PublishedSpec, ...]:
    """Return all files with their models. This parses all of them, so a look-up of one name does not call it."""
    return tuple(PublishedSpec(path, list_complete_models(path) or (get_stem(path),)) for path in list_paths())


@cache
def list_complete_models(path: str) -> tuple[str, ...]:
    """Return the models of a file that need no arguments."""
    return tuple(complete_models(parse_source(SourceFile(path, read_text(path)))[0]))


def get_stem(path: str) -> str:
    """Return the name of a file without its folders and its ending."""
    return path.rpartition("/")[2].removesuffix(SUFFIX)


def resolve_path(path: str) -> str:
    """Return the path of a file on the disk."""
    return os.path.join(SPECS_FOLDER, *path.split("/"))


def read_text(path: str) -> str:
    """Return the text of a file."""
    with open(resolve_path(path), encoding="utf-8") as file:
        return file.read()


def find_similar_published(name: str) -> tuple[str, ...]:
    """Return the names of published models and files that are similar to a bare name."""
    if not name.isidentifier():
        return ()
    names = [model for entry in list_published() for model in (*entry.complete, get_stem(entry.path))]
    return tuple(find_similar_names(name, dict.fromkeys(names)))


def find_or_raise(name: str) -> tuple[str, str | None]:
    """Return the path of a file and the model, or None for the model if the name is a file's. Raises `NoSuchModel` with similar names."""
    published_model = find_published(name)
    if published_model is not None:
        return published_model
    names = [model for entry in list_published() for model in entry.complete]
    similar = find_similar_names(name, [*names, *(path.removesuffix(SUFFIX) for path in list_paths())])
    hint = f"did you mean {' or '.join(f'`{similar_name}`' for similar_name in similar)}?" if similar else "`netc zoo` lists them"
    raise NoSuchModel(f"no spec `{name}` is part of netc; {hint}")


def find_published(name: str) -> tuple[str, str | None] | None:
    """Return the path of a file and the model, or None if no spec of this name is part of netc."""
    file_name = name.removeprefix("zoo/").removesuffix(SUFFIX) + SUFFIX
    files = [path for path in list_paths() if file_name in (path, path.rpartition("/")[2])]
    if files:
        return files[0], None
    for path in list_paths():  # the pattern is a quick test, so that only the file with the model is parsed
        if name in _MODEL.findall(read_text(path)) and name in list_complete_models(path):
            return path, name
    return None
