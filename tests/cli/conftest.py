"""Calls the command line in this process, in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netc.cli import cli

Netc = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def netc(folder: Path) -> Netc:
    """`netc("check", "a.net")`; the result has `exit_code`, `stdout`, `stderr`."""
    runner = CliRunner()
    return lambda *words, **more: runner.invoke(cli, [str(word) for word in words], prog_name="netc", **more)


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    """Writes a file of the folder."""

    def put(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(text)
        return path

    return put
