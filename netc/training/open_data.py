"""Open the data that the spec or the caller names, and match it with the inputs.

In: a train section with its recipe, and the caller's request. Out: the columns and indices for training and validation, or diagnostics.
Always: a path in a spec is relative to the spec, and may lead only to the folders that `use` may read; a path of the caller's is relative
to the current folder and may lead anywhere.
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

from ..files.file_access import OUTSIDE, explain_forbidden_data
from ..files.file_problems import make_diagnostic
from .data.class_labels import check_classes
from .data.data_columns import ColumnSpec, InputColumns, find_input_columns, locate_problems, map_column_types
from .data.data_formats import FORMATS, DataLocation, open_source, parse_location, parse_options
from .data.data_source import Array, DataError, Indices, Source
from .data.encodings import (
    EMPTY,
    ColumnEncoding,
    EncodedSource,
    complete_encodings,
    find_encodings,
    find_fills,
    find_wrong_cells,
    list_encodings,
    note_unseen_others,
)
from .data.python import make_source
from .data.table_rules import LocatedProblem
from .data.value_checks import check_finite
from .model_inputs import list_model_inputs
from .recipe import DataRule, Recipe, Stratify
from .sampled_sizes import infer_drawn_shapes

Subset = tuple[InputColumns, Indices]


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


class OpenedData(Record):
    """The origin of the data in words, and the samples for training and validation. `data` is None if there are diagnostics. `notes` say
    what the number of samples does not allow. `format` and `options` are of the training data; an object of the caller's has no format."""

    described: str
    data: Subset | None
    validation: Subset | None
    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[str, ...] = ()
    format: str = ""
    options: dict[str, Any] = {}


class _DataToOpen(Record):
    """Data to open: its location, the columns of inputs, and the span for diagnostics. `display_path` is the path in messages."""

    location: DataLocation | Source
    columns: Mapping[str, ColumnSpec]
    span: Span
    display_path: str


