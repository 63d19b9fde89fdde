"""`netc new`: a project that works."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netc.training.run_files import read_metrics

Netc = Callable[..., Any]


def test_files(netc: Netc, folder: Path) -> None:
    done = netc("new", "moons")
    assert (done.exit_code, done.stdout.splitlines()) == (0, [f"wrote moons/{name}" for name in ("moons.net", "data.csv", "README.md")])
    assert {path.name for path in folder.iterdir()} == {"moons"}
    assert netc("check", "moons/moons.net", "--strict").exit_code == 0
    assert netc("format", "--check", "moons/moons.net").exit_code == 0


@pytest.mark.long
def test_the_commands_of_the_readme(netc: Netc, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netc("new", "moons")
    monkeypatch.chdir(folder / "moons")
    commands = re.findall(r"^    netc (.*)$", Path("README.md").read_text(), re.MULTILINE)
    assert sum(command.startswith("predict ") for command in commands) == 3
    assert len(commands) == 8
    for command in commands:
        done = netc(*command.split())
        assert done.exit_code == 0, (command, done.stderr)
    entries = read_metrics("run")
    assert max(entry["validation"]["accuracy"] for entry in entries if "validation" in entry) > 0.9
    header, *rows = Path("predicted.csv").read_text().splitlines()
    moon, guess = (header.split(",").index(name) for name in ("moon", "predicted_moon"))
    cells = [row.split(",") for row in rows]
    assert sum(row[moon] == row[guess] for row in cells) > 0.9 * len(cells)


@pytest.mark.parametrize("name", ["a b", "../é", ".", "1a", "x;y"])
def test_names(netc: Netc, folder: Path, name: str) -> None:
    done = netc("new", name)
    assert done.exit_code == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "/", "./"])
def test_no_names(netc: Netc, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the folder is called that they lead to."""
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    done = netc("new", name)
    assert done.exit_code == 1
    assert f"`{name}` is not a name for a project" in done.stderr


def test_a_place_that_is_written_by_no_one(netc: Netc, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the given name, not the name of a temporary folder."""

    def refuse(path: str, mode: int = 0o777) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "mkdir", refuse)
    done = netc("new", "moons")
    assert (done.exit_code, done.stderr) == (1, "error: cannot write `moons`: permission denied\n")
    assert list(folder.iterdir()) == []


def test_nothing_is_overwritten(netc: Netc, folder: Path) -> None:
    (folder / "moons").mkdir()
    done = netc("new", "moons")
    assert done.exit_code == 1
    assert "exists already" in done.stderr
    assert list((folder / "moons").iterdir()) == []
    assert netc("new", "none/moons").exit_code == 1
