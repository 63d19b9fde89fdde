"""The data of a training: what is asked for by the spec or the caller, opened and held against the inputs.

In: a train section with its recipe, and what the caller asks for. Out: the columns and indices to train and to validate on, or diagnostics.
Always: a path in a spec is relative to the spec, and leads to where `use` may read too; a path of the caller's is relative to the current
folder and leads anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.errors.data_errors import CannotReadData, SizesRefused
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..files.file_access import OUTSIDE, why_no_data
from ..files.file_problems import diagnostic
from .data.class_labels import check_classes
from .data.data_columns import ColumnSpec, InputColumns, map_column_types, match_columns
from .data.data_formats import FORMATS, DataLocation, open_source, parse_location, parse_options
from .data.data_source import DataError, Indices, Source
from .data.python import make_source
from .data.value_checks import check_finite
from .recipe import DataRule, Recipe
from .sampled_sizes import drawn_shapes

Part = tuple[InputColumns, Indices]


class Asked(Record):
    """What the caller says of the data. `data` and `validation` are paths, `FORMAT:PATH`, or objects with samples; a number such as 0.1
    is a share of the data. `spec` is the path of the spec, None if it is a text; `allow_paths` are folders that the spec may read too."""

    data: Any = None
    validation: Any = None
    columns: Mapping[str, ColumnSpec] = {}
    options: Mapping[str, str] = {}
    spec: str | None = None
    allow_paths: Sequence[str] = ()


class Opened(Record):
    """Where data come from, in words, and what of them is used. `data` is None if there are diagnostics. `notes`: what of the caller's
    wishes the number of samples does not allow."""

    described: str
    data: Part | None
    validation: Part | None
    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[str, ...] = ()


class _Wanted(Record):
    """Data to be opened: where from, for which inputs, and the place of diagnostics. `shown` is the path in messages."""

    place: DataLocation | Source
    columns: Mapping[str, ColumnSpec]
    span: Span
    shown: str


class _Failed(Exception):
    """The data cannot be used."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__()
        self.diagnostics = diagnostics


def open_data(training: Training, recipe: Recipe, asked: Asked) -> Opened:
    """Opens the data and those for validation. What is wrong is in the diagnostics."""
    problems: list[Diagnostic] = []
    data = validation = None
    described = ""
    notes: tuple[str, ...] = ()
    try:
        wanted = _training_data(training, recipe, asked)
        described = str(wanted.place) if isinstance(wanted.place, DataLocation) else type(asked.data).__name__
        columns = _columns(training, recipe, wanted)
        data, validation = _split(columns, recipe, asked, training.span)
        notes = tuple(_unfit_share(len(columns), _share(recipe, asked)))
        found = _unfit(training, recipe, data, wanted.span)
        if validation is not None:  # where a sample is depends on the seed, and whether it is reported must not
            known = {problem.span for problem in found}
            found += [p for p in _unfit(training, recipe, validation, wanted.span) if p.span not in known]
        problems += found
    except _Failed as failed:
        problems += failed.diagnostics
    try:
        other = _validation_data(training, recipe, asked)
        if other is not None:
            columns = _columns(training, recipe, other)
            if data is not None:
                _same_classes(data[0], columns, other)
            validation = columns, np.arange(len(columns))
            problems += _unfit(training, recipe, validation, other.span)
    except _Failed as failed:
        problems += failed.diagnostics
    return Opened(described, None if problems else data, validation, tuple(problems), notes)


# --- what is asked for -----------------------------------------------------------------------------------------------------


def _training_data(training: Training, recipe: Recipe, asked: Asked) -> _Wanted:
    names = [value.name for value in _read_inputs(training, recipe)]
    unknown = [diagnostic(_no_input(name, names), training.span) for name in asked.columns if name not in names]
    if unknown:
        raise _Failed(*unknown)
    given = {**(recipe.data.columns if recipe.data is not None else {}), **asked.columns}
    if asked.data is not None:
        if asked.options and not isinstance(asked.data, (str, os.PathLike)):
            error = DataError(f"it has no options, such as `{next(iter(asked.options))}`: they are for data in files")
            raise _unreadable(type(asked.data).__name__, error, training.span)
        return _of_caller(asked.data, given, asked, training.span)
    if recipe.data is None:
        if any(setting.word == "data" for setting in training.settings):
            raise _Failed  # reported when the settings were read
        why = "no data are given"
        remedy = '`--data train.npz`, or `data npz "train.npz"` in the train section'
        raise _Failed(diagnostic(CannotReadData("data", why, remedy), training.span))
    try:
        options = {**recipe.data.options, **parse_options(recipe.data.format, asked.options)}
    except DataError as error:
        raise _unreadable(recipe.data.path, error, recipe.data.span) from error
    return _of_rule(replace(recipe.data, options=options), given, asked)


def _no_input(name: str, names: list[str]) -> WrongSetting:
    close = find_similar_names(name, names)
    remedy = f"did you mean `{close[0]}`?" if close else "the inputs are " + ", ".join(f"`{n}`" for n in names)
    return WrongSetting(name, "is no input that the data are read for, and cannot have a column", remedy)


def _validation_data(training: Training, recipe: Recipe, asked: Asked) -> _Wanted | None:
    """None if a share of the data is used, or nothing."""
    if asked.validation is not None:
        given = {**(recipe.data.columns if recipe.data is not None else {}), **asked.columns}
        return None if isinstance(asked.validation, float) else _of_caller(asked.validation, given, asked, training.span)
    if recipe.validate is None:
        return None
    inherited = recipe.data.columns if recipe.data is not None else {}
    return _of_rule(_with_known_options(recipe.validate, asked), {**inherited, **asked.columns, **recipe.validate.columns}, asked)


