"""`--dtype` and `--keep-io` of the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from netc.cli import cli
from netc.compiler.backends.onnx.runtime_failures import FEW_KERNELS

TEXT = "input 3 -> dense 2"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), prog_name="netc")


def test_compile(folder: Path) -> None:
    assert "dtype=torch.float16" in run("compile", "-e", TEXT, "--target", "torch", "--dtype", "float16").stdout
    done = run("compile", "-e", TEXT, "--dtype", "bfloat16", "--keep-io", "-o", "a.onnx", "--seed", "0")
    assert done.exit_code == 0
    assert done.stderr == f"note: the graph holds bfloat16: {FEW_KERNELS['bfloat16']}\n"
    graph = onnx.load("a.onnx").graph
    assert [p.type.tensor_type.elem_type for p in (*graph.input, *graph.output)] == [1, 1]
    assert {t.data_type for t in graph.initializer} == {16}
    assert "bfloat16 [N, 2]" in run("compile", "-e", TEXT, "--emit", "graph", "--dtype", "bfloat16").stdout


def test_run(folder: Path) -> None:
    done = run("run", "-e", TEXT, "--dtype", "float16", "--random", "--seed", "1", "-o", "a.npz")
    assert done.stdout.startswith("output: float16 [1, 2]")
    assert np.load("a.npz")["output"].dtype == np.float16
    assert run("run", "-e", TEXT, "--dtype", "float16", "--keep-io", "--random").stdout.startswith("output: float32 [1, 2]")
    refused = run("run", "-e", TEXT, "--dtype", "bfloat16", "--random")
    assert refused.exit_code == 1
    assert FEW_KERNELS["bfloat16"] in refused.stderr
    refused = run("run", "-e", "input 3x8x8 -> conv 2 3x3", "--dtype", "float64", "--random")
    assert refused.exit_code == 1
    assert FEW_KERNELS["float64"] in refused.stderr
    run("compile", "-e", TEXT, "-o", "a.onnx", "--seed", "0")
    done = run("run", "a.onnx", "--dtype", "float16", "--random")
    assert done.exit_code == 2
    assert "an ONNX model is already compiled" in done.stderr


def test_summary_and_check(folder: Path) -> None:
    assert "bfloat16 [N, 2]" in run("summary", "-e", TEXT, "--dtype", "bfloat16").stdout
    assert "float16 [N, 2]" in run("check", "-e", TEXT, "--shapes", "--dtype", "float16").stdout
    assert run("check", "-e", "input 8 -> rfft").exit_code == 0
    done = run("check", "-e", "input 8 -> rfft", "--dtype", "float16")
    assert done.exit_code == 1
    assert "`rfft` needs float32 or float64, found float16 [N, 8]" in done.stdout


def test_wrong_usage(folder: Path) -> None:
    for words, text in (
        (("check", "-e", TEXT, "--dtype", "int8"), "'int8' is not one of"),
        (("check", "-e", TEXT, "--keep-io"), "--keep-io needs --dtype"),
        (("train", "a.net", "--dtype", "bfloat16", "-o", "run"), "`--precision bf16` computes in bfloat16"),
    ):
        done = run(*words)
        assert done.exit_code == 2
        assert text in done.stderr
