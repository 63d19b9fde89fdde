"""Open the data that the spec or the caller names, and match it with the inputs.

In: a train section with its recipe, and the caller's request. Out: the columns and indices for training and validation, or diagnostics.
Always: what a section computes from its data, such as medians and weights of classes, comes from the training samples alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.errors.data_errors import SizesRefused
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..files.file_problems import make_diagnostic
from .data.class_balance import compute_weights
from .data.class_labels import check_classes
from .data.class_names import get_label_names
from .data.data_columns import InputColumns, find_input_columns, find_missing_columns, locate_problems, map_column_types
from .data.data_formats import DataLocation, open_source
from .data.data_source import Array, DataError, Indices, Source
from .data.encodings import (
    EMPTY,
    ColumnEncoding,
    EncodedSource,
    complete_encodings,
    find_encodings,
    find_wrong_cells,
    list_encodings,
    note_unseen_others,
)
from .data.fills import find_fills
from .data.joined_source import JoinedSource, match_names
from .data.streamed_source import StreamedSource
from .data.table_rules import LocatedProblem
from .data.value_checks import check_finite
from .data_inputs import find_inputs_without_samples, list_data_inputs
from .locate_data import DataRejected, DataRequest, DataToOpen, locate_training_data, locate_validation_data, reject_data
from .model_inputs import list_model_inputs
from .recipe import Recipe, Stratify
from .sampled_sizes import infer_drawn_shapes

Subset = tuple[InputColumns, Indices]


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


def open_data(training: Training, recipe: Recipe, data_request: DataRequest) -> OpenedData:
    """Open the data for training and validation. Problems become diagnostics."""
    problems = find_inputs_without_samples(training, recipe)
    data = validation = None
    if problems:  # of the section itself, whatever the data is
        return OpenedData("", None, None, tuple(problems))
    encodings: list[ColumnEncoding] | None = None
    described = format = ""
    options: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    try:
        wanted = locate_training_data(training, recipe, data_request)
        if isinstance(wanted.location, DataLocation):
            format, options = wanted.location.format, wanted.location.options
        described = wanted.description
        prepared = _match_columns(training, recipe, wanted)
        train_indices, validation_indices = _split_data(prepared.columns, recipe, data_request, training.span)
        prepared = _fill_columns(training, recipe, prepared, train_indices)
        columns = prepared.columns
        encodings = list_encodings(columns)
        share = _read_validation_share(recipe, data_request)
        notes = (*_note_small_share(len(columns), share), *note_unseen_others(columns, train_indices))
        problems += _check_data(training, recipe, prepared, train_indices, validation_indices, wanted)
        if not problems:
            columns, weight_problems = _balance_classes(recipe, columns, train_indices, wanted)
            problems += weight_problems
        data, validation = (columns, train_indices), None if validation_indices is None else (columns, validation_indices)
    except DataRejected as failed:
        problems += failed.diagnostics
    try:
        other = locate_validation_data(training, recipe, data_request)
        if other is not None:
            prepared = _match_columns(training, recipe, other, encodings)
            if data is not None:
                _check_same_classes(_pair_classes(data[0], prepared.columns), other, "the training data's")
            # the weights of classes come from the training data
            constants = {} if data is None else data[0].constants
            validation = replace(prepared.columns, constants=constants), _list_samples(prepared.columns)
            problems += _check_data(training, recipe, prepared, validation[1], None, other)
    except DataRejected as failed:
        problems += failed.diagnostics
    return OpenedData(described, None if problems else data, validation, tuple(problems), notes, format, options)


class _MatchedColumns(Record):
    """Columns of data, with the inputs that have none as diagnostics."""

    columns: InputColumns
    problems: tuple[Diagnostic, ...]


def _match_columns(
    training: Training, recipe: Recipe, wanted: DataToOpen, encodings: list[ColumnEncoding] | None = None
) -> _MatchedColumns:
    """Open the columns. Without `encodings`, find them in the data."""
    inputs = list_data_inputs(training, recipe)
    source = _open_sources(inputs, wanted)
    try:
        rule_problems: list[LocatedProblem] = []
        if encodings is None:
            encodings, rule_problems = find_encodings(source, inputs, wanted.columns, recipe.table_rules)
        else:
            encodings = complete_encodings(source, inputs, wanted.columns, encodings)
        columns, problems = find_input_columns(EncodedSource(source, encodings), inputs, wanted.columns, wanted.display_paths)
    except DataError as error:
        raise reject_data(wanted.display_paths, error, wanted.span) from error
    if isinstance(source, JoinedSource):
        columns = replace(columns, sizes=source.sizes)
    elif isinstance(source, StreamedSource):
        shards = tuple((shard.name, shard.bytes, shard.samples) for shard in source.shards)
        columns = replace(columns, layout=source.layout, shards=shards)
    located = [*(make_diagnostic(problem, span) for problem, span in rule_problems), *locate_problems(inputs, problems)]
    return _MatchedColumns(columns, tuple(located))


def _open_sources(inputs: list[Value], wanted: DataToOpen) -> Source:
    """Open the data. Several of them become one source, with the columns under the names of the first."""
    sources = [_open_part(inputs, part) for part in wanted.parts]
    if len(sources) == 1:
        return sources[0]
    streamed = next((part for part, source in zip(wanted.parts, sources, strict=True) if isinstance(source, StreamedSource)), None)
    if streamed is not None:
        error = DataError("a stream cannot be mixed with other data", "pass all shards in one pattern, in one `data` line")
        raise reject_data(streamed.display_path, error, streamed.span)
    names = []
    for part, source in zip(wanted.parts, sources, strict=True):
        try:
            names.append(match_names([value.name for value in inputs], wanted.columns, part.columns))
        except DataError as error:
            raise reject_data(part.display_path, error, part.span) from error
        labels, first_labels = get_label_names(source), get_label_names(sources[0])
        pairs = [(sources[0].classes, source.classes), *((first_labels[name], labels[name]) for name in first_labels if name in labels)]
        _check_same_classes(pairs, part, "the first data's")
        problems = find_missing_columns(source, inputs, part.columns, part.display_path)
        if problems:
            raise DataRejected(*locate_problems(inputs, problems))
    return JoinedSource(sources, names)


def _open_part(inputs: list[Value], part: DataToOpen) -> Source:
    location = part.location
    try:
        source = open_source(location, map_column_types(inputs, part.columns)) if isinstance(location, DataLocation) else location
        if not len(source):
            raise DataError("there are no samples in it")
    except DataError as error:
        raise reject_data(part.display_path, error, part.span) from error
    return source


def _fill_columns(training: Training, recipe: Recipe, matched: _MatchedColumns, train_indices: Indices) -> _MatchedColumns:
    """Compute the numbers for missing cells, from the training samples."""
    encoded = matched.columns.source
    if not recipe.table_rules.fills or not isinstance(encoded, EncodedSource):
        return matched
    inputs, model_inputs = list_data_inputs(training, recipe), list_model_inputs(training)
    encodings, problems = find_fills(encoded, inputs, matched.columns, recipe.table_rules, model_inputs, train_indices)
    columns = replace(matched.columns, source=EncodedSource(encoded.source, encodings))
    return _MatchedColumns(columns, (*matched.problems, *(make_diagnostic(problem, span) for problem, span in problems)))


def _balance_classes(
    recipe: Recipe, columns: InputColumns, train_indices: Indices, wanted: DataToOpen
) -> tuple[InputColumns, list[Diagnostic]]:
    """Compute the weights of classes from the training samples. Return the columns with them, and problems."""
    try:
        constants, problems = compute_weights(recipe.balances, columns, train_indices)
    except DataError as error:
        raise reject_data(columns.path, error, wanted.span) from error
    return replace(columns, constants=constants), [make_diagnostic(problem, span) for problem, span in problems]


def _check_data(
    training: Training,
    recipe: Recipe,
    matched: _MatchedColumns,
    train_indices: Indices,
    validation_indices: Indices | None,
    wanted: DataToOpen,
) -> list[Diagnostic]:
    """List all problems of the data: columns, cells, sizes, values."""
    from .sample_order import order_first_epoch

    columns, inputs, model_inputs = matched.columns, list_data_inputs(training, recipe), list_model_inputs(training)
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
    _check_shares(recipe, columns, train_indices, wanted)
    order = order_first_epoch(recipe, train_indices, columns)
    # All samples at once: the split depends on the seed, and what is reported must not.
    order = order if validation_indices is None else np.concatenate([order, validation_indices])
    part = replace(columns, columns=usable, shapes={name: columns.shapes[name] for name in usable})
    try:
        return [*problems, *check_finite(part, inputs, order, model_inputs), *check_classes(part, training.program.main, order)]
    except DataError as error:
        return [*problems, *reject_data(columns.path, error, wanted.span).diagnostics]


def _check_sizes(training: Training, recipe: Recipe, columns: InputColumns, wanted: DataToOpen) -> list[Diagnostic]:
    try:
        drawn = infer_drawn_shapes(recipe.draws, {v.name: v.type for v in training.program.main.inputs}, columns)
        constants = {rule.input: rule.shape for rule in recipe.balances} | {rule.input: () for rule in recipe.varied}
        check_sizes(training.program, {name: (recipe.batch, *shape) for name, shape in {**columns.shapes, **drawn}.items()} | constants)
    except ValueError as error:
        return [make_diagnostic(SizesRefused(wanted.display_paths, str(error)), wanted.span)]
    return []


def _check_shares(recipe: Recipe, columns: InputColumns, train_indices: Indices, wanted: DataToOpen) -> None:
    """Check that each of several data with weights has a sample for training."""
    numbers = np.searchsorted(np.cumsum(columns.sizes), train_indices, side="right")
    for number, part in enumerate(wanted.parts):
        if recipe.weights and columns.sizes and not (numbers == number).any():
            error = DataError("all of its samples are for validation, and its weight needs one for training", "validate on a smaller share")
            raise reject_data(part.display_path, error, part.span)


def _split_data(columns: InputColumns, recipe: Recipe, data_request: DataRequest, span: Span) -> tuple[Indices, Indices | None]:
    """Split the data into training and validation samples. A share of 0 turns validation off, even if the spec has a share."""
    count = len(columns)
    share = _read_validation_share(recipe, data_request)
    if not 0 <= share < 1:
        raise DataRejected(
            make_diagnostic(WrongSetting("validation", f"must be a number between 0 and 1, or a path, found `{share:g}`"), span)
        )
    if not share or count < 2:
        return np.arange(count), None
    if columns.layout is not None:
        # A validation would read all shards to use some of their samples.
        need = "cannot be a share of a stream"
        remedy = 'name other shards, `validate webdataset "validation-{00..09}.tar"`, or turn it off, `--validation 0`'
        raise DataRejected(make_diagnostic(WrongSetting("validation", need, remedy), span))
    from .sample_order import split_indices

    return split_indices(recipe, count, share, _read_classes(columns, recipe.stratify))


def _list_samples(columns: InputColumns) -> Indices:
    """List all samples in the order of their numbers, or in the order in which several processes read a stream together."""
    return np.arange(len(columns)) if columns.layout is None else columns.layout.order_samples(lambda numbers: numbers)


def _read_classes(columns: InputColumns, stratify: Stratify | None) -> Array | None:
    """Read the classes of all samples for a stratified split; None without one, or if the input has no column, which is reported."""
    if stratify is None or stratify.input not in columns.columns:
        return None
    if columns.shapes[stratify.input]:
        why = f"needs one class for each sample, and `{stratify.input}` has an array"
        raise DataRejected(make_diagnostic(WrongSetting("stratify", why), stratify.span))
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
        yield f"no sample is left for validation, because there is only {count}: the results are of the training samples"
    elif share and round(count * share) < 1:
        yield f"1 sample is kept for validation, because a share of {share:g} of {count} is less: the results say little"


ClassNames = tuple[str, ...]


def _pair_classes(data: InputColumns, validation: InputColumns) -> list[tuple[ClassNames, ClassNames]]:
    """Pair the names of classes in two data."""
    train_names, validation_names = (get_label_names(columns.source) for columns in (data, validation))
    both = [name for name in data.names if name in train_names and name in validation_names]
    return [(data.source.classes, validation.source.classes), *((train_names[name], validation_names[name]) for name in both)]


def _check_same_classes(pairs: list[tuple[ClassNames, ClassNames]], wanted: DataToOpen, others: str) -> None:
    """Check that the classes of two data agree: otherwise the numbers of the labels have different meanings."""
    different = next(((ours, theirs) for ours, theirs in pairs if ours != theirs and ours and theirs), None)
    if different is None:
        return
    known, new = different
    extra, absent = sorted({*new} - {*known}), sorted({*known} - {*new})
    differences = [f"`{name}` is a class here alone" for name in extra[:1]] + [f"`{name}` is missing" for name in absent[:1]]
    if not differences:
        number = next(i for i, (ours, other) in enumerate(zip(known, new, strict=True)) if ours != other)
        differences = [f"they have another order, and the class {number} is `{new[number]}`"]
    raise reject_data(wanted.display_path, DataError(f"its classes differ from {others}: " + ", ".join(differences)), wanted.span)
