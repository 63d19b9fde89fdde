"""The description of the server's API by OpenAPI 3.1, made from the signature of the model.

In: a served model. Out: the object of `/openapi.json`. Always: it is complete for this model: each column of a row has its type, and each
limit its error.
"""

from __future__ import annotations

from typing import Any

from ..version import __version__
from .row_schemas import Schema, describe_results, describe_rows, make_example
from .served_model import ServedModel

JSON = "application/json"
_ERRORS = {
    "400": "the body cannot be read",
    "413": "the body is larger than a limit",
    "415": "the body has another type",
    "422": "the model cannot read the data",
    "429": "too many requests wait",
    "503": "the model did not answer in time",
}


def describe_api(model: ServedModel) -> dict[str, Any]:
    """Return the description of all paths."""
    rows, results = describe_rows(model.predictor), describe_results(model.predictor)
    schemas = {
        "Row": _describe_object(rows, list(rows)) | _give_example(rows),
        "Prediction": _describe_object(results, list(results)),
        "Error": {"type": "object", "properties": {"error": {"type": "string"}, "problems": {"type": "array"}}, "required": ["error"]},
        "Tensors": {"type": "object", "description": "tensors, as the Open Inference Protocol has them", "required": ["inputs"]},
    }
    infer = f"/v2/models/{model.name}"
    texts = {"/v1/completions": _describe_completions(), "/v1/models": _describe_get("List the model.")}
    return {
        "openapi": "3.1.0",
        "info": {"title": model.name, "version": __version__, "description": "Predictions of a network, served by netc."},
        "paths": {
            "/predict": {"post": _describe_predict(model)},
            f"{infer}/infer": {"post": _describe_post("Compute the outputs of tensors.", _refer("Tensors"), {"type": "object"})},
            infer: _describe_get("Describe the inputs and outputs."),
            f"{infer}/ready": _describe_get("Say whether the model takes requests.", "503"),
            "/v2": _describe_get("Describe the server."),
            "/v2/health/live": _describe_get("Say whether the server runs."),
            "/v2/health/ready": _describe_get("Say whether the server takes new requests.", "503"),
            "/metrics": _describe_get("Return metrics for Prometheus.", media_type="text/plain"),
            **(texts if model.completions is not None else {}),
        },
        "components": {"schemas": schemas},
    }


def _describe_predict(model: ServedModel) -> dict[str, Any]:
    limit = model.options.max_rows
    body = {"oneOf": [_refer("Row"), {"type": "array", "items": _refer("Row"), "minItems": 1, "maxItems": limit}]}
    answer = {"oneOf": [_refer("Prediction"), {"type": "array", "items": _refer("Prediction")}]}
    post = _describe_post("Predict one row, or a list of rows.", body, answer)
    if model.predictor.image_decoder is not None:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {"type": "object", "properties": {"file": {"type": "array", "items": file, "minItems": 1, "maxItems": limit}}}
        post["requestBody"]["content"]["multipart/form-data"] = {"schema": form}
    return post


def _describe_completions() -> dict[str, Any]:
    kinds = {"prompt": "string", "max_tokens": "integer", "temperature": "number", "top_p": "number", "top_k": "integer"}
    fields = kinds | {"seed": "integer", "stream": "boolean"}
    body = {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}, "required": ["prompt"]}
    return {"post": _describe_post("Continue a text, as OpenAI's API does.", body, {"type": "object"})}


def _describe_post(summary: str, body: Schema, answer: Schema) -> dict[str, Any]:
    errors = {status: {"description": text, "content": {JSON: {"schema": _refer("Error")}}} for status, text in _ERRORS.items()}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {"200": {"description": "the results", "content": {JSON: {"schema": answer}}}, **errors},
    }


def _describe_get(summary: str, *errors: str, media_type: str = JSON) -> dict[str, Any]:
    schema = {"type": "object" if media_type == JSON else "string"}
    responses = {"200": {"description": "the answer", "content": {media_type: {"schema": schema}}}}
    return {"get": {"summary": summary, "responses": responses | {status: {"description": "the server stops"} for status in errors}}}


def _describe_object(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _give_example(rows: dict[str, Schema]) -> Schema:
    example = make_example(rows)
    return {} if example is None else {"examples": [example]}


def _refer(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
