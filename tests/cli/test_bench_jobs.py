"""`netc bench` in the process of the tests: its jobs compute what NumPy and PyTorch do, and its turns get their seconds from the tests."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import netc
from netc.benching import measure_contenders, worker
from netc.benching.contenders import Settings, Subject, declare_inputs, make_export_jobs, make_job, make_module_job, make_onnx_job
from netc.benching.job import Job
from netc.benching.measure_contenders import Measurement, measure_in_turns
from netc.benching.result_report import format_table, make_rows

from .test_bench import MODULES, SPEC, Netc, Write, contenders


@pytest.fixture
def spec(write: Write) -> Path:
    write("modules.py", MODULES)
    return write("m.net", SPEC)


def run_commands(job: Job, path: Path) -> tuple[worker.Commands, list[np.ndarray]]:
    """What a contender's process does until it has results."""
    commands = worker.Commands(job.to_json())
    assert commands.load_model("")["seconds"] > 0
    assert commands.run_first(str(path))["seconds"] > 0
    with np.load(path) as saved:
        return commands, [saved[name] for name in saved.files]


def test_the_jobs_of_a_spec_compute_what_numpy_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = netc.compile("input [T, 3] -> dense 2 sigmoid")
    inputs = declare_inputs(model.program, {"input": (2, 4, 3)})
    assert inputs == (("input", "float32", (2, 4, 3)),)
    settings = Settings(folder=str(tmp_path), threads=1, device="cpu", seed=3)
    jobs = [make_onnx_job(model, None, "mine", inputs, settings, "mine"), make_module_job(model, None, inputs, settings)]
    assert [(job.what, job.kind, job.seed) for job in jobs] == [("mine", "onnx", 3), ("its PyTorch module", "torch", 3)]
    assert (tmp_path / "mine.onnx").exists()
    weights = {array.ndim: array for array in load_file(tmp_path / "model.safetensors").values()}
    for job in jobs:
        commands, (result,) = run_commands(job, tmp_path / "results.npz")
        (x,) = commands.runner.draw_inputs().values()
        assert x.std() > 0.5
        np.testing.assert_allclose(result, 1 / (1 + np.exp(-(x @ weights[2].T + weights[1]))), rtol=1e-5)
        for least, count in ((0.0, 1), (float("inf"), 5)):
            monkeypatch.setattr(worker, "MIN_TURN_SECONDS", least)
            turn = commands.run_turn("5")
            assert len(turn["seconds"]) == count
        assert turn["peak"] >= commands.base > 2**20


@pytest.mark.parametrize("names", [("y", "x"), ("a", "b")])
def test_inputs_of_a_file_go_by_name_or_else_by_position(tmp_path: Path, names: tuple[str, str]) -> None:
    netc.compile("x = input 3 batch=false; y = input 3 batch=false; x - y").save(tmp_path / "m.onnx")
    inputs = tuple((name, "float32", (3,)) for name in names)
    commands, (result,) = run_commands(Job("m", "onnx", str(tmp_path / "m.onnx"), inputs, {}), tmp_path / "r.npz")
    first, second = commands.runner.draw_inputs().values()
    np.testing.assert_array_equal(result, first - second if names == ("a", "b") else second - first)


def test_inputs_of_a_module(netc: Netc, spec: Path, tmp_path: Path) -> None:
    """By position or by name; the seed makes its parameters."""
    inputs = (("tokens", "int64", (1, 6)), ("scale", "float32", (1, 6, 5)))
    job = Job("m", "torch", "modules.py:Scaled", inputs, {"width": 5}, keywords=("scale",), seed=4)
    commands, (result,) = run_commands(job, tmp_path / "r.npz")
    arrays = commands.runner.draw_inputs()
    torch.manual_seed(4)
    table = torch.nn.Embedding(2, 5).weight.detach().numpy()
    np.testing.assert_array_equal(result, table[arrays["tokens"]] * arrays["scale"])


def test_bfloat16_is_saved_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = netc.compile("input [3] int64 -> cast bfloat16")
    model.save(path)
    _, (result,) = run_commands(Job("m", "onnx", str(path), (("input", "int64", (1, 3)),), {}), tmp_path / "r.npz")
    assert result.dtype == np.float32


