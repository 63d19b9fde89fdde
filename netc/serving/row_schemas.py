"""The JSON schemas of rows: what a request may have in each column, and what the answer has.

In: a predictor. Out: JSON schemas by column, and an example row. Always: names are only keys and values of JSON. The schema of the answer
comes from the prediction of one random sample, so it has exactly the columns that a request gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..prediction.prediction_files import list_json
from ..prediction.predictions import PREDICTED_PREFIX
from ..training.data.encodings import BOOLEAN, CATEGORY, DATE, INTEGER, ColumnEncoding
from .batch_independence import draw_random_samples

if TYPE_CHECKING:
    from netc.compiler.types.tensor_types import DType

    from ..prediction.predictor import Predictor

Schema = dict[str, Any]
_JSON_TYPES = {"float": "number", "bool": "boolean"}
_VALUE_TYPES = {bool: "boolean", str: "string"}
_MAX_NAMES = 200
"""The most categories or classes that a schema lists."""
_MAX_ELEMENTS = 64
"""The most numbers of an array that an example shows."""


def describe_rows(predictor: Predictor) -> dict[str, Schema]:
    """Return the schema of each column of a request."""
    image = predictor.image_decoder
    encodings = {encoding.column: encoding for encoding in predictor.signature.encodings}
    shapes, types = predictor.column_shapes, predictor.column_types
    schemas: dict[str, Schema] = {}
    for name in predictor.columns:
        if image is not None and name == image[0]:
            schemas[name] = {"type": "string", "contentEncoding": "base64", "description": "an image file"}
        elif name in encodings:
            schemas[name] = _describe_encoded(encodings[name])
        else:
            schemas[name] = _describe_array(shapes[name], types[name])
            if shapes[name] != () and predictor.tokenizer is not None and types[name].is_integer:
                schemas[name] = {"anyOf": [{"type": "string"}, schemas[name]], "description": "a text, or its tokens"}
    return schemas


def describe_results(predictor: Predictor) -> dict[str, Schema]:
    """Return the schema of each column of an answer; none for a model that takes no random sample."""
    samples = draw_random_samples(predictor.session)
    if samples is None:
        return {}
    columns = predictor.make_predictions(predictor.compute_outputs(samples)).columns
    classes = {f"{PREDICTED_PREFIX}{output.target}": output.classes for output in predictor.signature.outputs}
    schemas = {}
    for name, values in columns.items():
        names = classes.get(name, ())
        is_listed = values.ndim == 1 and 0 < len(names) <= _MAX_NAMES and values.dtype.kind == "O"
        # A model may have more scores than the data has classes, and the sample may have no class.
        schemas[name] = {"type": ["string", "null"], "examples": list(names)} if is_listed else _describe_value(list_json(values)[0])
    return schemas


def make_example(schemas: Mapping[str, Schema]) -> dict[str, Any] | None:
    """Return a row that fits to the schemas, None if it would be long."""
    row = {name: _make_value(schema) for name, schema in schemas.items()}
    return None if any(value is None for value in row.values()) else row


def _describe_encoded(encoding: ColumnEncoding) -> Schema:
    schema = _describe_kind(encoding)
    if encoding.fill is None and not encoding.allows_missing and not encoding.has_other:
        return schema
    return {"anyOf": [schema, {"type": "null"}]} if "enum" in schema else schema | {"type": [schema["type"], "null"]}


def _describe_kind(encoding: ColumnEncoding) -> Schema:
    if encoding.kind == CATEGORY:
        names = list(encoding.categories[:_MAX_NAMES])
        is_complete = not encoding.has_other and len(names) == len(encoding.categories)
        return {"type": "string", "enum": names} if is_complete else {"type": "string", "examples": names}
    if encoding.kind == DATE:
        return {"type": "string", "description": "a date such as 2026-01-31"}
    return {"type": {BOOLEAN: "boolean", INTEGER: "integer"}.get(encoding.kind, "number")}


def _describe_array(shape: tuple[int | None, ...], dtype: DType) -> Schema:
    if not shape:
        return {"type": _JSON_TYPES.get(dtype.kind, "integer")}
    size, *rest = shape
    bounds = {} if size is None else {"minItems": size, "maxItems": size}
    return {"type": "array", "items": _describe_array(tuple(rest), dtype)} | bounds


def _describe_value(value: Any) -> Schema:
    if isinstance(value, list):
        return {"type": "array", "items": _describe_value(value[0]) if value else {}}
    return {"type": [_VALUE_TYPES.get(type(value), "number"), "null"]} if value is not None else {}


def _make_value(schema: Schema) -> Any:
    if "anyOf" in schema:
        return _make_value(schema["anyOf"][0])
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    match kind:
        case "array":
            value = _make_value(schema["items"])
            array = np.array(value if value is not None else 0)
            size = schema.get("minItems", 4)
            return None if value is None or array.size * size > _MAX_ELEMENTS else [value] * size
        case "string" if "contentEncoding" in schema:
            return None
        case "string":
            names = schema.get("enum") or schema.get("examples") or [_example_text(schema)]
            return names[0]
    return {"number": 0.5, "integer": 1, "boolean": True}[kind]


def _example_text(schema: Schema) -> str:
    return "2026-01-31" if "a date" in schema.get("description", "") else "Once"
