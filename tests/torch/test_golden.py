"""The emitted text of a few specs, word for word. Each was read and found fit to be handed to a person; `--update` writes them anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import netc
from tests.parity import agree

GOLDEN = Path(__file__).parent / "golden"
SPECS = sorted(GOLDEN.glob("*.net"))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_text(path: Path, update: bool) -> None:
    expected = path.with_suffix(".txt")
    found = netc.compile_file(path).source()
    if update:
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


def test_no_orphans() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == {p.stem for p in SPECS}


@pytest.mark.parametrize("path", [p for p in SPECS if p.stem not in ("deep", "resnet")], ids=lambda p: p.stem)
def test_agrees(path: Path) -> None:
    agree(netc.compile_file(path), tolerance=1e-3)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_is_formatted(path: Path) -> None:
    """As black and ruff have it, on lines of 119 columns."""
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "119", "--stdin-filename", "spec.py", "-"]
    formatted = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    assert formatted == text


def test_needs_no_torch() -> None:
    program = (
        "import sys, netc; model = netc.compile('input 3x8x8 -> conv 4 3x3 -> flatten -> dense 2'); text = model.source();"
        "assert 'nn.Conv2d' in text; assert not {'torch', 'numpy', 'onnx'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
