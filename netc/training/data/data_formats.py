"""The data formats: how to detect the format of a path, parse its options, and open its source.

In: a `DataLocation`, from the command line or a spec. Out: a source, or a `DataError`. Always: opening reads only headers if the format has
headers; the libraries that a format needs are imported when it is used; only `python` runs code, and a spec cannot name it.

>>> str(parse_location("train.csv")), str(parse_location("images:photos"))
('csv:train.csv', 'images:photos')
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from netc.compiler.types.tensor_types import TensorType
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record

from .arrow import open_hf, open_parquet
from .csv import open_csv
from .data_source import DataError, Source
from .hf_stream import list_hf_files, names_hub, open_hf_stream
from .images import open_images
from .npz import open_npz
from .python import open_python
from .safetensors import open_safetensors
from .sklearn import open_sklearn
from .text_windows import ENDINGS, list_text_files, open_text
from .webdataset import ENDINGS as TAR_ENDINGS
from .webdataset import list_tar_files, open_webdataset

InputTypes = Mapping[str, TensorType]
"""The declared types of the inputs, by the name of their column."""


class Option(Record):
    """An option of a format. `requirement` completes "`name` ..."; `parse` reads it from the command line. `is_path`: it is the path of a
    file, which decides what the numbers of the data mean. All data of a run must agree on it: what is validated on, and data of the
    command line in place of the spec's, have the option of the spec unless they say another."""

    name: str
    requirement: str
    is_valid: Callable[[Any], bool]
    parse: Callable[[str], Any]
    is_path: bool = False


