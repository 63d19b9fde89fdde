"""What was measured, as a table or data.

In: measurements. Out: rows with the same names, numbers in seconds, bytes and runs; or lines. Always: ratios are to the first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median, quantiles

from ..display.figures import format_bytes
from ..display.text_table import align_columns
from .job import Declared, Job
from .measure_contenders import Measured

BATCH = "N"


def rows(found: Sequence[Measured], jobs: Sequence[Job]) -> list[dict[str, object]]:
    """A row for each contender. `throughput` is samples in a second: a run has as many as the first axis of the first input is long."""
    samples = _samples(jobs[0].inputs)
    return [
        {
            "what": one.what,
            "runtime": RUNTIMES[job.kind],
            "runs": len(one.runs),
            "latency": median(one.runs),
            "p95": p95(one.runs),
            "ratio": one.ratio,
            "throughput": samples / median(one.runs),
            "load": one.load,
            "first_run": one.first,
            "peak_memory": one.peak,
            "library_memory": one.base,
            "difference": one.difference if one.difference is not None and isfinite(one.difference) else None,
        }
        for one, job in zip(found, jobs, strict=True)
    ]


def p95(runs: Sequence[float]) -> float:
    """What 95 of 100 runs are not longer than."""
    return quantiles(runs, n=20, method="inclusive")[-1] if len(runs) > 1 else runs[0]


def _samples(inputs: Sequence[Declared]) -> int:
    return next((shape[0] for _, _, shape in inputs if shape), 1)


RUNTIMES = {"onnx": "ONNX Runtime", "torch": "PyTorch", "program": "PyTorch"}


def data(found: Sequence[Measured], jobs: Sequence[Job]) -> dict[str, object]:
    """All of it, for other programs."""
    first = jobs[0]
    inputs = [{"name": name, "dtype": dtype, "shape": list(shape)} for name, dtype, shape in first.inputs]
    where = {"device": first.device, "threads": first.threads}
    return {**where, "inputs": inputs, "contenders": rows(found, jobs)}


def lines(found: Sequence[Measured], jobs: Sequence[Job]) -> list[str]:
    """The table, and under it the inputs and the device."""
    header = ["model", "in", "median", "p95", "ratio", "samples/s", "load", "first run", "memory", "differs by"]
    cells = [
        [
            one.what,
            RUNTIMES[job.kind],
            time(median(one.runs)),
            time(p95(one.runs)),
            f"{one.ratio:.2f}",
            _speed(_samples(job.inputs) / median(one.runs)),
            time(one.load),
            time(one.first),
            "" if one.peak is None else format_bytes(max(0, one.peak - (one.base or 0))),
            "other shapes" if one.difference is None else f"{one.difference:.1g}" if one.difference else "0",
        ]
        for one, job in zip(found, jobs, strict=True)
    ]
    shapes = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in jobs[0].inputs)
    threads = (
        f"{jobs[0].threads} thread{'' if jobs[0].threads == 1 else 's'} on the CPU" if jobs[0].device == "cpu" else jobs[0].device.upper()
    )
    return [*align_columns(header, cells, [False, False, *[True] * 8]), "", f"{shapes or 'no inputs'}; {threads}"]


def _speed(samples: float) -> str:
    return f"{samples:,.0f}" if samples >= 100 else f"{samples:.3g}"


def time(seconds: float) -> str:
    """Three digits with a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"
