"""The Pythons of a machine: the ends of those that run and are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from matrix.pythons import ends
from packaging.version import Version


def stand_in(folder: Path, name: str, version: str | None) -> Path:
    """An executable that says it is this version; without one, it fails as pyenv's do for versions that are switched off."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{'exit 127' if version is None else f'echo {version}'}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_oldest_and_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, pyenv = tmp_path / "first", tmp_path / "second", tmp_path / "pyenv"
    monkeypatch.setenv("PATH", f"{first}:{second}:{tmp_path / 'nowhere'}")
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    stand_in(first, "python3.14", None)
    stand_in(first, "python3.10", "3.10.2")
    stand_in(first, "python3.12", "3.12.1")
    stand_in(first, "python3.13-config", "3.99.0")
    stand_in(second, "python3.13", "3.13.0")
    newest = stand_in(pyenv / "versions" / "3.13.5" / "bin", "python3.13", "3.13.5")
    oldest = stand_in(pyenv / "versions" / "3.11.7" / "bin", "python3.11", "3.11.7")
    assert ends(">=3.11") == {Version("3.11.7"): oldest, Version("3.13.5"): newest}
    assert ends(">=3.13") == {Version("3.13.5"): newest}


def test_an_environment_is_no_python_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = stand_in(tmp_path / "bin", "python3.12", "3.12.1")
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    assert list(ends(">=3.11")) == [Version("3.12.1")]
    (tmp_path / "pyvenv.cfg").touch()
    with pytest.raises(SystemExit, match="no Python"):
        ends(">=3.11")
