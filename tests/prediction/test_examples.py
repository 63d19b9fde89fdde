"""The programs of `netc compile --example` print what netc itself predicts. They import no netc.

The JavaScript one runs where Node finds onnxruntime-web (`make playground`, or `NETC_NODE_MODULES`). The C++ one is compiled where ONNX
Runtime's headers are (Debian's `libonnxruntime-dev`, or `NETC_ONNXRUNTIME`, the folder of its release archive), and runs if the library is
there too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import netc
from netc.cli import cli
from tests.prediction.example_runs import (
    NODE_MODULES,
    ROWS,
    WRONG,
    compile_example,
    folder,
    predict_row,
    read_numbers,
    replace_cell,
    train_on_images,
    write_images,
)

__all__ = ["folder"]
ONNXRUNTIME = Path(os.environ.get("NETC_ONNXRUNTIME", "/usr"))
HEADERS = next((p for p in (ONNXRUNTIME / "include", ONNXRUNTIME / "include/onnxruntime") if (p / "onnxruntime_cxx_api.h").is_file()), None)
LIBRARY = next((p.parent for where in ("lib", "lib64", "lib/*-linux-gnu") for p in ONNXRUNTIME.glob(f"{where}/libonnxruntime.so")), None)
some_wrong_cells = pytest.mark.parametrize("wrong_cells", [WRONG[::7], pytest.param(WRONG, marks=pytest.mark.long)], ids=["some", "all"])


def check_program(folder: Path, command: list[str], wrong_cells: Sequence[tuple[str, str]]) -> None:
    for cells in ROWS:
        expected = predict_row(folder, cells)
        assert expected.exit_code == 0, expected.stderr
        done = subprocess.run([*command, *cells], capture_output=True, text=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
        # netc's terminal shows separators of lines as escapes
        assert read_numbers(done.stdout) == read_numbers(expected.stdout.replace("\\u{2028}", "\u2028"))
        assert len(read_numbers(done.stdout)) >= 6
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 1
    for name, cell in wrong_cells:
        wrong = replace_cell(ROWS[0], name, cell)
        assert subprocess.run([*command, *wrong], capture_output=True, timeout=60).returncode == 1, (name, cell)


def test_wrong_cells_are_wrong_for_netc(folder: Path) -> None:
    for name, cell in WRONG:
        cells = replace_cell(ROWS[0], name, cell)
        assert predict_row(folder, cells).exit_code == 1, (name, cell)


@some_wrong_cells
def test_python(folder: Path, wrong_cells: Sequence[tuple[str, str]]) -> None:
    assert compile_example(folder, "python").exit_code == 0
    program = folder / "trees_example.py"
    assert "netc" not in program.read_text(encoding="utf-8")
    check_program(folder, [sys.executable, "-I", str(program)], wrong_cells)


@pytest.mark.parametrize(
    ("image", "size", "options"),
    [
        ("3x16x16", "16", ()),
        pytest.param("1x12x20", "[12, 20]", ("--quantize", "int8"), marks=pytest.mark.long),
        pytest.param("4x16x16", "16", ("--dtype", "float16"), marks=pytest.mark.long),
        pytest.param("3x16x16 uint8", "16", (), marks=pytest.mark.long),
    ],
)
def test_an_image_in_python(tmp_path: Path, image: str, size: str, options: tuple[str, ...]) -> None:
    classes = ("a \"b\"'c' {x}", "ash", "oak")
    train_on_images(tmp_path, classes, image, size)
    assert compile_example(tmp_path, "python", *options).exit_code == 0
    program = tmp_path / "trees_example.py"
    assert "netc" not in program.read_text(encoding="utf-8")
    predictor = netc.load(tmp_path / "trees.onnx")
    write_images(tmp_path / "new", ("one",), "LA")
    write_images(tmp_path / "others", ("one",), "P")
    for path in (tmp_path / "new/one/0.png", tmp_path / "new/one/3.png", tmp_path / "others/one/1.png"):
        expected = predictor([str(path)])
        done = subprocess.run([sys.executable, "-I", str(program), str(path)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"label: {expected['predicted_label'][0]}\n")
        probabilities = {name: value for name, value in read_numbers(done.stdout) if name != "label"}
        assert probabilities == {name: pytest.approx(expected[f"probability_{name}"][0], abs=1e-3) for name in classes}
    assert subprocess.run([sys.executable, "-I", str(program)], capture_output=True, timeout=60).returncode == 1
    Image.fromarray(np.ones((16, 16), np.uint16)).save(tmp_path / "wide.png")
    wide = subprocess.run([sys.executable, "-I", str(program), str(tmp_path / "wide.png")], capture_output=True, text=True, timeout=60)
    assert (wide.returncode, wide.stderr.partition(":")[0]) == (1, "the pixels are not of 8 bits")
    refused = compile_example(tmp_path, "c++", name="other")
    assert refused.exit_code == 1
    assert "write `--example python`" in refused.stderr


@some_wrong_cells
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.skipif(not (NODE_MODULES / "onnxruntime-web").is_dir(), reason="onnxruntime-web is not installed: make playground")
def test_javascript(folder: Path, wrong_cells: Sequence[tuple[str, str]]) -> None:
    assert compile_example(folder, "javascript").exit_code == 0
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    check_program(folder, ["node", str(folder / "trees_example.mjs")], wrong_cells)


@some_wrong_cells
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.skipif(HEADERS is None, reason="ONNX Runtime's headers are not installed: NETC_ONNXRUNTIME is the folder of its archive")
def test_cpp(folder: Path, wrong_cells: Sequence[tuple[str, str]]) -> None:
    # Debian's library, 1.21, reads models up to opset 22.
    assert compile_example(folder, "c++", "--opset", "21").exit_code == 0
    build = ["g++", "-std=c++17", "-Wall", "-Werror", "-I", str(HEADERS), str(folder / "trees_example.cpp")]
    subprocess.run([*build, "-fsyntax-only"], check=True)
    if LIBRARY is None:
        pytest.skip("compiled, not run: ONNX Runtime's library is not next to its headers")
    link = ["-L", str(LIBRARY), f"-Wl,-rpath,{LIBRARY}", "-lonnxruntime", "-o", str(folder / "trees_example")]
    subprocess.run([*build, *link], check=True)
    check_program(folder, [str(folder / "trees_example")], wrong_cells)


def test_a_file_is_never_replaced(folder: Path) -> None:
    (folder / "mine_example.py").write_text("mine", encoding="utf-8")
    result = compile_example(folder, "python", name="mine")
    assert result.exit_code == 1
    assert "mine_example.py` already" in result.stderr
    assert not (folder / "mine.onnx").exists()
    assert (folder / "mine_example.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "a.py", "--weights", "run", "--example", "python"), "--example is for an ONNX model in a file"),
        (("--target", "onnx", "-o", "-", "--weights", "run", "--example", "python"), "--example is for an ONNX model in a file"),
        (("-o", "a.onnx", "--example", "python"), "give --weights RUN"),
        (("-o", "a.onnx", "--seed", "1", "--example", "python"), "these weights are from none"),
        (("-o", "a.onnx", "--weights", "nun", "--example", "python"), "cannot read weights from `nun`: there is no such file"),
        (("-o", "h.onnx", "--weights", "run", "--dtype", "float16", "--example", "c++"), "add `--keep-io`"),
        (("-o", "n.onnx", "--weights", "run", "--dim", "N=4", "--example", "python"), "takes 4 samples at once"),
    ],
)
def test_refusals(folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(cli, ["compile", "trees.net", *words], prog_name="netc")
    assert result.exit_code != 0
    assert message in result.stderr
