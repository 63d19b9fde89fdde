"""Options of `netc compile` that say how a graph of ONNX is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

Netc = Callable[..., Any]


def test_all_of_them(netc: Netc, folder: Path) -> None:
    words = ("--opset", "18", "--no-optimize", "--metadata", "license=MIT")
    assert netc("compile", "-e", "input [T, 3] -> dense 4", *words, "-o", "x.onnx").exit_code == 0
    proto = onnx.load(folder / "x.onnx")
    assert proto.opset_import[0].version == 18
    assert {entry.key: entry.value for entry in proto.metadata_props}["license"] == "MIT"
    assert {tensor.name for tensor in proto.graph.initializer} == {"dense1.weight", "dense1.bias"}


def test_as_text(netc: Netc) -> None:
    shown = netc("compile", "-e", "input [T, 3] -> dense 4", "--emit", "onnx", "--opset", "17")
    assert shown.exit_code == 0
    assert 'opset_import: ["" : 17]' in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metadata", "version"), "expected NAME=TEXT, got `version`"),
        (("--metadata", "netc_version=1"), "'netc_version' is written by netc"),
        (("--metadata", "a=1", "--metadata", "a=2"), "`a` is given twice"),
        (("--opset", "16"), "16 is not in the range 17<=x<=25"),
    ],
)
def test_usage(netc: Netc, folder: Path, options: tuple[str, ...], message: str) -> None:
    found = netc("compile", "-e", "input 3 -> relu", *options, "-o", "x.onnx")
    assert found.exit_code == 2
    assert message in found.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [("--opset", "17"), ("--no-optimize",), ("--metadata", "a=b")])
def test_for_graphs_alone(netc: Netc, folder: Path, words: tuple[str, ...]) -> None:
    found = netc("compile", "-e", "input 3 -> relu", *words, "-o", "x.py")
    assert found.exit_code == 2
    assert f"`{words[0]}` is for `.onnx`" in found.stderr
    assert netc("compile", "-e", "input 3 -> relu", *words, "--emit", "torch").exit_code == 2
    assert list(folder.iterdir()) == []


def test_an_operator_that_the_opset_lacks(netc: Netc, folder: Path) -> None:
    found = netc("compile", "-e", "input [12, 16] -> fold 8x8 2 stride=2", "--opset", "17", "-o", "x.onnx")
    assert found.exit_code == 1
    assert "opset 17 has no `Col2Im` of this kind, opset 18 has" in found.stderr
    assert list(folder.iterdir()) == []
