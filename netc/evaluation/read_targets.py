"""Read the targets of an evaluation, with the class names and encodings of the training.

In: labeled data that a predictor has opened, and an output of its signature. Out: class numbers, booleans or numbers `[samples, ...]`.
Always: a target that training did not know is an `UnfitData` that names its line, never a new class.

    >>> print(refuse_data("test.csv", "its target `kind` has the class `cow`, which training did not have"))
    cannot read `test.csv`: its target `kind` has the class `cow`, which training did not have
"""

from __future__ import annotations

import numpy as np

from netc.compiler.errors.data_errors import CannotReadData
from netc.dsl.diagnostics.suggest import find_similar_names

from ..prediction.model_signature import BINARY, PROBABILITY, VALUE, OutputSignature
from ..prediction.unfit_data import UnfitData
from ..training.data.class_names import find_class_names
from ..training.data.data_columns import InputColumns
from ..training.data.data_source import Array, Source, describe_sample
from ..training.data.encodings import EncodedSource


def read_targets(columns: InputColumns, output: OutputSignature) -> Array:
    """Read the target of an output for all samples."""
    names = output.columns or (output.target,)
    for name in names:
        _check_column(columns, output, name)
    read = columns.source.read(names, np.arange(len(columns)))
    values = read[names[0]] if not output.columns else np.stack([read[name] for name in names], axis=1)
    if output.task not in (BINARY, PROBABILITY, VALUE):
        return _read_class_numbers(columns, output, values)
    if values.dtype.kind not in "biuf":
        raise refuse_data(columns.path, f"the column `{output.target}` has text, and the model was trained on numbers")
    _refuse_samples(columns, output, ~np.isfinite(values), "is missing or infinite")
    if output.task == VALUE:
        return values.astype(np.float64)
    _refuse_samples(columns, output, (values != 0) & (values != 1), "is neither 0 nor 1")
    return values.astype(bool)


def refuse_data(path: str, why: str, remedy: str = "") -> UnfitData:
    """Return the error for data that cannot be evaluated."""
    return UnfitData((CannotReadData(path, why, remedy),))


def _check_column(columns: InputColumns, output: OutputSignature, name: str) -> None:
    source = columns.source
    if name not in source.columns:
        near = find_similar_names(name, source.columns)
        known = ", ".join(f"`{column}`" for column in source.columns)
        remedy = f"did you mean `{near[0]}`?" if near else f"its columns are {known}"
        raise refuse_data(columns.path, f"it has no column `{name}`, with which the predictions are compared", remedy)
    unfit = source.find_wrong_cells(output.target, (name,), columns.path) if isinstance(source, EncodedSource) else None
    if unfit is not None:
        raise UnfitData((unfit,))


def _read_class_numbers(columns: InputColumns, output: OutputSignature, values: Array) -> Array:
    source = columns.source
    if values.dtype.kind not in "biuf":
        names = np.array([str(value).strip() for value in values.reshape(-1)], object).reshape(values.shape)
        return _number_names(columns, output, names)
    # an encoded column has the numbers of the training already
    known = () if _is_encoded(source, output.target) else find_class_names(source, output.target)
    if known and output.classes and known != output.classes:
        # Folders are numbered by their names, and the data may lack a class of the training.
        return _rename_numbers(columns, output, values, known)
    _refuse_samples(columns, output, ~np.isfinite(values) | (values != np.floor(values)), "is no class number")
    return values.astype(np.int64)


def _rename_numbers(columns: InputColumns, output: OutputSignature, values: Array, names: tuple[str, ...]) -> Array:
    """Convert class numbers of other data to the training's. Labels that are no class stay, because the loss may ignore them."""
    numbers = values.astype(np.int64)
    is_class = (numbers >= 0) & (numbers < len(names))
    known = _number_names(columns, output, np.array(names, object)[np.where(is_class, numbers, 0)], is_class)
    return np.where(is_class, known, numbers)


def _is_encoded(source: Source, name: str) -> bool:
    return isinstance(source, EncodedSource) and name in source.encodings


def _number_names(columns: InputColumns, output: OutputSignature, names: Array, is_used: Array | bool = True) -> Array:
    numbers = {name: number for number, name in enumerate(output.classes)}
    result = np.array([numbers.get(name, -1) for name in names.reshape(-1)], np.int64).reshape(names.shape)
    unknown = (result < 0) & is_used
    if unknown.any():
        position = tuple(int(i) for i in np.argwhere(unknown)[0])
        near = find_similar_names(names[position], output.classes)
        remedy = f"did you mean `{near[0]}`?" if near else f"the classes are {', '.join(f'`{n}`' for n in output.classes[:5])}"
        where = describe_sample(columns.source, position[0])
        raise refuse_data(columns.path, f"`{output.target}` in {where} is `{names[position]}`, and training had no such class", remedy)
    return result


def _refuse_samples(columns: InputColumns, output: OutputSignature, is_wrong: Array, why: str) -> None:
    if is_wrong.any():
        where = describe_sample(columns.source, int(np.argwhere(is_wrong)[0][0]))
        raise refuse_data(columns.path, f"`{output.target}` in {where} {why}", "correct the target, or remove the sample")
