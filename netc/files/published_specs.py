"""The specs that are part of netc, as `use "zoo/..."`, `netc zoo` and `netc.zoo` have them.

In: the name of a model or of a file. Out: the path of the file, and the model. Always: a name of a model is of one file only (a
test sees to that); a file without models that can be compiled alone is one model, of the file's name.
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
from .package_data import folder

FOLDER = folder("specs", "specs")
LIBRARY = "std"
"""The folder in it that has no models, but what they use."""
_MODEL = re.compile(r"^model (\w+)", re.MULTILINE)


class Published(Record):
    """A file, relative to the folder of all; its models. `complete` are those that need no arguments, or the name of a file without any."""

    path: str
    complete: tuple[str, ...]


class NoSuchModel(ValueError):
    """No spec of that name is part of netc."""


@cache
def paths() -> tuple[str, ...]:
    """All files: `vision/resnet.net`."""
    found = []
    for home, folders, names in os.walk(FOLDER):
        folders[:] = sorted(name for name in folders if home != FOLDER or name != LIBRARY)
        found += [os.path.relpath(os.path.join(home, name), FOLDER).replace(os.sep, "/") for name in names if name.endswith(SUFFIX)]
    return tuple(sorted(found))


@cache
def published() -> tuple[Published, ...]:
    """All files with their models, which takes the time to parse them."""
    return tuple(Published(path, _complete(path) or (_stem(path),)) for path in paths())


@cache
def _complete(path: str) -> tuple[str, ...]:
    return tuple(complete_models(parse_source(SourceFile(path, _text(path)))[0]))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(SUFFIX)


def real(path: str) -> str:
    """Where the file is."""
    return os.path.join(FOLDER, *path.split("/"))


def _text(path: str) -> str:
    with open(real(path), encoding="utf-8") as file:
        return file.read()


def find(name: str) -> tuple[str, str | None]:
    """The path of a file and the model, None where the file is named. Raises `NoSuchModel`, which suggests similar names."""
    found = lookup(name)
    if found is not None:
        return found
    names = [model for entry in published() for model in entry.complete]
    meant = find_similar_names(name, [*names, *(path.removesuffix(SUFFIX) for path in paths())])
    hint = f"did you mean {' or '.join(f'`{one}`' for one in meant)}?" if meant else "`netc zoo` lists them"
    raise NoSuchModel(f"no spec `{name}` is part of netc; {hint}")


def lookup(name: str) -> tuple[str, str | None] | None:
    """The same; None if no spec of that name is part of netc."""
    whole = name.removeprefix("zoo/").removesuffix(SUFFIX) + SUFFIX
    files = [path for path in paths() if whole in (path, path.rpartition("/")[2])]
    if files:
        return files[0], None
    for path in paths():
        if name in _MODEL.findall(_text(path)) and name in _complete(path):
            return path, name
    return None
