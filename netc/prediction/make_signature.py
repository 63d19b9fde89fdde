"""Make the signature of a model from the section that trains it, and the columns that it is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.record import replace

from ..training.data.class_names import find_class_names
from ..training.data.data_columns import InputColumns
from ..training.data.data_formats import FORMATS
from ..training.data.encodings import list_encodings
from ..training.data.text_windows import find_tokenizer
from .model_signature import VALUE, InputSignature, ModelSignature, OutputSignature
from .output_tasks import find_output_tasks


def make_signature(training: Training, columns: InputColumns, format: str, options: Mapping[str, Any]) -> ModelSignature:
    """Describe the model of a section that is trained on these columns."""
    encodings = {encoding.column: encoding for encoding in list_encodings(columns)}
    model_inputs = [(outer.name, inner.name) for outer, inner in _match_model_inputs(training)]
    inputs = tuple(
        InputSignature(inner, columns.columns[outer].names, columns.columns[outer].single)
        for outer, inner in model_inputs
        if outer in columns.columns
    )
    used = {name for item in inputs for name in item.columns}
    outputs = {output.name: output for output in find_output_tasks(training)}
    named = tuple(_name_target(output, columns) for output in outputs.values())
    kept_encodings = tuple(encoding for name, encoding in encodings.items() if name in used)
    targets = {column for output in named for column in (output.columns or (output.target,))}
    target_encodings = tuple(encoding for name, encoding in encodings.items() if name in targets)
    tokenizer = find_tokenizer(columns.source)
    # A path of this machine means nothing to a reader of the signature: the run keeps the file itself.
    paths = FORMATS[format].select_paths(options) if format else {}
    kept_options = {name: value for name, value in options.items() if name not in paths}
    digest = "" if tokenizer is None else tokenizer.digest
    return ModelSignature(format, kept_options, inputs, named, kept_encodings, digest, target_encodings)


def _match_model_inputs(training: Training) -> Iterator[tuple[Value, Value]]:
    """Yield the inputs of the section that are inputs of the model, each with the model's own."""
    section_inputs = {id(value): value for value in training.program.main.inputs}
    for outer, inner in training.model_inputs:
        if id(outer) in section_inputs:
            yield section_inputs[id(outer)], inner


def _name_target(output: OutputSignature, columns: InputColumns) -> OutputSignature:
    """Replace the input of a target by its column, and add the names of the classes."""
    selection = columns.columns.get(output.target)
    if selection is None:  # the target is drawn, such as the noise of a denoiser
        return replace(output, target="")
    if not selection.single and len(selection.names) > 1:
        return replace(output, columns=selection.names)
    column = selection.names[0]
    return replace(output, target=column, classes=() if output.task == VALUE else find_class_names(columns.source, column))
