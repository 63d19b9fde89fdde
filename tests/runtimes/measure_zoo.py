"""Measures the small models of the zoo in each runtime: `make runtimes`.

In: names of runtimes, by default all. Out: `measured.json` next to this file, from which docs/runtimes.md is made. Always: ONNX Runtime
runs the same model with the same inputs in the same process, in turns, each with one thread. A runtime that fails, or ends the process,
has the reason instead of numbers.

    PYTHONPATH=tests python -m runtimes.measure_zoo openvino tract
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from zoo.small import SMALL

import netc
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.errors.optional_packages import DISTRIBUTIONS
from netc.importing.array_difference import measure_difference
from netc.runtimes.open_session import SESSIONS, open_session

MEASURED = Path(__file__).parent / "measured.json"
SEED, ROUNDS, TURN = 7, 9, 0.01
LONGEST = 180
"""The most seconds for a model, to load it and to run it."""


def read_measured(path: Path = MEASURED) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"versions": {}, "models": {}}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtimes", nargs="*", default=list(SESSIONS))
    parser.add_argument("--models", nargs="*", default=list(SMALL))
    parser.add_argument("--output", type=Path, default=MEASURED)
    asked = parser.parse_args(words)
    found = read_measured(asked.output)
    found["versions"]["onnxruntime"] = onnxruntime.__version__  # its distribution may be `onnxruntime-gpu`
    for runtime in asked.runtimes:
        found["versions"] |= {package: version(package) for package in (DISTRIBUTIONS[module] for module in SESSIONS[runtime].modules)}
        for name, result in measure_models(asked.models, runtime):
            found["models"].setdefault(name, {})[runtime] = result
            print(name, runtime, result, file=sys.stderr, flush=True)
            asked.output.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def measure_models(names: Sequence[str], runtime: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure models in a process, which another one replaces if a runtime ends it."""
    waiting = list(names)
    while waiting:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            while waiting:
                name = waiting.pop(0)
                title = SESSIONS[runtime].profile.title
                try:
                    yield name, pool.submit(measure_model, name, runtime).result(LONGEST)
                except BrokenProcessPool:
                    yield name, {"refused": f"{title} ends the process"}
                    break
                except TimeoutError:
                    for process in multiprocessing.active_children():
                        process.kill()
                    yield name, {"refused": f"{title} does not load the model in {LONGEST} seconds"}
                    break


def measure_model(name: str, runtime: str) -> dict[str, Any]:
    """The largest difference from ONNX Runtime relative to the largest value, and the latency as a multiple of ONNX Runtime's; or why
    there is none."""
    small = SMALL[name]
    model = small.compiled()
    values = dict(zip(model.inputs, (tensor.numpy() for tensor in small.inputs(model)), strict=True))
    needs_sizes = SESSIONS[runtime].profile.needs_sizes
    if not needs_sizes:
        result = _measure_pair(model, model, values, runtime)
        if "refused" not in result or not model.program.symbols:
            return result
    fixed = _measure_pair(model, small.compile_fixed(), values, runtime)
    return fixed if "refused" in fixed or needs_sizes else {**fixed, "symbolic": result["refused"]}


def _measure_pair(model: netc.Model, other: netc.Model, values: Mapping[str, Any], runtime: str) -> dict[str, Any]:
    try:
        with TemporaryDirectory() as folder:
            model.save(f"{folder}/model.onnx", seed=SEED)
            other.save(f"{folder}/other.onnx", seed=SEED, runtime=runtime)
            reference = OnnxSession(f"{folder}/model.onnx", threads=1)
            session = open_session(runtime, f"{folder}/other.onnx", threads=1)
            difference = _compare(reference(**values), session(**values))
            ratio = _compare_times(reference.bound(values), session.bound(values))
    except ValueError as error:  # `CompileError` is one too
        return {"refused": _format_reason(error)}
    return {"difference": float(f"{difference:.1e}"), "ratio": float(f"{ratio:.2g}")}


def _compare(wanted: Any, found: Any) -> float:
    pairs = [(wanted[name], found[name]) for name in wanted] if isinstance(wanted, dict) else [(wanted, found)]
    return max(measure_difference(np.asarray(b), np.asarray(a)) for a, b in pairs)


def _compare_times(reference: Callable[[], object], other: Callable[[], object]) -> float:
    """The median of the ratios of rounds, in each of which both have a turn."""
    reference(), other()
    return median(_time_run(other) / _time_run(reference) for _ in range(ROUNDS))


def _time_run(run: Callable[[], object]) -> float:
    """The seconds of a run, the median of a turn."""
    seconds: list[float] = []
    while sum(seconds) < TURN:
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def _format_reason(error: ValueError) -> str:
    if isinstance(error, netc.CompileError):
        return error.diagnostics[0].message
    return str(error).partition("\n")[0][:300]


if __name__ == "__main__":
    main()