def test_the_lines_of_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netc.compile("x = input 3; y = input 3; x + y").save(tmp_path / "m.onnx")
    job = Job("m", "onnx", str(tmp_path / "m.onnx"), (("x", "float32", (1, 3)),), {})
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{job.to_json()}\nload\nfirst {tmp_path / 'r.npz'}\nload\n"))
    answers = list(worker._answer_commands())
    assert [sorted(answer) for answer in answers] == [["base"], ["seconds"], ["error"]]
    assert answers[-1]["error"] == "it has 2 inputs, and is given 1"


@pytest.mark.parametrize(
    ("error", "said"), [(ValueError("a size"), "a size"), (ValueError(), "ValueError: "), (TypeError("it\nis"), "TypeError: it is")]
)
def test_errors_of_a_process(error: Exception, said: str) -> None:
    assert worker._describe_error(error) == said


def test_an_export_has_the_symbolic_axes_of_the_spec(tmp_path: Path) -> None:
    """torch.onnx.export takes a size of 1 for a constant, so the sizes that it sees are others."""
    model = netc.compile("input [T, 3] -> dense 2")
    settings = Settings(folder=str(tmp_path), threads=1, device="cpu", seed=0)
    inputs = declare_inputs(model.program, {"input": (1, 1, 3)})
    subject = Subject(
        make_job("m", "onnx", "m.onnx", inputs, settings),
        lambda: make_module_job(model, None, inputs, settings),
        lambda: model.program,
    )
    writes, runs = make_export_jobs(subject, settings)
    ((name, dtype, (batch, steps, width)),) = writes.inputs
    assert (name, dtype, width, writes.dynamic) == ("input", "float32", 3, ((0, 1),))
    assert 1 < batch != steps > 1
    assert (writes.kind, writes.written, runs.path, runs.kind) == ("export", str(tmp_path / "exported.onnx"), writes.written, "onnx")
    assert runs.inputs == inputs


class Scripted:
    """Instead of a process: the seconds of each turn are these."""

    SECONDS = {"a": [9.0] * 3 + [1, 2, 4, 8], "b": [1.0] * 3 + [2, 2, 2, 2]}
    RESULTS = {"a": [np.array([1.0, 4.0])], "b": [np.array([1.0, 5.0])]}
    asked: list[str]

    def __init__(self, job: Job) -> None:
        self.name, self.turns, self.base = job.what, 0, 7

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *error: object) -> None: ...

    def ask(self, command: str) -> dict[str, Any]:
        word, _, rest = command.partition(" ")
        if word == "load":
            return {"seconds": 0.5 if self.name == "a" else 1.5}
        if word == "first":
            np.savez(rest, *self.RESULTS[self.name])
            return {"seconds": 0.25}
        Scripted.asked.append(self.name)
        self.turns += 1
        seconds = self.SECONDS[self.name][self.turns - 1]
        return {"seconds": [seconds, seconds, 2 * seconds], "peak": 10 * self.turns}


def measure(monkeypatch: pytest.MonkeyPatch, folder: Path, rounds: int) -> list[Measurement]:
    Scripted.asked = []
    monkeypatch.setattr(measure_contenders, "Contender", Scripted)
    return measure_in_turns([Job(name, "onnx", name, (), {}) for name in "ab"], rounds, str(folder))


def test_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a, b = measure(monkeypatch, tmp_path, 4)
    assert "".join(Scripted.asked) == "abba" * 3 + "ab"  # three rounds to warm up, then four
    assert a.runs == (1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16)
    assert (a.ratio, b.ratio) == (1, 0.75)  # the median of 2/1, 2/2, 2/4 and 2/8
    assert (a.load, b.load, a.first, a.base, a.peak) == (0.5, 1.5, 0.25, 7, 70)
    assert a.difference == 0
    assert b.difference == pytest.approx(1 / 4)  # relative to the largest value of the first
    measure(monkeypatch, tmp_path, 1)
    assert "".join(Scripted.asked) == "baab"[2:] + "ba"  # no more rounds to warm up than those that count


def test_results_that_cannot_be_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for results in ([np.zeros(3)], [np.array([1.0, 4.0])] * 2, []):
        monkeypatch.setitem(Scripted.RESULTS, "b", results)
        assert measure(monkeypatch, tmp_path, 1)[1].difference is None


