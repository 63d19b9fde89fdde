"""Warnings of Python in a command: one line each, without the files of libraries."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.cli.python_warnings import reformat_warnings

OF_PYTHON_2 = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 3L), }"


def test_an_array_written_by_python_2(tmp_path: Path) -> None:
    """NumPy warns of it in each of the two places that read its header."""
    header = OF_PYTHON_2.ljust(117) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(12))
    done = CliRunner().invoke(cli, ["run", "-e", "input 3 -> relu", "--input", f"input={tmp_path / 'x.npy'}"])
    assert done.exit_code == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("warning: Reading `.npy` or `.npz` file")
    assert ".py:" not in done.stderr


def test_one_line_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    with reformat_warnings():
        for _ in range(2):
            warnings.warn("first\nline (Triggered internally at /pytorch/x.cpp:1.)", UserWarning, stacklevel=1)
            warnings.warn("old", FutureWarning, stacklevel=1)
        warnings.warn("red \x1b[31m\n\nmore", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: first line\nwarning: red \\u{1b}[31m\n"


def test_who_asks_python_for_warnings_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.warnoptions", ["default"])
    with pytest.warns(FutureWarning, match="old"), reformat_warnings():
        warnings.warn("old", FutureWarning, stacklevel=1)
