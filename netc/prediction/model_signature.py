"""The signature of a trained model: which columns its inputs read, how their cells become numbers, and what its outputs mean.

In: a train section, and the columns that it was trained on. Out: a `ModelSignature`, which converts to JSON and back. A run keeps it in
`config.json`, and an ONNX file in its metadata, so that both can predict from the same data as in training. Always: a signature holds names
and numbers only, and reading one never runs code.

For example, the output `scores` of a section with `loss = (scores, species) -> cross_entropy` has the task `classes`, the target
`species`, and the names of the species in the order of their numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.record import Record, replace

from ..training.data.data_columns import InputColumns
from ..training.data.data_formats import FORMATS
from ..training.data.encodings import CATEGORY, ColumnEncoding, list_encodings
from ..training.data.text_windows import find_tokenizer
from ..training.run_files import CONFIG

METADATA_KEY = "netc_signature"
"""The key of a signature in the metadata of an ONNX file."""
CLASSES, LOG_CLASSES, BINARY, PROBABILITY, VALUE = "classes", "log_classes", "binary", "probability", "value"
"""Tasks. The output is: a score for each class; the logarithm of a probability for each class; the logit of one probability; a
probability; numbers that predict the target; numbers, if there is no target."""
_TASKS = {
    "cross_entropy": CLASSES,
    "nll_loss": LOG_CLASSES,
    "binary_cross_entropy_with_logits": BINARY,
    "binary_cross_entropy": PROBABILITY,
    "mse_loss": VALUE,
    "l1_loss": VALUE,
    "smooth_l1_loss": VALUE,
    "huber_loss": VALUE,
}
"""What an output means that one of these losses compares with a target."""
_KEEPS_MEANING = frozenset(("cast", "squeeze", "unsqueeze", "reshape", "flatten"))
"""Operators that change the type or the shape of a target, but not the meaning of its numbers."""


class SignatureDamaged(Exception):
    """A signature that cannot be read."""


class InputSignature(Record):
    """The columns that one input reads. `single`: the column as it is; otherwise all `columns` are joined along the first axis of a
    sample."""

    name: str
    columns: tuple[str, ...]
    single: bool


class OutputSignature(Record):
    """The meaning of one output: its task, the column of its target, and the names of the classes. Without a target, `target` is empty."""

    name: str
    task: str = VALUE
    target: str = ""
    classes: tuple[str, ...] = ()


class ModelSignature(Record):
    """Everything that predictions need in addition to the model. `format` is the format of the training data, with `options` such as the
    separator of a csv file; `encodings` has the encoded columns of the inputs. `tokenizer` is the hash of the tokenizer's file, empty if
    there is none; the folder of a run has the file."""

    format: str
    options: dict[str, Any]
    inputs: tuple[InputSignature, ...]
    outputs: tuple[OutputSignature, ...]
    encodings: tuple[ColumnEncoding, ...] = ()
    tokenizer: str = ""

    def to_json(self) -> dict[str, Any]:
        """Convert to a JSON object."""
        return {
            "format": self.format,
            "options": self.options,
            "inputs": [_record_to_json(item) for item in self.inputs],
            "outputs": [_record_to_json(item) for item in self.outputs],
            "encodings": [_record_to_json(item) for item in self.encodings],
            "tokenizer": self.tokenizer,
        }

    def find_output(self, name: str) -> OutputSignature:
        """Return the meaning of an output; numbers, if training said nothing of it."""
        return next((output for output in self.outputs if output.name == name), OutputSignature(name))


def signature_from_json(content: Any) -> ModelSignature:
    """Read a signature. Raises `SignatureDamaged`."""
    try:
        return ModelSignature(
            str(content["format"]),
            dict(content["options"]),
            tuple(_record_from_json(InputSignature, item) for item in content["inputs"]),
            tuple(_record_from_json(OutputSignature, item) for item in content["outputs"]),
            tuple(_record_from_json(ColumnEncoding, item) for item in content["encodings"]),
            str(content.get("tokenizer", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SignatureDamaged(str(error)) from error


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
    outputs = {output.name: output for output in _find_outputs(training)}
    named = tuple(_name_target(output, columns, encodings) for output in outputs.values())
    kept_encodings = tuple(encoding for name, encoding in encodings.items() if name in used)
    tokenizer = find_tokenizer(columns.source)
    # A path of this machine means nothing to a reader of the signature: the run keeps the file itself.
    paths = FORMATS[format].select_paths(options) if format else {}
    kept_options = {name: value for name, value in options.items() if name not in paths}
    return ModelSignature(format, kept_options, inputs, named, kept_encodings, "" if tokenizer is None else tokenizer.digest)


def _match_model_inputs(training: Training) -> Iterator[tuple[Value, Value]]:
    """Yield the inputs of the section that are inputs of the model, each with the model's own."""
    call = training.model_call
    section_inputs = {id(value): value for value in training.program.main.inputs}
    for outer, inner in zip(call.inputs, call.graph.inputs, strict=True):
        if id(outer) in section_inputs:
            yield section_inputs[id(outer)], inner


def _find_outputs(training: Training) -> Iterator[OutputSignature]:
    """Yield the outputs of the model that a loss compares with an input of the section. `target` is the name of that input."""
    call, main = training.model_call, training.program.main
    names = {id(value): name for value, name in zip(call.outputs, call.graph.output_names, strict=True)}
    producers = {id(value): node for node in main.nodes if isinstance(node, OpNode) for value in node.outputs}
    inputs = {id(value): value.name for value in main.inputs}
    for node in main.nodes:
        if not isinstance(node, OpNode) or node.op.name not in _TASKS:
            continue
        guess, target = _skip_casts(node.inputs[0], producers), _skip_casts(node.inputs[1], producers)
        is_probabilities = node.op.name == "cross_entropy" and node.inputs[1].type.dtype.is_float
        if id(guess) in names and id(target) in inputs and not is_probabilities:
            yield OutputSignature(names[id(guess)], _TASKS[node.op.name], inputs[id(target)])


def _skip_casts(value: Value, producers: Mapping[int, OpNode]) -> Value:
    while (node := producers.get(id(value))) is not None and node.op.name in _KEEPS_MEANING:
        value = node.inputs[0]
    return value


def _name_target(output: OutputSignature, columns: InputColumns, encodings: Mapping[str, ColumnEncoding]) -> OutputSignature:
    """Replace the input of a target by its column, and add the names of the classes."""
    selection = columns.columns[output.target]
    if len(selection.names) > 1:
        return replace(output, target="")
    column = selection.names[0]
    encoding = encodings.get(column)
    classes = encoding.categories if encoding is not None and encoding.kind == CATEGORY else columns.source.classes
    return replace(output, target=column, classes=classes if output.task != VALUE else ())


def _record_to_json(record: Any) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in record.__match_args__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _record_from_json(cls: Any, content: Mapping[str, Any]) -> Any:
    known = {name: content[name] for name in cls.__match_args__ if name in content}
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})


def find_signature(folder: str) -> ModelSignature | None:
    """Read the signature of a run's folder. Return None if the folder is no run, or its signature is damaged."""
    try:
        return signature_from_json(json.loads(Path(folder, CONFIG).read_text(encoding="utf-8"))["signature"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError, SignatureDamaged):
        return None
