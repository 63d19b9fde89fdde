"""The Open Inference Protocol: the outputs of ONNX Runtime, as JSON and as bytes, and refusals of tensors that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from netc.compiler.ir.ports import Port
from netc.compiler.types.tensor_types import DTYPES
from netc.serving.datatypes import name_datatype
from netc.serving.open_inference import HEADER_LENGTH, read_infer_request, split_body, write_infer_response

from .asgi_client import Answer

MEASURES = np.array([[-2, 1.5], [1e3, 0.25]], np.float32)
TOWN = np.array([2, 0], np.int64)
INFER = "/v2/models/trees/infer"


def make_tensors(**changes: Any) -> dict[str, Any]:
    measures = {"name": "measures", "datatype": "FP32", "shape": [2, 2], "data": MEASURES.tolist()}
    return {"inputs": [measures | changes, {"name": "town", "datatype": "INT64", "shape": [2], "data": TOWN.tolist()}]}


@pytest.fixture(scope="module")
def expected(trees: Path) -> np.ndarray:
    path = trees.parent / "trees.onnx"
    netc.compile_file(trees.parent / "trees.net").save(path, weights=trees)
    scores = onnxruntime.InferenceSession(path).run(["scores"], {"measures": MEASURES, "town": TOWN})[0]
    return np.asarray(scores)


@pytest.mark.parametrize("data", [MEASURES.tolist(), MEASURES.ravel().tolist()], ids=["nested", "flat"])
def test_json_tensors(client: Any, expected: np.ndarray, data: Any) -> None:
    answer = client.post(INFER, {"id": "7", **make_tensors(data=data)}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("trees", "1", "7")
    (scores,) = answer["outputs"]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP32", [2, 3])
    np.testing.assert_allclose(np.reshape(scores["data"], (2, 3)), expected, rtol=1e-6, atol=1e-6)


def post_binary(client: Any, header: dict[str, Any], blobs: bytes, length: str | None = None) -> Answer:
    text = json.dumps(header).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: length or str(len(text))}
    answer: Answer = client.ask("POST", INFER, text + blobs, headers)
    return answer


def test_binary_tensors(client: Any, expected: np.ndarray) -> None:
    header = make_tensors(parameters={"binary_data_size": MEASURES.nbytes})
    del header["inputs"][0]["data"]
    header["outputs"] = [{"name": "scores", "parameters": {"binary_data": True}}]
    answer = post_binary(client, header, MEASURES.tobytes())
    length = int(answer.headers[HEADER_LENGTH.lower()])
    (scores,) = json.loads(answer.body[:length])["outputs"]
    assert scores["parameters"] == {"binary_data_size": 24}
    np.testing.assert_allclose(np.frombuffer(answer.body[length:], "<f4").reshape(2, 3), expected, rtol=1e-6, atol=1e-6)


def test_the_content_type_may_be_missing(client: Any) -> None:
    """tritonclient sends none."""
    assert client.ask("POST", INFER, json.dumps(make_tensors()).encode()).status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datatype": "FP64"}, "the `datatype` of `measures` must be FP32"),
        ({"shape": [2, 3]}, "the input `measures` is float32 [N, 2], found the shape [2, 3]"),
        ({"shape": [1, 2]}, "the `shape` of `measures` is [1, 2], and its `data` has the shape [2, 2]"),
        ({"shape": [-1, 2]}, "the `shape` of `measures` must be a list of sizes, and has `-1`"),
        ({"shape": [2, 10**12]}, "must be a list of sizes, and has `1000000000000`"),
        ({"shape": [True, 2]}, "must be a list of sizes, and has `true`"),
        ({"shape": 2}, "must be a list of sizes, and is `2`"),
        ({"shape": [0, 2], "data": []}, "without elements"),
        ({"data": [[1, 2], [3]]}, "its lists differ in length: 2 and 1"),
        ({"data": [1, 2, 3, True]}, "has `true`, which is no FP32"),
        ({"data": [1, 2, 3, "4"]}, 'has `"4"`, which is no FP32'),
        ({"data": [1, 2, 3, None]}, "has `null`, which is no FP32"),
        ({"data": [1, 2, 3, 1e39]}, "too large for FP32"),
        ({"data": [1, 2, 3, 10**400]}, "does not have"),
        ({"name": "mesures"}, "the model has no input"),
        ({"name": "town"}, "`inputs` has `town` twice"),
        ({"parameters": {"binary_data_size": 15}}, "must be 16 for its shape"),
        ({"parameters": {"binary_data_size": 16}}, "the bytes of `measures` are missing"),
    ],
)
def test_refused_tensors(client: Any, changes: dict[str, Any], message: str) -> None:
    answer = client.post(INFER, make_tensors(**changes))
    assert (answer.status in (400, 422), message in answer.json()["error"]) == (True, True), answer


def test_a_missing_input_and_an_unknown_output(client: Any) -> None:
    tensors = make_tensors()
    assert "a list of tensors, and is an empty list" in client.post(INFER, {"inputs": []}).json()["error"]
    assert "a list of tensors, and is missing" in client.post(INFER, {}).json()["error"]
    assert "the input `town` is missing" in client.post(INFER, {"inputs": tensors["inputs"][:1]}).json()["error"]
    assert 'no output `"probabilities"`' in client.post(INFER, {**tensors, "outputs": [{"name": "probabilities"}]}).json()["error"]


def test_batches_of_inputs_that_differ(client: Any) -> None:
    tensors = make_tensors()
    tensors["inputs"][1] |= {"shape": [1], "data": [0]}
    assert client.post(INFER, tensors).json()["error"] == "`N` is 2 in the input `measures`, but 1 in `town`"


@pytest.mark.parametrize(("length", "blobs"), [("9999", b""), ("-1", b""), ("x", b""), (None, b"0" * 15), (None, b"0" * 17)])
def test_wrong_lengths_of_bytes(client: Any, length: str | None, blobs: bytes) -> None:
    header = make_tensors(parameters={"binary_data_size": 16})
    del header["inputs"][0]["data"]
    assert post_binary(client, header, blobs, length).status == 400


@pytest.mark.parametrize("name", DTYPES)
def test_every_type_goes_through_json_and_bytes(name: str) -> None:
    """A tensor is the same array after writing and reading it, in both forms."""
    ports = {"x": Port("x", DTYPES[name], ("N", 3))}
    dtype = np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)
    array = np.array([[0, 1, 1]] if name == "bool" else [[0, 1.5, 100]]).astype(dtype)
    for parameters in ({}, {"binary_data_output": True}):
        asked = {"name": "x", "datatype": name_datatype(DTYPES[name]), "shape": [1, 3], "data": array.astype(object).tolist()}
        body = json.dumps({"inputs": [asked], "parameters": parameters}, default=float).encode()
        request = read_infer_request(*split_body(body, None), ports, ports)
        assert request.arrays["x"].dtype == dtype
        written, length = write_infer_response("m", request, request.arrays, ports)
        tensors = json.loads(written[:length])["outputs"]
        again = json.dumps({"inputs": tensors}).encode()
        read = read_infer_request(*split_body(again + written[length or len(written) :], str(len(again))), ports, ports)
        assert read.arrays["x"].tobytes() == array.tobytes()


def test_a_byte_that_is_no_boolean_is_refused() -> None:
    ports = {"x": Port("x", DTYPES["bool"], ("N", 3))}
    asked = {"name": "x", "datatype": "BOOL", "shape": [1, 3], "parameters": {"binary_data_size": 3}}
    header = json.dumps({"inputs": [asked]}).encode()
    from netc.serving.request_refused import RequestRefused

    read = read_infer_request(*split_body(header + bytes([1, 0, 1]), str(len(header))), ports, ports)
    assert read.arrays["x"].tolist() == [[True, False, True]]
    with pytest.raises(RequestRefused, match="a byte of `x` is 5, and a boolean is 0 or 1"):
        read_infer_request(*split_body(header + bytes([1, 5, 0]), str(len(header))), ports, ports)


def test_infinite_outputs_are_bytes_only() -> None:
    ports = {"x": Port("x", DTYPES["float32"], ("N", 2))}
    asked = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    request = read_infer_request(*split_body(json.dumps(asked).encode(), None), ports, ports)
    from netc.serving.request_refused import RequestRefused

    with pytest.raises(RequestRefused, match="infinite numbers"):
        write_infer_response("m", request, {"x": np.array([[1, np.inf]], np.float32)}, ports)
    body, _ = write_infer_response("m", request, {"x": np.array([[1, np.nan]], np.float32)}, ports)
    assert json.loads(body)["outputs"][0]["data"] == [1.0, None]


def test_metadata(client: Any, trees: Path) -> None:
    described = client.ask("GET", "/v2/models/trees").json()
    assert described["inputs"] == [
        {"name": "measures", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "town", "datatype": "INT64", "shape": [-1]},
    ]
    assert described["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]
    assert client.ask("GET", "/v2/health/live").json() == {"live": True}
    assert "binary_tensor_data" in client.ask("GET", "/v2").json()["extensions"]


def test_ready_until_it_drains(serve: Callable[..., Any], trees: Path) -> None:
    client = serve(trees)
    assert client.ask("GET", "/v2/health/ready").status == 200
    client.draining.is_draining = True
    answer = client.ask("GET", "/v2/health/ready")
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert client.ask("GET", "/v2/models/trees/ready").status == 503
    assert client.post(INFER, make_tensors()).status == 200
