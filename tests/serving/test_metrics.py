"""The text of `/metrics`, read by the parser of Prometheus' own client library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import netc

pytest.importorskip("prometheus_client", reason="`netc serve` needs the extra `serve`")

from prometheus_client.parser import text_string_to_metric_families

from netc.serving.inference_queue import RunRecord
from netc.serving.server_metrics import ServerMetrics


def read_samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Read the value of each sample by its name and the values of its labels, but not the times at which the counters began."""
    families = text_string_to_metric_families(text.decode())
    samples = (sample for family in families for sample in family.samples if not sample.name.endswith("_created"))
    return {(sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples}


def test_every_number_is_counted() -> None:
    waiting = [7]
    metrics = ServerMetrics("moons", lambda: waiting[0])
    for status, seconds in ((200, 0.5), (200, 3), (422, 0.25)):
        metrics.observe_request("/predict", status, seconds)
    for run in (RunRecord(1, 4, 0.5), RunRecord(3, 20, 0.125), RunRecord(2, 3, 4)):
        metrics.observe_run(run)
    samples = read_samples(metrics.format_text())
    buckets = {key: samples.pop(key) for key in list(samples) if key[0].endswith("_bucket")}
    assert samples == {
        ("netc_model_info", "moons", netc.__version__): 1,
        ("netc_queue_requests",): 7,
        ("netc_requests_total", "/predict", "200"): 2,
        ("netc_requests_total", "/predict", "422"): 1,
        ("netc_request_seconds_count", "/predict"): 3,
        ("netc_request_seconds_sum", "/predict"): 3.75,
        ("netc_samples_total",): 27,
        ("netc_batch_samples_count",): 3,
        ("netc_batch_samples_sum",): 27,
        ("netc_joined_requests_total",): 5,
        ("netc_run_seconds_count",): 3,
        ("netc_run_seconds_sum",): 4.625,
    }
    # The limits are in seconds and in samples.
    assert buckets["netc_request_seconds_bucket", "0.5", "/predict"] == 2
    assert (buckets["netc_batch_samples_bucket", "4.0"], buckets["netc_batch_samples_bucket", "2.0"]) == (2, 0)
    assert (buckets["netc_run_seconds_bucket", "0.2"], buckets["netc_run_seconds_bucket", "5.0"]) == (1, 3)
    waiting[0] = 2
    assert read_samples(metrics.format_text())["netc_queue_requests",] == 2


def test_requests_are_counted_by_route_and_status(serve: Any, trees: Path) -> None:
    client = serve(trees)
    row = {"width": 1.0, "height": 2.0, "place": "Bonn"}
    assert [client.post("/predict", content).status for content in (row, row, "{")] == [200, 200, 400]
    samples = read_samples(client.ask("GET", "/metrics").body)
    assert samples["netc_requests_total", "/predict", "200"] == 2
    assert samples["netc_requests_total", "/predict", "400"] == 1
    assert (samples["netc_model_info", "trees", netc.__version__], samples["netc_queue_requests",]) == (1, 0)
