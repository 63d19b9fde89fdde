"""Format measurements as a table, or as data for other programs.

In: measurements. Out: rows with the same keys, whose numbers are seconds, bytes or counts, or lines of text. Always: ratios are to the
first row.

    >>> format_time(0.00123), format_time(2.5), compute_p95([float(n) for n in range(1, 101)])
    ('1.23 ms', '2.5 s', 95.05)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median, quantiles

from netc.compiler.backends.onnx.runtime_profiles import PROFILES

from ..display.figures import format_bytes
from ..display.text_table import align_columns
from .job import DeclaredInput, Job
from .measure_contenders import Measurement


def make_rows(measurements: Sequence[Measurement], jobs: Sequence[Job]) -> list[dict[str, object]]:
    """Return a row for each contender. `throughput` is in samples per second, counted along the first axis of the first input."""
    samples = _count_samples(jobs[0].inputs)
    return [
        {
            "what": measurement.what,
            "runtime": RUNTIMES[job.kind],
            "runs": len(measurement.runs),
            "latency": median(measurement.runs),
            "p95": compute_p95(measurement.runs),
            "ratio": measurement.ratio,
            "throughput": samples / median(measurement.runs),
            "load": measurement.load,
            "first_run": measurement.first,
            "peak_memory": measurement.peak,
            "library_memory": measurement.base,
            # JSON has neither NaN nor infinity
            "difference": measurement.difference if measurement.difference is not None and isfinite(measurement.difference) else None,
        }
        for measurement, job in zip(measurements, jobs, strict=True)
    ]


def compute_p95(runs: Sequence[float]) -> float:
    """Return the 95th percentile of the runs."""
    # inclusive: the slowest run is the 100th percentile, so no result is slower than it
    return quantiles(runs, n=20, method="inclusive")[-1] if len(runs) > 1 else runs[0]


def _count_samples(inputs: Sequence[DeclaredInput]) -> int:
    return next((shape[0] for _, _, shape in inputs if shape), 1)


RUNTIMES = {
    "onnx": "ONNX Runtime",
    "torch": "PyTorch",
    "program": "PyTorch",
    **{name: profile.title for name, profile in PROFILES.items()},
}


def results_to_data(measurements: Sequence[Measurement], jobs: Sequence[Job]) -> dict[str, object]:
    """Return all results for other programs."""
    first = jobs[0]
    inputs = [{"name": name, "dtype": dtype, "shape": list(shape)} for name, dtype, shape in first.inputs]
    where = {"device": first.device, "threads": first.threads}
    return {**where, "inputs": inputs, "contenders": make_rows(measurements, jobs)}


def format_table(measurements: Sequence[Measurement], jobs: Sequence[Job]) -> list[str]:
    """Return the lines of the table, with the inputs and the device below it."""
    header = ["model", "in", "median", "p95", "ratio", "samples/s", "load", "first run", "memory", "differs by"]
    cells = [
        [
            measurement.what,
            RUNTIMES[job.kind],
            format_time(median(measurement.runs)),
            format_time(compute_p95(measurement.runs)),
            f"{measurement.ratio:.2f}",
            _format_speed(_count_samples(job.inputs) / median(measurement.runs)),
            format_time(measurement.load),
            format_time(measurement.first),
            # the memory that the model needs in addition to its libraries
            "" if measurement.peak is None else format_bytes(max(0, measurement.peak - (measurement.base or 0))),
            "other shapes" if measurement.difference is None else f"{measurement.difference:.1g}" if measurement.difference else "0",
        ]
        for measurement, job in zip(measurements, jobs, strict=True)
    ]
    shapes = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in jobs[0].inputs)
    threads = (
        f"{jobs[0].threads} thread{'' if jobs[0].threads == 1 else 's'} on the CPU" if jobs[0].device == "cpu" else jobs[0].device.upper()
    )
    return [*align_columns(header, cells, [False, False, *[True] * 8]), "", f"{shapes or 'no inputs'}; {threads}"]


def _format_speed(samples: float) -> str:
    return f"{samples:,.0f}" if samples >= 100 else f"{samples:.3g}"


def format_time(seconds: float) -> str:
    """Return a time with three digits and a unit: `1.23 ms`."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
