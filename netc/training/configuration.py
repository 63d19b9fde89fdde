"""What a run was started with, as config.json has it, so that `--resume RUN` needs nothing else.

In: the arguments of a run. Out: a JSON object, and from it the same arguments again. Always: the hash in the file is that of all that the
graph was made from, so that a run is never continued with another spec.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from netc.compiler.errors.run_errors import RunDiffers, RunError, RunUnreadable
from netc.compiler.types.tensor_types import DTYPES, DType
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice
from .data.fingerprint import DataFingerprint
from .engine import Engine
from .open_data import Asked
from .ranks import world_size
from .training_session import Wishes

DAMAGED = "its `config.json` is damaged"
SETTINGS = ("epochs", "steps", "batch", "seed")
"""Those of `Wishes` that are numbers."""
OF_PROCESSES = ("strategy", "tp")
"""Those of `Engine` that mean nothing where one process goes on with what several began."""


class Arguments(Record):
    """The arguments of a run, apart from its folder. `path` is where the spec was read from, None for a text."""

    text: str
    path: str | None
    section: str | None
    choice: Choice
    wishes: Wishes
    engine: Engine

    @property
    def source(self) -> SourceFile:
        return SourceFile(self.path or "<text>", self.text)


def as_json(arguments: Arguments) -> dict[str, Any]:
    """The arguments as a JSON object. Paths are absolute: the run may be continued from another folder."""
    choice, wishes, asked = arguments.choice, arguments.wishes, arguments.wishes.asked
    return {
        "spec": arguments.text,
        "path": None if arguments.path is None else os.path.abspath(arguments.path),
        "section": arguments.section,
        "choice": {
            "model": choice.model,
            "params": {name: _plain(value) for name, value in choice.params.items()},
            "dims": choice.dims,
            "allow_paths": [os.path.abspath(path) for path in choice.allow_paths],
        },
        "given": {"data": _place(asked.data), "validation": _place(asked.validation), "columns": asked.columns, "options": asked.options},
        "settings": {name: getattr(wishes, name) for name in SETTINGS},
        "engine": {name: getattr(arguments.engine, name) for name in Engine.__match_args__},
    }


def from_json(config: Mapping[str, Any], folder: str, engine: Mapping[str, Any], data: Any = None, validation: Any = None) -> Arguments:
    """The arguments again, with what is given now of the engine, and of data that are elsewhere now. Raises `RunError`."""
    try:
        return _arguments(config, folder, engine, data, validation)
    except RunError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RunError(RunUnreadable(folder, DAMAGED)) from None


def check_contents(contents: Mapping[str, DataFingerprint], config: Mapping[str, Any], folder: str) -> None:
    """A run goes on with the data that it was started with. Raises `RunError`."""
    try:
        known = config["content"]
        if "training" in known and contents.keys() - known.keys():
            raise RunError(RunDiffers(folder, "it was started without other data to validate on"))
        changes = [content.describe_change(known[name]) for name, content in contents.items()]
    except (KeyError, TypeError, AttributeError):
        raise RunError(RunUnreadable(folder, DAMAGED)) from None
    change = next(filter(None, changes), None)
    if change is not None:
        raise RunError(RunDiffers(folder, change))


def _arguments(config: Mapping[str, Any], folder: str, engine: Mapping[str, Any], data: Any, validation: Any) -> Arguments:
    kept, path, chosen = dict(config["given"]), config["path"], dict(config["choice"])
    chosen["params"] = {name: _value(value) for name, value in chosen["params"].items()}
    chosen["allow_paths"] = tuple(chosen["allow_paths"])
    columns = {name: tuple(c) if isinstance(c, list) else c for name, c in kept["columns"].items()}
    own = kept["data"] if data is None else data, kept["validation"] if validation is None else validation
    if any(isinstance(one, dict) for one in own):
        raise RunError(RunUnreadable(folder, "its data were given in Python", "resume it in Python, with the same data"))
    asked = Asked(*own, columns, dict(kept["options"]), path, chosen["allow_paths"])
    settings = {name: config["settings"][name] for name in SETTINGS}
    several = OF_PROCESSES if world_size() == 1 else ()
    known = {name: value for name, value in config["engine"].items() if name in Engine.__match_args__ and name not in several}
    choice, where = Choice(**chosen), Engine(**{**known, **engine})
    return Arguments(str(config["spec"]), path, config["section"], choice, Wishes(asked, **settings), where)


def _place(value: Any) -> Any:
    """Where data are, or another argument that JSON has; `{}` for an object of the caller's."""
    if isinstance(value, str):
        head, colon, path = value.partition(":")
        if os.path.exists(value):
            return os.path.abspath(value)
        return f"{head}:{os.path.abspath(path)}" if colon and os.path.exists(path) else value
    return value if value is None or isinstance(value, (bool, int, float)) else {}


def _plain(value: object) -> Any:
    """The value of a parameter."""
    if isinstance(value, DType):
        return {"type": value.name}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _value(value: Any) -> object:
    if isinstance(value, dict):
        return DTYPES[value["type"]]
    return tuple(_value(item) for item in value) if isinstance(value, list) else value
