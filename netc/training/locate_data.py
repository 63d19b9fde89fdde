"""Locate the data that the spec or the caller names, before it is opened.

In: a train section with its recipe, and the caller's request. Out: a `DataToOpen` for training or validation. Always: a path in a spec is
relative to the spec, and may lead only to the folders that `use` may read; a path of the caller's is relative to the current folder and may
lead anywhere. What cannot be read is a `DataRejected`.

For example, `data csv "train.csv"` in `/home/me/moons.net` names `/home/me/train.csv`, from whatever folder `netc train` is started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from netc.compiler.errors.data_errors import CannotReadData
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..files.file_access import OUTSIDE, explain_forbidden_data
from ..files.file_problems import make_diagnostic
from .data.data_columns import ColumnSpec
from .data.data_formats import FORMATS, DataLocation, parse_location, parse_options
from .data.data_source import DataError, Source
from .data.python import make_source
from .data_inputs import list_data_inputs
from .recipe import DataRule, Recipe


class DataRequest(Record):
    """The caller's request. `data` and `validation` are paths, `FORMAT:PATH`, or objects with samples; for `validation`, a number such as
    0.1 is a share of the data. `spec` is the path of the spec, None if it was passed as text; `allow_paths` are folders that the spec may
    read too."""

    data: Any = None
    validation: Any = None
    columns: Mapping[str, ColumnSpec] = {}
    options: Mapping[str, str] = {}
    spec: str | None = None
    allow_paths: Sequence[str] = ()


class DataToOpen(Record):
    """Data to open: its location, the columns of inputs, and the span for diagnostics. `display_path` is the path in messages. `others`:
    the further data of the section, which follow it."""

    location: DataLocation | Source
    columns: Mapping[str, ColumnSpec]
    span: Span
    display_path: str
    others: tuple[DataToOpen, ...] = ()

    @property
    def parts(self) -> tuple[DataToOpen, ...]:
        """This data and the others."""
        return (self, *self.others)

    @property
    def display_paths(self) -> str:
        """The paths of all parts in messages."""
        return ", ".join(part.display_path for part in self.parts)

    @property
    def description(self) -> str:
        """The formats and paths of all parts."""
        return ", ".join(str(part.location) if isinstance(part.location, DataLocation) else part.display_path for part in self.parts)


class DataRejected(Exception):
    """The data cannot be used."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__()
        self.diagnostics = diagnostics


def locate_training_data(training: Training, recipe: Recipe, data_request: DataRequest) -> DataToOpen:
    names = [value.name for value in list_data_inputs(training, recipe)]
    unknown = [make_diagnostic(_unknown_input(name, names), training.span) for name in data_request.columns if name not in names]
    if unknown:
        raise DataRejected(*unknown)
    columns = {**(recipe.data.columns if recipe.data is not None else {}), **data_request.columns}
    if data_request.data is not None:
        if data_request.options and not isinstance(data_request.data, (str, os.PathLike)):
            error = DataError(f"it has no options, such as `{next(iter(data_request.options))}`: they are for data in files")
            raise reject_data(type(data_request.data).__name__, error, training.span)
        return _locate_caller_data(data_request.data, columns, data_request, recipe, training.span)
    if recipe.data is None:
        if any(setting.word == "data" for setting in training.settings):
            raise DataRejected  # reported when the settings were read
        why = "no data are given"
        remedy = '`--data train.npz`, or `data npz "train.npz"` in the train section'
        raise DataRejected(make_diagnostic(CannotReadData("data", why, remedy), training.span))
    first, *others = [_locate_source(rule, columns, recipe, data_request) for rule in recipe.sources]
    return replace(first, others=tuple(others))


def _locate_source(rule: DataRule, columns: Mapping[str, ColumnSpec], recipe: Recipe, data_request: DataRequest) -> DataToOpen:
    """Locate one of the section's data. Data after the first one has its columns, unless its line names others."""
    own = {**columns, **rule.columns, **data_request.columns}
    if rule is not recipe.data:
        return _locate_rule_data(_with_known_options(rule, recipe, data_request), own, data_request)
    try:
        options = {**_resolve_options(rule, data_request), **parse_options(rule.format, data_request.options)}
    except DataError as error:
        raise reject_data(rule.path, error, rule.span) from error
    return _locate_rule_data(replace(rule, options=options), own, data_request)


def _unknown_input(name: str, names: list[str]) -> WrongSetting:
    close = find_similar_names(name, names)
    remedy = f"did you mean `{close[0]}`?" if close else "the inputs are " + ", ".join(f"`{n}`" for n in names)
    return WrongSetting(name, "is no input that the data are read for, and cannot have a column", remedy)