class _DataRejected(Exception):
    """The data cannot be used."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__()
        self.diagnostics = diagnostics


def open_data(training: Training, recipe: Recipe, data_request: DataRequest) -> OpenedData:
    """Open the data for training and validation. Problems become diagnostics."""
    problems: list[Diagnostic] = []
    data = validation = None
    encodings: list[ColumnEncoding] | None = None
    described = format = ""
    options: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    try:
        wanted = _locate_training_data(training, recipe, data_request)
        if isinstance(wanted.location, DataLocation):
            described, format, options = str(wanted.location), wanted.location.format, wanted.location.options
        else:
            described = type(data_request.data).__name__
        prepared = _match_columns(training, recipe, wanted)
        train_indices, validation_indices = _split_data(prepared.columns, recipe, data_request, training.span)
        prepared = _fill_columns(training, recipe, prepared, train_indices)
        columns = prepared.columns
        encodings = list_encodings(columns)
        data, validation = (columns, train_indices), None if validation_indices is None else (columns, validation_indices)
        share = _read_validation_share(recipe, data_request)
        notes = (*_note_small_share(len(columns), share), *note_unseen_others(columns, train_indices))
        problems += _check_data(training, recipe, prepared, train_indices, validation_indices, wanted)
    except _DataRejected as failed:
        problems += failed.diagnostics
    try:
        other = _locate_validation_data(training, recipe, data_request)
        if other is not None:
            prepared = _match_columns(training, recipe, other, encodings)
            if data is not None:
                _check_same_classes(data[0], prepared.columns, other)
            validation = prepared.columns, np.arange(len(prepared.columns))
            problems += _check_data(training, recipe, prepared, validation[1], None, other)
    except _DataRejected as failed:
        problems += failed.diagnostics
    return OpenedData(described, None if problems else data, validation, tuple(problems), notes, format, options)


# --- what is asked for -----------------------------------------------------------------------------------------------------


def _locate_training_data(training: Training, recipe: Recipe, data_request: DataRequest) -> _DataToOpen:
    names = [value.name for value in _list_data_inputs(training, recipe)]
    unknown = [make_diagnostic(_unknown_input(name, names), training.span) for name in data_request.columns if name not in names]
    if unknown:
        raise _DataRejected(*unknown)
    columns = {**(recipe.data.columns if recipe.data is not None else {}), **data_request.columns}
    if data_request.data is not None:
        if data_request.options and not isinstance(data_request.data, (str, os.PathLike)):
            error = DataError(f"it has no options, such as `{next(iter(data_request.options))}`: they are for data in files")
            raise _reject_data(type(data_request.data).__name__, error, training.span)
        return _locate_caller_data(data_request.data, columns, data_request, recipe, training.span)
    if recipe.data is None:
        if any(setting.word == "data" for setting in training.settings):
            raise _DataRejected  # reported when the settings were read
        why = "no data are given"
        remedy = '`--data train.npz`, or `data npz "train.npz"` in the train section'
        raise _DataRejected(make_diagnostic(CannotReadData("data", why, remedy), training.span))
    try:
        options = {**_resolve_options(recipe.data, data_request), **parse_options(recipe.data.format, data_request.options)}
    except DataError as error:
        raise _reject_data(recipe.data.path, error, recipe.data.span) from error
    return _locate_rule_data(replace(recipe.data, options=options), columns, data_request)


def _unknown_input(name: str, names: list[str]) -> WrongSetting:
    close = find_similar_names(name, names)
    remedy = f"did you mean `{close[0]}`?" if close else "the inputs are " + ", ".join(f"`{n}`" for n in names)
    return WrongSetting(name, "is no input that the data are read for, and cannot have a column", remedy)


def _locate_validation_data(training: Training, recipe: Recipe, data_request: DataRequest) -> _DataToOpen | None:
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
    """Add the caller's data options to a `validate` rule, as far as its format has them, and the tokenizer of the training data."""
    known = {name: word for name, word in data_request.options.items() if FORMATS[rule.format].find_option(name) is not None}
    inherited = _inherit_paths(rule.format, recipe, data_request)
    try:
        return replace(rule, options={**inherited, **parse_options(rule.format, known), **_resolve_options(rule, data_request)})
    except DataError as error:
        raise _reject_data(rule.path, error, rule.span) from error


def _inherit_paths(format: str, recipe: Recipe, data_request: DataRequest) -> dict[str, str]:
    """Return the options of the spec's data that are paths, if other data has the same format: without the tokenizer of the spec, the same
    text would be other numbers."""
    if recipe.data is None or recipe.data.format != format:
        return {}
    return FORMATS[format].select_paths(_resolve_options(recipe.data, data_request))


def _locate_caller_data(data: Any, columns: Mapping[str, ColumnSpec], data_request: DataRequest, recipe: Recipe, span: Span) -> _DataToOpen:
    display_path = os.fspath(data) if isinstance(data, (str, os.PathLike)) else type(data).__name__
    try:
        if isinstance(data, (str, os.PathLike)):
            location = parse_location(display_path, data_request.options)
            inherited = _inherit_paths(location.format, recipe, data_request)
            return _DataToOpen(replace(location, options={**inherited, **location.options}), columns, span, location.path)
        return _DataToOpen(make_source(data), columns, span, display_path)
    except DataError as error:
        raise _reject_data(display_path, error, span) from error


def _locate_rule_data(rule: DataRule, columns: Mapping[str, ColumnSpec], data_request: DataRequest) -> _DataToOpen:
    location, format = DataLocation(rule.format, rule.path, dict(rule.options)), FORMATS[rule.format]
    if not format.is_path:
        return _DataToOpen(location, columns, rule.span, rule.path)
    real = _resolve_path(rule.path, rule.span, data_request)
    if format.list_parts is not None:
        try:
            for part in format.list_parts(real):  # a link among the files of a pattern must not lead out either
                _resolve_path(part, rule.span, data_request)
        except DataError as error:
            raise _reject_data(rule.path, error, rule.span) from error
    return _DataToOpen(replace(location, file=real), columns, rule.span, rule.path)


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
        raise _DataRejected(make_diagnostic(_forbidden_path(path, why), span))
    return real


