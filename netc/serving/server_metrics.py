"""The metrics of a server in the text format of Prometheus, by its client library.

In: finished requests and runs. Out: the text of `/metrics`. Always: the labels are routes and status codes, whose number is small, and
never a part of a request.

    >>> metrics = ServerMetrics("moons", lambda: 0)
    >>> metrics.observe_request("/predict", 200, 0.004)
    >>> [line for line in metrics.format_text().decode().splitlines() if line.startswith("netc_requests_total")]
    ['netc_requests_total{route="/predict",status="200"} 1.0']
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..version import __version__
from .inference_queue import RunRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class ServerMetrics:
    """The metrics of one server."""

    def __init__(self, model: str, count_waiting: Callable[[], int]) -> None:
        """`count_waiting` returns the number of requests that wait for the model."""
        self._registry = registry = CollectorRegistry()
        Info("netc_model", "The model that is served.", registry=registry).info({"name": model, "netc_version": __version__})
        Gauge("netc_queue_requests", "Requests that wait for the model.", registry=registry).set_function(count_waiting)
        self._requests = Counter("netc_requests", "Answered requests by route and HTTP status.", ("route", "status"), registry=registry)
        self._durations = Histogram(
            "netc_request_seconds", "Seconds from a request's header to its response.", ("route",), registry=registry, buckets=_SECONDS
        )
        self._samples = Counter("netc_samples", "Samples that the model computed.", registry=registry)
        self._batches = Histogram("netc_batch_samples", "Samples in one run of the model.", registry=registry, buckets=_SAMPLES)
        self._joined = Counter("netc_joined_requests", "Requests that shared a run with others.", registry=registry)
        self._runs = Histogram("netc_run_seconds", "Seconds of one run of the model.", registry=registry, buckets=_SECONDS)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, str(status)).inc()
        self._durations.labels(route).observe(seconds)

    def observe_run(self, run: RunRecord) -> None:
        """Count a run of the model."""
        self._samples.inc(run.samples)
        self._batches.observe(run.samples)
        self._runs.observe(run.seconds)
        if run.requests > 1:
            self._joined.inc(run.requests)

    def format_text(self) -> bytes:
        """Return all metrics as text."""
        text: bytes = generate_latest(self._registry)
        return text