def test_the_rows_and_the_table() -> None:
    jobs = [Job("m.net", "onnx", "m.onnx", (("s", "int64", ()), ("x", "float32", (6, 2))), {}, threads=2), Job("b", "torch", "b", (), {})]
    measurements = [
        Measurement("m.net", (0.004, 0.001, 0.002), 0.5, 2.0, 1.0, 3_500_000, 1_000_000, 0.0),
        Measurement("b", (0.02,), 0.25, 0.000004, 0.5, None, None, float("inf")),
    ]
    rows = make_rows(measurements, jobs)
    assert [rows[0][name] for name in ("latency", "throughput", "runs", "load", "first_run")] == [0.002, 3000, 3, 0.5, 2.0]
    assert rows[0]["p95"] == pytest.approx(np.percentile([1, 2, 4], 95) / 1000)
    assert (rows[1]["p95"], rows[1]["difference"], rows[0]["difference"], rows[1]["runtime"]) == (0.02, None, 0.0, "PyTorch")
    table = [line.split() for line in format_table(measurements, jobs)]
    assert table[1] == ["m.net", "ONNX", "Runtime", "2", "ms", "3.8", "ms", "1.00", "3,000", "500", "ms", "2", "s", "2.5", "MB", "0"]
    assert table[2][-3:] == ["4", "µs", "inf"]
    assert " ".join(table[-1]) == "s int64 [], x float32 [6, 2]; 2 threads on the CPU"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs of the last command, none of which is run: each takes as many milliseconds as its number."""
    jobs: list[Job] = []

    def measure_jobs(made: list[Job], rounds: int, folder: str) -> list[Measurement]:
        jobs[:] = made
        return [Measurement(job.what, (n / 1000,), 0.1, 0.2, float(n), None, None, None) for n, job in enumerate(made, 1)]

    monkeypatch.setattr("netc.cli.bench.measure_in_turns", measure_jobs)
    return jobs


def test_the_jobs_of_a_file(netc: Netc, spec: Path, measured: list[Job]) -> None:
    """At the sizes given; and against its own module, another file, another spec and a module."""
    netc("compile", spec, "-o", "m.onnx")
    others = [word for other in ("torch", "m.onnx", "m.net", "modules.py:Scaled") for word in ("--against", other)]
    done = netc("bench", "m.onnx", "--dim", "T=7", "--dim", "N=3", *others, "--threads", "2", "--json")
    assert json.loads(done.stdout)["inputs"] == [{"name": "input", "dtype": "float32", "shape": [3, 7, 3]}]
    assert [row["latency"] for row in contenders(done)] == [0.001, 0.002, 0.003, 0.004, 0.005]
    whats = ["m.onnx", "its PyTorch module", "m.onnx", "m.net", "modules.py:Scaled"]
    assert [(job.what, job.kind) for job in measured] == list(zip(whats, ["onnx", "torch", "onnx", "onnx", "torch"], strict=True))
    assert {(job.inputs, job.threads, job.device) for job in measured} == {((("input", "float32", (3, 7, 3)),), 2, "cpu")}
    assert measured[2].path == measured[0].path == "m.onnx" != measured[3].path


def test_the_job_of_a_module(netc: Netc, spec: Path, measured: list[Job]) -> None:
    words = ("--input", "[T] int64", "--input", "scale=[T, 5]", "--args", "width=5", "--dim", "T=6", "--seed", "4")
    rows = list(csv.DictReader(io.StringIO(netc("bench", "modules.py:Scaled", *words, "--against", "torch.compile", "--csv").stdout)))
    assert [(row["what"], row["runtime"], float(row["ratio"])) for row in rows] == [
        ("modules.py:Scaled", "PyTorch", 1),
        ("torch.compile", "PyTorch", 2),
    ]
    inputs = (("input_0", "int64", (1, 6)), ("scale", "float32", (1, 6, 5)))
    assert [(job.inputs, job.keywords, job.arguments, job.seed, job.compiled) for job in measured] == [
        (inputs, ("scale",), {"width": 5}, 4, False),
        (inputs, ("scale",), {"width": 5}, 4, True),
    ]


def test_the_table_of_a_spec(netc: Netc, spec: Path, measured: list[Job]) -> None:
    lines = netc("bench", "-e", "input 3 -> relu", "--threads", "1").stdout.splitlines()
    assert lines[0].split()[:3] == ["model", "in", "median"]
    assert lines[1].split()[-6:] == ["100", "ms", "200", "ms", "other", "shapes"]
    assert lines[-1] == "input float32 [1, 3]; 1 thread on the CPU"
