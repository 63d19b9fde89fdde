"""`netc bench`: what it reports is there and belongs together, contenders compute the same, what is wrong is said. No time is judged.

The long tests measure in processes of their own. The tests in test_bench_jobs.py ask the same code in their own process.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Netc = Callable[..., Any]
Write = Callable[[str, str], Path]
SPEC = "input [T, 3] -> dense 2 sigmoid -> dense 1 sigmoid"
FEW = ("--rounds", "1", "--threads", "1")
MODULES = """
import os
import torch


class Scaled(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.table = torch.nn.Embedding(2, width)
        print("this is no answer")

    def forward(self, tokens, scale):
        return {"out": self.table(tokens) * scale}


class Fails(torch.nn.Module):
    def forward(self, x):
        raise RuntimeError("this\\nis wrong")


class Ends(torch.nn.Module):
    def forward(self, x):
        os._exit(3)
"""


@pytest.fixture
def spec(write: Write) -> Path:
    write("modules.py", MODULES)
    return write("m.net", SPEC)


def contenders(done: Any) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["contenders"]
    return found


@pytest.mark.long
def test_the_forms_of_a_spec_compute_the_same(netc: Netc, spec: Path) -> None:
    netc("compile", spec, "-o", "same.onnx")
    words = ("--against", "torch", "--against", "torch.onnx.export", "--against", "same.onnx", "--dim", "N=2")
    found = contenders(netc("bench", spec, *words, *FEW, "--json"))
    assert [one["what"] for one in found] == [str(spec), "its PyTorch module", "torch.onnx.export", "same.onnx"]
    assert [one["runtime"] for one in found] == ["ONNX Runtime", "PyTorch", "ONNX Runtime", "ONNX Runtime"]
    for one in found:
        assert one["difference"] < 1e-6
        assert one["runs"] >= 1
        assert 0 < one["latency"] <= one["p95"]
        assert one["throughput"] == pytest.approx(2 / one["latency"])
        assert one["peak_memory"] >= one["library_memory"] > 0
    assert found[0]["ratio"] == 1


@pytest.mark.long
def test_other_weights_are_a_difference(netc: Netc, spec: Path) -> None:
    netc("compile", spec, "--seed", "1", "-o", "other.onnx")
    found = contenders(netc("bench", spec, "--against", "other.onnx", "--dim", "T=5", *FEW, "--json"))
    assert found[0]["difference"] == 0
    assert found[1]["difference"] > 1e-3


@pytest.mark.long
def test_an_onnx_file_is_measured_at_the_sizes_given(netc: Netc, spec: Path) -> None:
    netc("compile", spec, "-o", "m.onnx")
    done = netc("bench", "m.onnx", "--dim", "T=7", "--dim", "N=3", "--against", "torch", *FEW, "--json")
    assert json.loads(done.stdout)["inputs"] == [{"name": "input", "dtype": "float32", "shape": [3, 7, 3]}]
    assert contenders(done)[1]["difference"] < 1e-6


@pytest.mark.long
def test_modules_and_exported_programs(netc: Netc, spec: Path, folder: Path) -> None:
    words = ("--input", "[T] int64", "--input", "scale=[T, 5]", "--args", "width=5", "--dim", "T=6")
    (one,) = contenders(netc("bench", "modules.py:Scaled", *words, *FEW, "--json"))
    assert one["runtime"] == "PyTorch"
    torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(4, 3),)), "linear.pt2")
    done = netc("bench", "linear.pt2", "--against", "torch.nn:Identity", *FEW, "--json")
    assert json.loads(done.stdout)["inputs"][0]["shape"] == [4, 3]
    assert contenders(done)[1]["difference"] is None


@pytest.mark.long
def test_the_table_and_csv(netc: Netc, spec: Path) -> None:
    lines = netc("bench", "-e", "input 3 -> relu", *FEW).stdout.splitlines()
    assert lines[0].split()[:3] == ["model", "in", "median"]
    assert lines[-1] == "input float32 [1, 3]; 1 thread on the CPU"
    rows = list(csv.DictReader(io.StringIO(netc("bench", "-e", "input 3 -> relu", *FEW, "--csv").stdout)))
    assert [row["runtime"] for row in rows] == ["ONNX Runtime"]


@pytest.mark.thorough(3)
@pytest.mark.long
@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("modules.py:Fails", "modules.py:Fails: RuntimeError: this is wrong"),
        ("modules.py:Ends", "its process ended with 3"),
        ("modules.py:Scald", "did you mean `Scaled`?"),
        ("two.onnx", "it has 2 inputs, and is given 1"),
        ("broken.onnx", "broken.onnx: "),
        ("broken.pt2", "broken.pt2: "),
        ("double.onnx", "double.onnx: ONNX Runtime: Could not find an implementation for Conv"),
    ],
)
def test_a_contender_that_fails(netc: Netc, spec: Path, write: Write, against: str, said: str) -> None:
    netc("compile", "-e", "x = input 3; y = input 3; x + y", "-o", "two.onnx")
    netc("compile", "-e", "input 3 -> unsqueeze 2 -> conv 2 1", "--dtype", "float64", "--seed", "0", "-o", "double.onnx")
    write("broken.onnx", "nothing")
    write("broken.pt2", "nothing")
    done = netc("bench", spec, "--against", against, *FEW)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("m.net", "--against", "tensorflow"), 1, "there is no file `tensorflow` to compare with"),
        (("m.net", "--against", "no.onnx"), 1, "there is no file `no.onnx`"),
        (("no.onnx",), 1, "there is no file `no.onnx`"),
        (("m.net", "--input", "3"), 2, "a spec declares its inputs"),
        (("modules.py:Scaled",), 2, "declare the inputs of the module"),
        (("modules.py:Scaled", "--input", "x -> y"), 2, "--input: "),
        (("modules.py:Scaled", "--input", "3", "--seed", "1", "--weights", "w.npz"), 2, "are for specs"),
        (("m.net", "--rounds", "0"), 2, "--rounds"),
        (("no.pt2",), 1, "there is no file `no.pt2`"),
        (("folder.onnx",), 1, "`folder.onnx` is a directory"),
        (("folder.pt2",), 1, "`folder.pt2` is a directory"),
        (("m.net", "--against", "folder.onnx"), 1, "`folder.onnx` is a directory"),
        (("m.net", "--dim", "Q=3"), 1, "Q"),
        (
            ("-e", "x = input [4, 3]; t = input 2 int64; n = table (i) [N] int64 = 2; (x -> transpose 0 1, t, n, n) -> ctc_loss"),
            1,
            "error[onnx-unsupported]: `ctc_loss` cannot be exported",
        ),
    ],
)
def test_what_makes_no_sense(netc: Netc, spec: Path, words: tuple[str, ...], code: int, said: str) -> None:
    for name in ("folder.onnx", "folder.pt2"):
        Path(name).mkdir()
    done = netc("bench", *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