def locate_validation_data(training: Training, recipe: Recipe, data_request: DataRequest) -> DataToOpen | None:
    """Return the separate validation data, or None if a share of the data or nothing is used."""
    if data_request.validation is not None:
        columns = {**(recipe.data.columns if recipe.data is not None else {}), **data_request.columns}
        return (
            None
            if isinstance(data_request.validation, float)
            else _locate_caller_data(data_request.validation, columns, data_request, recipe, training.span)
        )
    if recipe.validate is None:
        return None
    inherited = recipe.data.columns if recipe.data is not None else {}
    columns = {**inherited, **data_request.columns, **recipe.validate.columns}
    return _locate_rule_data(_with_known_options(recipe.validate, recipe, data_request), columns, data_request)


def _with_known_options(rule: DataRule, recipe: Recipe, data_request: DataRequest) -> DataRule:
    """Add the caller's data options to the rule of other data, as far as its format has them, and the tokenizer of the first data."""
    known = {name: word for name, word in data_request.options.items() if FORMATS[rule.format].find_option(name) is not None}
    inherited = _inherit_paths(rule.format, recipe, data_request)
    try:
        return replace(rule, options={**inherited, **parse_options(rule.format, known), **_resolve_options(rule, data_request)})
    except DataError as error:
        raise reject_data(rule.path, error, rule.span) from error


def _inherit_paths(format: str, recipe: Recipe, data_request: DataRequest) -> dict[str, str]:
    """Return the options of the spec's data that are paths, if other data has the same format: without the tokenizer of the spec, the same
    text would be other numbers."""
    if recipe.data is None or recipe.data.format != format:
        return {}
    return FORMATS[format].select_paths(_resolve_options(recipe.data, data_request))


def _locate_caller_data(data: Any, columns: Mapping[str, ColumnSpec], data_request: DataRequest, recipe: Recipe, span: Span) -> DataToOpen:
    display_path = os.fspath(data) if isinstance(data, (str, os.PathLike)) else type(data).__name__
    try:
        if isinstance(data, (str, os.PathLike)):
            location = parse_location(display_path, data_request.options)
            inherited = _inherit_paths(location.format, recipe, data_request)
            return DataToOpen(replace(location, options={**inherited, **location.options}), columns, span, location.path)
        return DataToOpen(make_source(data), columns, span, display_path)
    except DataError as error:
        raise reject_data(display_path, error, span) from error


def _locate_rule_data(rule: DataRule, columns: Mapping[str, ColumnSpec], data_request: DataRequest) -> DataToOpen:
    location, format = DataLocation(rule.format, rule.path, dict(rule.options)), FORMATS[rule.format]
    if not format.is_path:
        return DataToOpen(location, columns, rule.span, rule.path)
    real = _resolve_path(rule.path, rule.span, data_request)
    if format.names_server is not None and format.names_server(rule.path, real, rule.options):
        return DataToOpen(location, columns, rule.span, rule.path)
    if format.list_parts is not None:
        try:
            for part in format.list_parts(real):  # a link among the files of a pattern must not lead out either
                _resolve_path(part, rule.span, data_request)
        except DataError as error:
            raise reject_data(rule.path, error, rule.span) from error
    return DataToOpen(replace(location, file=real), columns, rule.span, rule.path)


def _resolve_options(rule: DataRule, data_request: DataRequest) -> dict[str, Any]:
    """Return the options of a rule, with the files to open for those that are paths."""
    paths = FORMATS[rule.format].select_paths(rule.options)
    return {**rule.options, **{name: _resolve_path(path, rule.span, data_request) for name, path in paths.items()}}


def _resolve_path(path: str, span: Span, data_request: DataRequest) -> str:
    """Return the real path of a file that the spec names, after the check that the spec may read it."""
    home = os.path.dirname(os.path.realpath(data_request.spec)) if data_request.spec is not None else os.getcwd()
    # The real path is checked and opened: a symbolic link in the folder of a spec must not lead out of it.
    try:
        real = os.path.realpath(os.path.join(home, path))
        why = explain_forbidden_data(real, [home, *map(os.path.realpath, data_request.allow_paths)])
    except (OSError, ValueError):  # a NUL, a surrogate
        why = real = "no file can have this name"
    if why:
        raise DataRejected(make_diagnostic(_forbidden_path(path, why), span))
    return real


def _forbidden_path(path: str, why: str) -> CannotReadData:
    if why != OUTSIDE:
        return CannotReadData(path, why)
    remedy = "move it there, allow its folder by `--allow-path DIR`, or name it on the command line: `--data`"
    return CannotReadData(path, "it is outside of the folder of the spec", remedy)


def reject_data(path: str, error: DataError, span: Span) -> DataRejected:
    return DataRejected(make_diagnostic(CannotReadData(path, str(error), error.remedy), span))