class Format(Record):
    """A format: the function that opens it, its options, and the endings of its files. `is_path`: it is read from a file or folder.
    `list_parts`: the path may be a pattern, and these are its files. `names_server`: whether a path, which would be this file in the folder
    of a spec, is the name of data on a server."""

    open_path: Callable[[str, InputTypes, dict[str, Any]], Source]
    options: tuple[Option, ...] = ()
    endings: tuple[str, ...] = ()
    is_path: bool = True
    runs_code: bool = False
    list_parts: Callable[[str], list[str]] | None = None
    names_server: Callable[[str, str, Mapping[str, Any]], bool] | None = None

    def find_option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)

    def select_paths(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Select the options that are paths."""
        return {option.name: options[option.name] for option in self.options if option.is_path and option.name in options}


class DataLocation(Record):
    """A format and a path, with options. `path` is written as the user wrote it; `file` is the path to open, if it differs."""

    format: str
    path: str
    options: dict[str, Any] = {}
    file: str | None = None

    def __str__(self) -> str:
        return f"{self.format}:{self.path}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_size(value: object) -> bool:
    return _is_count(value) or (isinstance(value, tuple) and len(value) == 2 and all(map(_is_count, value)))


def _parse_size(text: str) -> Any:
    numbers = tuple(int(word) for word in text.replace("x", ",").split(","))
    return numbers[0] if len(numbers) == 1 else numbers


def _parse_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _is_natural(value: object) -> bool:
    return _is_count(value) or (isinstance(value, int) and value == 0 and not isinstance(value, bool))


def _count_option(name: str) -> Option:
    return Option(name, "must be an integer of at least 1", _is_count, int)


_SIZE = Option("size", "must be a number of pixels, or height and width such as [224, 320]", _is_size, _parse_size)
_SPLIT = Option("split", "must be the name of a split", lambda v: isinstance(v, str), str)
_SEPARATOR = Option(
    "separator", 'must be one character, such as ";"', lambda v: isinstance(v, str) and len(v) == 1 and v not in '"\r\n', str
)
_TOKENIZER = Option(
    "tokenizer", 'must be the path of a tokenizer, such as "tokenizer.json"', lambda v: isinstance(v, str) and bool(v), str, is_path=True
)
_STREAM_OPTIONS = (
    Option("shuffle", "must be the number of samples that are kept in memory to shuffle them, or 0", _is_natural, int),
    _count_option("interleave"),
)
_HEADER = Option("header", "must be true or false", lambda v: isinstance(v, bool), _parse_boolean)
_STREAMING = Option("streaming", "must be true or false", lambda v: isinstance(v, bool), _parse_boolean)

FORMATS: dict[str, Format] = {
    "npz": Format(lambda path, types, options: open_npz(path), endings=(".npz",)),
    "safetensors": Format(lambda path, types, options: open_safetensors(path), endings=(".safetensors",)),
    "csv": Format(lambda path, types, options: open_csv(path, **options), (_SEPARATOR, _HEADER), (".csv", ".tsv")),
    "parquet": Format(lambda path, types, options: open_parquet(path, types), endings=(".parquet",)),
    "hf": Format(
        lambda path, types, options: _open_hf(path, types, options),
        (_SPLIT, _STREAMING, *_STREAM_OPTIONS),
        (".arrow",),
        list_parts=list_hf_files,
        names_server=names_hub,
    ),
    "images": Format(lambda path, types, options: open_images(path, types, **options), (_SIZE,)),
    "webdataset": Format(
        lambda path, types, options: open_webdataset(path, types, **options),
        (*_STREAM_OPTIONS, _SIZE),
        TAR_ENDINGS,
        list_parts=list_tar_files,
    ),
    "text": Format(
        lambda path, types, options: open_text(path, types, **options),
        (_count_option("length"), _count_option("stride"), _TOKENIZER),
        ENDINGS,
        list_parts=list_text_files,
    ),
    "sklearn": Format(lambda path, types, options: open_sklearn(path), is_path=False),
    "python": Format(lambda path, types, options: open_python(path), is_path=False, runs_code=True),
}


def parse_location(text: str, options: Mapping[str, str] | None = None) -> DataLocation:
    """Parse `FORMAT:PATH`, or a path whose ending says the format. `options` are words of the command line. Raises `DataError`."""
    # Only known formats count as a prefix: `C:` of a path in Windows is none.
    format, colon, path = text.partition(":")
    if not (colon and format in FORMATS):
        format, path = _detect_format(text), text
    return DataLocation(format, path, parse_options(format, options or {}))


def _open_hf(path: str, types: InputTypes, options: Mapping[str, Any]) -> Source:
    """Open a data set of `datasets` as a table, or as a stream."""
    words = {name: value for name, value in options.items() if name != "streaming"}
    if options.get("streaming"):
        return open_hf_stream(path, types, **words)
    unused = next((option.name for option in _STREAM_OPTIONS if option.name in words), None)
    if unused is not None:
        raise DataError(f"`{unused}` is for a stream", f"add `streaming=true`, or leave out `{unused}`")
    return open_hf(path, types, **words)


def open_source(location: DataLocation, types: InputTypes) -> Source:
    """Open the data, reading headers only. Raises `DataError`."""
    source = FORMATS[location.format].open_path(location.file or location.path, types, location.options)
    if not len(source):
        raise DataError("there are no samples in it")
    return source


def suggest_format(name: str) -> str:
    """Return the help for an unknown format: the nearest name, or all names."""
    alike = find_similar_names(name, FORMATS)
    return f"did you mean `{alike[0]}`?" if alike else "the formats are " + ", ".join(f"`{known}`" for known in FORMATS)


def suggest_option(format: str, name: str) -> str:
    """Return the help for an unknown option: the nearest name, or all names."""
    known = [option.name for option in FORMATS[format].options]
    choices = "the options of `" + format + "` are " + ", ".join(f"`{one}`" for one in known) if known else f"`{format}` has no options"
    return f"did you mean `{find_similar_names(name, known)[0]}`?" if find_similar_names(name, known) else choices


def _detect_format(path: str) -> str:
    suffix = PurePath(path).suffix.lower()
    for name, format in FORMATS.items():
        if suffix in format.endings:
            return name
    # the files of a folder that `save_to_disk` of datasets has written
    if any(os.path.isfile(os.path.join(path, name)) for name in ("dataset_dict.json", "state.json")):
        return "hf"
    known = ", ".join(f"`{name}:`" for name in FORMATS)
    raise DataError("its format is not known", f"put one of {known} in front of the path")


def parse_options(format: str, words: Mapping[str, str]) -> dict[str, Any]:
    """Parse options of the command line. Raises `DataError`."""
    values: dict[str, Any] = {}
    for name, word in words.items():
        option = FORMATS[format].find_option(name)
        if option is None:
            raise DataError(f"there is no option `{name}`", suggest_option(format, name))
        try:
            values[name] = option.parse(word)
        except (ValueError, KeyError):
            # which no option accepts, so the error below says what is required
            values[name] = None
        if not option.is_valid(values[name]):
            raise DataError(f"`{name}` {option.requirement}, found `{word}`")
    return values
