"""A thousand malformed requests are answered by 4xx, and the server goes on."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from .asgi_client import make_post

ROW = {"width": -2, "height": 1.5, "place": "Ulm"}
TENSORS = {
    "id": "1",
    "inputs": [
        {"name": "measures", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]},
        {"name": "town", "datatype": "INT64", "shape": [2], "data": [0, 1]},
    ],
    "outputs": [{"name": "scores", "parameters": {"binary_data": False}}],
}
STRANGE = [
    None, True, False, 0, -1, 1e308, -1e308, 10**30, 10**400, 2**63, 0.5, "", " ", "NaN", "1e999", "x" * 5000, "\ud800", "\x00", "007", "٣",
    [], [[]], [[[]]], [1, [2]], [[1], [2, 3]], ["Ulm"], {}, {"": {}}, {"name": "town"}, [None], [True, 1], [[1e40, 1]], [10**30, 1],
    "data:image/png;base64,AAAA", "2026-01-31", -(2**63) - 1, [0] * 3000,
]  # fmt: skip


def mangle(value: Any, draw: random.Random) -> Any:
    """The value with one part replaced, removed or added."""
    if draw.random() < 0.25 or not isinstance(value, (dict, list)) or not value:
        return draw.choice(STRANGE)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw.choice(keys)
    copied = value.copy()
    action = draw.random()
    if action < 0.15:
        del copied[key]
    elif action < 0.25 and isinstance(copied, dict):
        copied[str(draw.choice(STRANGE))[:20]] = copied.pop(key)
    elif action < 0.35 and isinstance(copied, list):
        copied.append(draw.choice(STRANGE))
    else:
        copied[key] = mangle(value[key], draw)
    return copied


def mangle_bytes(body: bytes, draw: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(draw.randint(1, 4)):
        position = draw.randrange(len(changed))
        match draw.randrange(3):
            case 0:
                changed[position] = draw.randrange(256)
            case 1:
                del changed[position : position + draw.randint(1, 8)]
            case _:
                changed[position:position] = draw.choice([b"[", b"{", b'"', b"\xff", b"1e", b",", b"NaN", b"\\u", b"-"])
        if not changed:
            return b""
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_malformed_requests(client: Any, seed: int) -> None:
    draw = random.Random(seed)
    requests = []
    for index in range(300):
        path, content = (("/predict", draw.choice([ROW, [ROW, ROW]])), ("/v2/models/trees/infer", TENSORS))[index % 2]
        if index % 3:
            requests.append(make_post(path, json.dumps(mangle(content, draw)).encode()))
        else:
            requests.append(make_post(path, mangle_bytes(json.dumps(content).encode(), draw)))
    answers = [client.ask(*request) for request in requests]
    # Some changes leave a request that is right, such as another number.
    wrong = [(request, answer) for request, answer in zip(requests, answers, strict=True) if answer.status >= 500]
    assert wrong == []
    refused = [answer for answer in answers if answer.status != 200]
    assert len(refused) >= 250
    assert all(400 <= answer.status < 500 and isinstance(answer.json()["error"], str) and answer.json()["error"] for answer in refused)
    assert client.post("/predict", ROW).status == 200


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Content-Length", "Inference-Header-Content-Length"])
@pytest.mark.parametrize(
    "value", ["", "x", "-1", "9" * 30, "9" * 5000, "application/json; charset=\xff", "multipart/form-data; boundary=", "gzip"]
)
def test_strange_headers(client: Any, name: str, value: str) -> None:
    for path, content in (("/predict", ROW), ("/v2/models/trees/infer", TENSORS)):
        _, _, body, headers = make_post(path, content)
        answer = client.ask("POST", path, body, {**headers, name: value})
        assert answer.status < 500
