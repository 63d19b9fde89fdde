"""Write the arguments of a run to config.json and read them again, so that `--resume RUN` needs nothing else.

In: the arguments of a run. Out: a JSON object, and from it the same arguments again. Always: the hash in the file covers everything that
the graph was made from, so that a run is never resumed with another spec.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from typing import Any

from netc.compiler.errors.run_errors import RunDiffers, RunError, RunUnreadable
from netc.compiler.types.tensor_types import DTYPES, DType
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice
from .data.data_formats import FORMATS
from .data.fingerprint import DataFingerprint
from .data.shard_files import has_shards
from .engine import Engine
from .locate_data import DataRequest
from .ranks import world_size
from .training_session import RunRequest

DAMAGED = "its `config.json` is damaged"
SETTINGS = ("epochs", "steps", "batch", "seed")
"""The fields of `RunRequest` that are numbers."""
_PATH_OPTIONS = frozenset(option.name for format in FORMATS.values() for option in format.options if option.is_path)
PROCESS_OPTIONS = ("strategy", "tp", "pp")
"""The fields of `Engine` that a single process ignores when it resumes a run of several processes."""


class RunArguments(Record):
    """The arguments of a run, apart from its folder. `path` is the file of the spec, or None if it was passed as text."""

    text: str
    path: str | None
    section: str | None
    choice: Choice
    run_request: RunRequest
    engine: Engine

    @property
    def source(self) -> SourceFile:
        return SourceFile(self.path or "<text>", self.text)


def arguments_to_json(arguments: RunArguments) -> dict[str, Any]:
    """Convert arguments to a JSON object. Paths become absolute, because the run may be resumed from another folder."""
    choice, run_request, data_request = arguments.choice, arguments.run_request, arguments.run_request.data_request
    return {
        "spec": arguments.text,
        "path": None if arguments.path is None else os.path.abspath(arguments.path),
        "section": arguments.section,
        "choice": {
            "model": choice.model,
            "params": {name: _value_to_json(value) for name, value in choice.params.items()},
            "dims": choice.dims,
            "allow_paths": [os.path.abspath(path) for path in choice.allow_paths],
        },
        "given": {
            "data": _location_to_json(data_request.data),
            "validation": _location_to_json(data_request.validation),
            "columns": data_request.columns,
            "options": {name: _option_to_json(name, word) for name, word in data_request.options.items()},
        },
        "settings": {name: getattr(run_request, name) for name in SETTINGS},
        "engine": {name: getattr(arguments.engine, name) for name in Engine.__match_args__},
    }


def arguments_from_json(
    config: Mapping[str, Any], folder: str, engine: Mapping[str, Any], data: Any = None, validation: Any = None
) -> RunArguments:
    """Read the arguments of a run. `engine`, `data` and `validation` override what the file has, because a resumed run may use another
    machine, and its data may have moved. Raises `RunError`."""
    try:
        return _read_arguments(config, folder, engine, data, validation)
    except RunError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RunError(RunUnreadable(folder, DAMAGED)) from None


def check_fingerprints(fingerprints: Mapping[str, DataFingerprint], config: Mapping[str, Any], folder: str) -> None:
    """Check that the data is the data that the run was started with. Raises `RunError`."""
    try:
        known = config["content"]
        if "training" in known and fingerprints.keys() - known.keys():
            raise RunError(RunDiffers(folder, "it was started without other data to validate on"))
        changes = [fingerprint.describe_change(known[name]) for name, fingerprint in fingerprints.items()]
    except (KeyError, TypeError, AttributeError):
        raise RunError(RunUnreadable(folder, DAMAGED)) from None
    change = next(filter(None, changes), None)
    if change is not None:
        raise RunError(RunDiffers(folder, change))


def _read_arguments(config: Mapping[str, Any], folder: str, engine: Mapping[str, Any], data: Any, validation: Any) -> RunArguments:
    given, path, chosen = dict(config["given"]), config["path"], dict(config["choice"])
    chosen["params"] = {name: _value_from_json(value) for name, value in chosen["params"].items()}
    chosen["allow_paths"] = tuple(chosen["allow_paths"])
    # JSON has lists in place of tuples
    columns = {name: tuple(c) if isinstance(c, list) else c for name, c in given["columns"].items()}
    locations = given["data"] if data is None else data, given["validation"] if validation is None else validation
    recorded = [given[name] for name, value in (("data", data), ("validation", validation)) if value is None]
    if any(isinstance(location, dict) for location in recorded):  # a dict that the caller passes is a table
        raise RunError(RunUnreadable(folder, "its data were given in Python", "resume it in Python, with the same data"))
    data_request = DataRequest(*locations, columns, dict(given["options"]), path, chosen["allow_paths"])
    settings = {name: config["settings"][name] for name in SETTINGS}
    ignored = PROCESS_OPTIONS if world_size() == 1 else ()
    kept_engine = {name: value for name, value in config["engine"].items() if name in Engine.__match_args__ and name not in ignored}
    choice, run_engine = Choice(**chosen), Engine(**{**kept_engine, **engine})
    return RunArguments(str(config["spec"]), path, config["section"], choice, RunRequest(data_request, **settings), run_engine)


def _location_to_json(value: Any) -> Any:
    """Convert the location of data to JSON; `{}` stands for a Python object of the caller's."""
    if isinstance(value, str):
        head, colon, path = value.partition(":")
        if _has_files(value):
            return os.path.abspath(value)
        return f"{head}:{os.path.abspath(path)}" if colon and _has_files(path) else value
    return value if value is None or isinstance(value, (bool, int, float)) else {}


def _has_files(path: str) -> bool:
    return os.path.exists(path) or bool(glob.has_magic(path) and glob.glob(path)) or has_shards(path)


def _option_to_json(name: str, word: str) -> str:
    return os.path.abspath(word) if name in _PATH_OPTIONS else word


def _value_to_json(value: object) -> Any:
    """Convert the value of a model's parameter to JSON."""
    if isinstance(value, DType):
        # an object, because no other value of a parameter becomes one
        return {"type": value.name}
    return [_value_to_json(item) for item in value] if isinstance(value, (tuple, list)) else value


def _value_from_json(value: Any) -> object:
    if isinstance(value, dict):
        return DTYPES[value["type"]]
    return tuple(_value_from_json(item) for item in value) if isinstance(value, list) else value
