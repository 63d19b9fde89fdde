"""The plugins of docs/plugins.md in a folder of their own, and netc run there: what is registered ends with the process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for code in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        name = code.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(code, encoding="utf-8")
    return tmp_path


@pytest.fixture
def python(folder: Path) -> Run:
    """Runs Python with these words in the folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)

    return run


@pytest.fixture
def netc(python: Run) -> Run:
    return lambda *words: python("-P", "-m", "netc", *words)  # as the installed script: the current folder is not on the path