def _forbidden_path(path: str, why: str) -> CannotReadData:
    if why != OUTSIDE:
        return CannotReadData(path, why)
    remedy = "move it there, allow its folder by `--allow-path DIR`, or name it on the command line: `--data`"
    return CannotReadData(path, "it is outside of the folder of the spec", remedy)


# --- opened and checked ----------------------------------------------------------------------------------------------------


class _MatchedColumns(Record):
    """Columns of data, with the inputs that have none as diagnostics."""

    columns: InputColumns
    problems: tuple[Diagnostic, ...]


def _match_columns(
    training: Training, recipe: Recipe, wanted: _DataToOpen, encodings: list[ColumnEncoding] | None = None
) -> _MatchedColumns:
    """Open the columns. Without `encodings`, find them in the data."""
    inputs = _list_data_inputs(training, recipe)
    try:
        location = wanted.location
        source = open_source(location, map_column_types(inputs, wanted.columns)) if isinstance(location, DataLocation) else location
        if not len(source):
            raise DataError("there are no samples in it")
        rule_problems: list[LocatedProblem] = []
        if encodings is None:
            encodings, rule_problems = find_encodings(source, inputs, wanted.columns, recipe.table_rules)
        else:
            encodings = complete_encodings(source, inputs, wanted.columns, encodings)
        columns, problems = find_input_columns(EncodedSource(source, encodings), inputs, wanted.columns, wanted.display_path)
    except DataError as error:
        raise _reject_data(wanted.display_path, error, wanted.span) from error
    located = [*(make_diagnostic(problem, span) for problem, span in rule_problems), *locate_problems(inputs, problems)]
    return _MatchedColumns(columns, tuple(located))


def _fill_columns(training: Training, recipe: Recipe, matched: _MatchedColumns, train_indices: Indices) -> _MatchedColumns:
    """Compute the numbers for missing cells, from the training samples."""
    encoded = matched.columns.source
    if not recipe.table_rules.fills or not isinstance(encoded, EncodedSource):
        return matched
    inputs, model_inputs = _list_data_inputs(training, recipe), list_model_inputs(training)
    encodings, problems = find_fills(encoded, inputs, matched.columns, recipe.table_rules, model_inputs, train_indices)
    columns = replace(matched.columns, source=EncodedSource(encoded.source, encodings))
    return _MatchedColumns(columns, (*matched.problems, *(make_diagnostic(problem, span) for problem, span in problems)))


def _check_data(
    training: Training,
    recipe: Recipe,
    matched: _MatchedColumns,
    train_indices: Indices,
    validation_indices: Indices | None,
    wanted: _DataToOpen,
) -> list[Diagnostic]:
    """List all problems of the data: columns, cells, sizes, values."""
    from .sample_order import order_first_epoch

    columns, inputs, model_inputs = matched.columns, _list_data_inputs(training, recipe), list_model_inputs(training)
    problems = list(matched.problems)
    usable = dict(columns.columns)
    for value in inputs:
        unfit = find_wrong_cells(columns, value.name)
        if unfit is not None:
            # A target that is missing is no sample: a rule would make one up.
            is_target = unfit.why == EMPTY and value.name not in model_inputs
            problems.append(make_diagnostic(replace(unfit, rule="") if is_target else unfit, value.span))
            del usable[value.name]
    if not problems:
        problems += _check_sizes(training, recipe, columns, wanted)
    order = order_first_epoch(recipe, train_indices)
    # All samples at once: the split depends on the seed, and what is reported must not.
    order = order if validation_indices is None else np.concatenate([order, validation_indices])
    part = replace(columns, columns=usable, shapes={name: columns.shapes[name] for name in usable})
    try:
        return [*problems, *check_finite(part, inputs, order, model_inputs), *check_classes(part, training.program.main, order)]
    except DataError as error:
        return [*problems, *_reject_data(columns.path, error, wanted.span).diagnostics]


