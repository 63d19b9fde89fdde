"""The Pythons of this machine.

In: the folders of PATH, and pyenv's folders, whose versions need not be on it. Out: the oldest and the newest that may run netc.
Always: each has been started; a file with the right name may be pyenv's stand-in for a version that is switched off.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

NAME = re.compile(r"python3\.\d+")
ASKED = "import sys, venv, ensurepip; print(sys.version.split()[0])"


def ends(allowed: str) -> dict[Version, Path]:
    """The oldest and the newest, which may be the same, of those that `requires-python` allows; of one minor version, the newest."""
    found = {v: path for path in _candidates() if (v := _version(path)) and v in SpecifierSet(allowed)}
    if not found:
        raise SystemExit(f"there is no Python {allowed} on this machine with venv and ensurepip")
    minors = {v.release[:2]: v for v in sorted(found)}
    return {v: found[v] for v in (minors[min(minors)], minors[max(minors)])}


def _candidates() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [Path(part) for part in os.environ["PATH"].split(os.pathsep) if part]
    for folder in (*folders, *sorted(pyenv.glob("versions/*/bin"))):
        if folder.is_dir() and not (folder.parent / "pyvenv.cfg").exists():
            yield from sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))


def _version(path: Path) -> Version | None:
    try:
        done = subprocess.run([path, "-c", ASKED], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return Version(done.stdout.strip()) if done.returncode == 0 else None