def _with_known_options(rule: DataRule, asked: Asked) -> DataRule:
    """The rule's own options, and those of the caller's for the data that its format has too."""
    known = {name: word for name, word in asked.options.items() if FORMATS[rule.format].find_option(name) is not None}
    try:
        return replace(rule, options={**parse_options(rule.format, known), **rule.options})
    except DataError as error:
        raise _unreadable(rule.path, error, rule.span) from error


def _of_caller(data: Any, columns: Mapping[str, ColumnSpec], asked: Asked, span: Span) -> _Wanted:
    shown = os.fspath(data) if isinstance(data, (str, os.PathLike)) else type(data).__name__
    try:
        if isinstance(data, (str, os.PathLike)):
            place = parse_location(shown, asked.options)
            return _Wanted(place, columns, span, place.path)
        return _Wanted(make_source(data), columns, span, shown)
    except DataError as error:
        raise _unreadable(shown, error, span) from error


def _of_rule(rule: DataRule, columns: Mapping[str, ColumnSpec], asked: Asked) -> _Wanted:
    place = DataLocation(rule.format, rule.path, dict(rule.options))
    if not FORMATS[rule.format].is_path:
        return _Wanted(place, columns, rule.span, rule.path)
    home = os.path.dirname(os.path.realpath(asked.spec)) if asked.spec is not None else os.getcwd()
    try:
        real = os.path.realpath(os.path.join(home, rule.path))
        why = why_no_data(real, [home, *map(os.path.realpath, asked.allow_paths)])
    except (OSError, ValueError):  # a NUL, a surrogate
        why = real = "no file can have this name"
    if why:
        raise _Failed(diagnostic(_forbidden(rule.path, why), rule.span))
    return _Wanted(replace(place, file=real), columns, rule.span, rule.path)


def _forbidden(path: str, why: str) -> CannotReadData:
    if why != OUTSIDE:
        return CannotReadData(path, why)
    remedy = "move it there, allow its folder by `--allow-path DIR`, or name it on the command line: `--data`"
    return CannotReadData(path, "it is outside of the folder of the spec", remedy)


# --- opened and checked ----------------------------------------------------------------------------------------------------


def _columns(training: Training, recipe: Recipe, wanted: _Wanted) -> InputColumns:
    inputs = _read_inputs(training, recipe)
    try:
        place = wanted.place
        source = open_source(place, map_column_types(inputs, wanted.columns)) if isinstance(place, DataLocation) else place
        if not len(source):
            raise DataError("there are no samples in it")
        columns, problems = match_columns(source, inputs, wanted.columns, wanted.shown)
    except DataError as error:
        raise _unreadable(wanted.shown, error, wanted.span) from error
    if columns is None:
        raise _Failed(*problems)
    try:
        drawn = drawn_shapes(recipe.draws, {v.name: v.type for v in training.program.main.inputs}, columns)
        check_sizes(training.program, {name: (recipe.batch, *shape) for name, shape in {**columns.shapes, **drawn}.items()})
    except ValueError as error:
        raise _Failed(diagnostic(SizesRefused(wanted.shown, str(error)), wanted.span)) from error
    return columns


def _read_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """The inputs that the data give: all that are not drawn."""
    drawn = {draw.input for draw in recipe.draws}
    return [value for value in training.program.main.inputs if value.name not in drawn]


def _split(columns: InputColumns, recipe: Recipe, asked: Asked, place: Span) -> tuple[Part, Part | None]:
    """All of the data, or two parts of them. A share of 0 is no validation, whatever the spec says."""
    count = len(columns)
    share = _share(recipe, asked)
    if not 0 <= share < 1:
        raise _Failed(diagnostic(WrongSetting("validation", f"must be a number between 0 and 1, or a path, found `{share:g}`"), place))
    if not share or count < 2:
        return (columns, np.arange(count)), None
    from .sample_order import split

    kept, held = split(recipe, count, share)
    return (columns, kept), (columns, held)


def _share(recipe: Recipe, asked: Asked) -> float:
    """The share of the data that is asked for to validate on."""
    return asked.validation if isinstance(asked.validation, float) else recipe.validation if asked.validation is None else 0.0


def _unfit_share(count: int, share: float) -> Iterator[str]:
    if share and count < 2:
        yield f"no sample is kept to validate on, as there is only {count}: results are those of training"
    elif share and round(count * share) < 1:
        yield f"1 sample is kept to validate on, as a share of {share:g} of {count} is less: results say little"


def _unfit(training: Training, recipe: Recipe, part: Part, span: Span) -> list[Diagnostic]:
    from .sample_order import first_epoch

    columns, indices = part
    order = first_epoch(recipe, indices)
    try:
        return [*check_finite(columns, _read_inputs(training, recipe), order), *check_classes(columns, training.program.main, order)]
    except DataError as error:
        raise _unreadable(columns.path, error, span) from error


def _same_classes(data: InputColumns, validation: InputColumns, wanted: _Wanted) -> None:
    """Labels that mean something else in training would be counted as mistakes."""
    one, other = data.source.classes, validation.source.classes
    if one == other or not (one and other):
        return
    extra, absent = sorted({*other} - {*one}), sorted({*one} - {*other})
    shown = [f"`{name}` is a class here alone" for name in extra[:1]] + [f"`{name}` is missing" for name in absent[:1]]
    raise _unreadable(wanted.shown, DataError("its classes are not those of the training data: " + ", ".join(shown)), wanted.span)


def _unreadable(path: str, error: DataError, span: Span) -> _Failed:
    return _Failed(diagnostic(CannotReadData(path, str(error), error.remedy), span))