def _check_sizes(training: Training, recipe: Recipe, columns: InputColumns, wanted: _DataToOpen) -> list[Diagnostic]:
    try:
        drawn = infer_drawn_shapes(recipe.draws, {v.name: v.type for v in training.program.main.inputs}, columns)
        check_sizes(training.program, {name: (recipe.batch, *shape) for name, shape in {**columns.shapes, **drawn}.items()})
    except ValueError as error:
        return [make_diagnostic(SizesRefused(wanted.display_path, str(error)), wanted.span)]
    return []


def _list_data_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """List the inputs that are read from data, without the drawn ones."""
    drawn = {draw.input for draw in recipe.draws}
    return [value for value in training.program.main.inputs if value.name not in drawn]


def _split_data(columns: InputColumns, recipe: Recipe, data_request: DataRequest, span: Span) -> tuple[Indices, Indices | None]:
    """Split the data into training and validation samples. A share of 0 turns validation off, even if the spec has a share."""
    count = len(columns)
    share = _read_validation_share(recipe, data_request)
    if not 0 <= share < 1:
        raise _DataRejected(
            make_diagnostic(WrongSetting("validation", f"must be a number between 0 and 1, or a path, found `{share:g}`"), span)
        )
    if not share or count < 2:
        return np.arange(count), None
    from .sample_order import split_indices

    return split_indices(recipe, count, share, _read_classes(columns, recipe.stratify))


def _read_classes(columns: InputColumns, stratify: Stratify | None) -> Array | None:
    """Read the classes of all samples for a stratified split; None without one, or if the input has no column, which is reported."""
    if stratify is None or stratify.input not in columns.columns:
        return None
    if columns.shapes[stratify.input]:
        why = f"needs one class for each sample, and `{stratify.input}` has an array"
        raise _DataRejected(make_diagnostic(WrongSetting("stratify", why), stratify.span))
    part = replace(columns, columns={stratify.input: columns.columns[stratify.input]})
    return part.read_batch(np.arange(len(columns)))[stratify.input]


def _read_validation_share(recipe: Recipe, data_request: DataRequest) -> float:
    """Return the requested share of the data for validation."""
    return (
        data_request.validation
        if isinstance(data_request.validation, float)
        else recipe.validation
        if data_request.validation is None
        else 0.0
    )


def _note_small_share(count: int, share: float) -> Iterator[str]:
    if share and count < 2:
        yield f"no sample is kept to validate on, as there is only {count}: results are those of training"
    elif share and round(count * share) < 1:
        yield f"1 sample is kept to validate on, as a share of {share:g} of {count} is less: results say little"


def _check_same_classes(data: InputColumns, validation: InputColumns, wanted: _DataToOpen) -> None:
    """Check that the classes of training and validation agree: otherwise the numbers of the labels have different meanings."""
    train_classes, validation_classes = data.source.classes, validation.source.classes
    if train_classes == validation_classes or not (train_classes and validation_classes):
        return
    extra, absent = sorted({*validation_classes} - {*train_classes}), sorted({*train_classes} - {*validation_classes})
    differences = [f"`{name}` is a class here alone" for name in extra[:1]] + [f"`{name}` is missing" for name in absent[:1]]
    raise _reject_data(
        wanted.display_path, DataError("its classes are not those of the training data: " + ", ".join(differences)), wanted.span
    )


def _reject_data(path: str, error: DataError, span: Span) -> _DataRejected:
    return _DataRejected(make_diagnostic(CannotReadData(path, str(error), error.remedy), span))
