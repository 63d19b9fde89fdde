"""The signature of a trained model: which columns its inputs read, how their cells become numbers, and what its outputs mean.

In: the signature that `make_signature.py` finds in a train section, or its JSON. Out: a `ModelSignature`, which converts to JSON and back.
A run keeps it in `config.json`, and an ONNX file in its metadata, so that both can predict from the same data as in training. Always: a
signature holds names and numbers only, reading one never runs code, and one that netc cannot have written is a `SignatureDamaged`.

For example, the output `scores` of a section with `loss = (scores, species) -> cross_entropy` has the task `classes`, the target
`species`, and the names of the species in the order of their numbers.

    >>> signature_from_json({"inputs": 3})
    Traceback (most recent call last):
    netc.prediction.model_signature.SignatureDamaged: 'format'
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record

from ..training.data.encodings import KINDS, ColumnEncoding

METADATA_KEY = "netc_signature"
"""The key of a signature in the metadata of an ONNX file."""
CLASSES, LOG_CLASSES, PROBABILITIES, LABEL = "classes", "log_classes", "probabilities", "label"
"""Tasks with classes. The output is: a score for each class; the logarithm of a probability for each class; a probability for each class;
the number of the class."""
BINARY, PROBABILITY, VALUE = "binary", "probability", "value"
"""Other tasks. The output is: the logit of one probability; a probability; numbers that predict the target, or numbers without one."""
NOT_A_LABEL = -100
"""The label that PyTorch's losses ignore by default."""
SCORED = (CLASSES, LOG_CLASSES, PROBABILITIES)
"""The tasks whose outputs have a number for each class, along an axis."""
TASKS = frozenset((CLASSES, LOG_CLASSES, PROBABILITIES, LABEL, BINARY, PROBABILITY, VALUE))
STEPS = frozenset(("add", "sub", "mul", "div", "exp", "log", "expm1", "log1p"))
Step = tuple[str, float]
"""One of `STEPS` and its number, such as `("mul", 1000.0)`. `exp` and the other functions ignore the number."""


class SignatureDamaged(Exception):
    """A signature that cannot be read."""


class InputSignature(Record):
    """The columns that one input reads. `single`: the column as it is; otherwise all `columns` are joined along the first axis of a
    sample."""

    name: str
    columns: tuple[str, ...]
    single: bool


class OutputSignature(Record):
    """The meaning of one output: its task, the column of its target, and the names of the classes, which are along `axis`.

    Without a target, `target` is empty; a target of several columns has their names in `columns`. `steps` turn the numbers of the output
    into the numbers of the target, which the loss may have scaled. Samples with the label `ignored` belong to no class.
    """

    name: str
    task: str = VALUE
    target: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    axis: int = 1
    steps: tuple[Step, ...] = ()
    ignored: int = NOT_A_LABEL


class ModelSignature(Record):
    """Everything that predictions need in addition to the model. `format` is the format of the training data, with `options` such as the
    separator of a csv file; `encodings` has the encoded columns of the inputs, `target_encodings` of the targets. `tokenizer` is the hash
    of the tokenizer's file, empty if there is none; the folder of a run has the file."""

    format: str
    options: dict[str, Any]
    inputs: tuple[InputSignature, ...]
    outputs: tuple[OutputSignature, ...]
    encodings: tuple[ColumnEncoding, ...] = ()
    tokenizer: str = ""
    target_encodings: tuple[ColumnEncoding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Convert to a JSON object."""
        return {
            "format": self.format,
            "options": self.options,
            "inputs": [_record_to_json(item) for item in self.inputs],
            "outputs": [_record_to_json(item) for item in self.outputs],
            "encodings": [_record_to_json(item) for item in self.encodings],
            "tokenizer": self.tokenizer,
            "target_encodings": [_record_to_json(item) for item in self.target_encodings],
        }

    def find_output(self, name: str) -> OutputSignature:
        """Return the meaning of an output; numbers, if training said nothing of it."""
        return next((output for output in self.outputs if output.name == name), OutputSignature(name))

    def fits_outputs(self, types: Mapping[str, TensorType]) -> bool:
        """Whether a model with these outputs has a score for each class of each target."""
        for output in self.outputs:
            if output.task not in SCORED or output.name not in types:
                continue
            shape = types[output.name].shape
            count = shape[output.axis] if -len(shape) <= output.axis < len(shape) else 0
            # A network may have more scores than the data has classes.
            if isinstance(count, int) and count < len(output.classes):
                return False
        return True


def signature_from_json(content: Any) -> ModelSignature:
    """Read a signature. Raises `SignatureDamaged`."""
    try:
        signature = ModelSignature(
            str(content["format"]),
            dict(content["options"]),
            tuple(_record_from_json(InputSignature, item) for item in content["inputs"]),
            tuple(_record_from_json(OutputSignature, item) for item in content["outputs"]),
            tuple(_record_from_json(ColumnEncoding, item) for item in content["encodings"]),
            # a run of an earlier version has no tokenizer in its signature
            str(content.get("tokenizer", "")),
            tuple(_record_from_json(ColumnEncoding, item) for item in content.get("target_encodings", ())),
        )
        _check_signature(signature)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SignatureDamaged(str(error)) from error
    return signature


def _check_signature(signature: ModelSignature) -> None:
    """Raise `ValueError` or `TypeError` for content that netc does not write: anybody may write a file."""
    for item in signature.inputs:
        _check_texts(item.name, *item.columns)
        _require(bool(item.columns) and isinstance(item.single, bool), item.columns)
    for output in signature.outputs:
        _check_texts(output.name, output.target, *output.classes, *output.columns)
        # not `isinstance`, because `true` of JSON is an int in Python
        _require(output.task in TASKS and type(output.axis) is int and type(output.ignored) is int, output.task)
        _require(all(name in STEPS and type(number) is float for name, number in output.steps), output.steps)
    for encoding in (*signature.encodings, *signature.target_encodings):
        _check_texts(encoding.column, *encoding.categories)
        _require(encoding.kind in KINDS and isinstance(encoding.fill, (int, float, type(None))), encoding.kind)


def _check_texts(*texts: object) -> None:
    _require(all(isinstance(text, str) for text in texts), texts)


def _require(is_valid: bool, content: object) -> None:
    if not is_valid:
        raise ValueError(str(content))


def _record_to_json(record: Any) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in record.__match_args__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _record_from_json(cls: Any, content: Mapping[str, Any]) -> Any:
    # a field that a file of an earlier version lacks has its default
    known = {name: content[name] for name in cls.__match_args__ if name in content}
    return cls(**{name: _to_tuple(value) for name, value in known.items()})


def _to_tuple(value: Any) -> Any:
    """Convert lists, at any depth, to the tuples of a record."""
    return tuple(map(_to_tuple, value)) if isinstance(value, list) else value


def read_metadata_signature(metadata: Mapping[str, str]) -> ModelSignature | None:
    """Read the signature in the metadata of an ONNX file. Return None if there is none. Raises `SignatureDamaged`."""
    text = metadata.get(METADATA_KEY)
    if text is None:
        return None
    try:
        return signature_from_json(json.loads(text))
    # JSON that is nested too deeply ends in a RecursionError
    except (ValueError, RecursionError) as error:
        raise SignatureDamaged(str(error)) from error
