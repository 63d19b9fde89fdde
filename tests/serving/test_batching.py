"""Dynamic batching: requests that arrive together share a run, and get what they would get alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from netc.serving.batch_independence import find_batch_obstacle
from netc.serving.inference_queue import InferenceQueue
from netc.serving.request_refused import RequestRefused

from .asgi_client import make_post
from .conftest import TOWNS

Serve = Callable[..., Any]


def make_rows(count: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    return [{"width": generator.normal(), "height": generator.normal(), "place": TOWNS[i % 3]} for i in range(count)]


def count_runs(client: Any) -> tuple[int, int]:
    """The runs of the model so far, and their samples."""
    lines = client.ask("GET", "/metrics").body.decode().splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    return int(values["netc_run_seconds_count"]), int(values["netc_samples_total"])


def get_probabilities(answer: Any) -> list[float]:
    return [value for name, value in sorted(answer.json().items()) if name.startswith("probability_")]


@pytest.mark.long
def test_requests_that_arrive_together_are_one_run(serve: Serve, trees: Path) -> None:
    client = serve(trees, max_batch=64, max_wait=10_000 / 100)
    rows = make_rows(32)
    alone = [client.post("/predict", row) for row in rows]
    before = count_runs(client)
    together = client.ask_all([make_post("/predict", row) for row in rows])
    assert np.subtract(count_runs(client), before).tolist() == [1, 32]
    np.testing.assert_allclose([get_probabilities(a) for a in together], [get_probabilities(a) for a in alone], atol=1e-6)
    assert [a.json()["predicted_kind"] for a in together] == [a.json()["predicted_kind"] for a in alone]


def test_a_full_batch_does_not_wait(serve: Serve, trees: Path) -> None:
    client = serve(trees, max_batch=4, max_wait=60_000.0)
    answers = client.ask_all([make_post("/predict", row) for row in make_rows(8)])
    assert ([a.status for a in answers], count_runs(client)) == ([200] * 8, (2, 8))


def test_a_bad_request_does_not_hurt_the_others(serve: Serve, trees: Path) -> None:
    """The second tensor has a town that the embedding lacks, which only ONNX Runtime notices, in the joint run."""
    client = serve(trees, max_wait=100.0)
    rows = make_rows(3)
    requests = [make_post("/predict", rows[0]), make_post("/predict", {**rows[1], "place": "Rom"}), make_post("/predict", rows[2])]
    assert [answer.status for answer in client.ask_all(requests)] == [200, 422, 200]
    tensors = [
        {
            "inputs": [
                {"name": "measures", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
                {"name": "town", "datatype": "INT64", "shape": [1], "data": [town]},
            ]
        }
        for town in (0, 77, 2)
    ]
    answers = client.ask_all([make_post("/v2/models/trees/infer", tensor) for tensor in tensors])
    assert [answer.status for answer in answers] == [200, 422, 200]
    assert "77" in answers[1].json()["error"] or "out of" in answers[1].json()["error"]


def test_other_shapes_are_other_runs(serve: Serve, texts: Path) -> None:
    """Texts of other lengths have no common array."""
    client = serve(texts, max_wait=50.0)
    bodies = [{"tokens": text} for text in ("abc", "abcde", "abd")]
    answers = client.ask_all([make_post("/predict", body) for body in bodies])
    assert ([a.status for a in answers], count_runs(client)) == ([200] * 3, (2, 3))
    expected = netc.load(texts)({"tokens": np.array([list(b"abcde")])}).columns
    assert answers[1].json()["predicted_next"] == next(iter(expected.values()))[0].tolist()


@pytest.mark.parametrize(
    ("text", "is_independent"),
    [
        ("x = input 3 -> dense 4 relu", True),
        ("x = input [T, 3] where T % 16 == 0; x -> softmax axis=1", True),
        ("x = input 3; y = x - (x -> mean axis=0)", False),
        ("x = input [] int64; y = x -> embedding 2 4 -> softmax axis=0", False),
        ("x = input 3; y = (x, x -> transpose 0 1) -> matmul", False),
        ("x = input 3; y = x -> mean axis=0", False),
        ("x = input 2x3 batch=false -> dense 4", False),
    ],
)
def test_models_whose_samples_depend_on_each_other_run_alone(text: str, is_independent: bool) -> None:
    assert (find_batch_obstacle(netc.compile(text).session(seed=0)) == "") == is_independent


def test_dynamic_quantization_shares_a_scale(tmp_path: Path) -> None:
    """The scale of the activations is the largest number of all samples."""
    netc.compile("x = input 64 -> dense 64 relu -> dense 8").save(tmp_path / "small.onnx", seed=0, quantize="int8")
    from netc.compiler.backends.onnx.runtime import OnnxSession

    assert "depends on the other samples" in find_batch_obstacle(OnnxSession(tmp_path / "small.onnx"))


def test_a_full_queue_refuses_and_a_slow_model_times_out() -> None:
    async def ask() -> list[Any]:
        queue = InferenceQueue(max_batch=1, max_wait=0, max_queue=2, timeout=0.05)
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def run(arrays: dict[str, Any]) -> dict[str, Any]:
            asyncio.run_coroutine_threadsafe(done.wait(), loop).result()
            return arrays

        arrays = {"x": np.zeros((1, 2), np.float32)}
        first = asyncio.ensure_future(queue.compute(run, arrays, 1, True))
        await asyncio.sleep(0.01)  # the model has taken it
        others = [asyncio.ensure_future(queue.compute(run, arrays, 1, True)) for _ in range(3)]
        results = await asyncio.gather(first, *others, return_exceptions=True)
        done.set()
        await queue.close()
        return results

    refused = asyncio.run(ask())
    assert all(isinstance(result, RequestRefused) for result in refused)
    assert [result.status for result in refused] == [503, 503, 503, 429]
