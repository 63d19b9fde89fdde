"""What is installed: one package, with every module and data file in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOMES = {"netc": "netc", "dsl": "netc/dsl", "compiler": "netc/compiler"}
DATA = {
    "docs/errors": ("netc/pages", "*.md"),
    "specs/std": ("netc/std", "**/*.net"),
    "dsl": ("netc/dsl", "*.lark"),
    "netc": ("netc", "py.typed"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built from a copy, so that nothing is left in the tree."""
    copy, out = tmp_path_factory.mktemp("tree") / "netc", tmp_path_factory.mktemp("wheel")
    hidden = [p.name for p in ROOT.iterdir() if p.name.startswith(".") or p.name in ("build", "shared")]
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", *hidden))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.iterdir()
    return ZipFile(built)


def test_only_netc_at_the_top(wheel: ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"netc"}


def test_every_module_is_there(wheel: ZipFile) -> None:
    expected = {
        f"{home}/{path.relative_to(ROOT / folder)}"
        for folder, home in HOMES.items()
        for path in (ROOT / folder).rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    }
    assert {name for name in wheel.namelist() if name.endswith(".py")} == expected


def test_all_data_is_there(wheel: ZipFile) -> None:
    names = set(wheel.namelist())
    for folder, (home, pattern) in DATA.items():
        found = {f"{home}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).glob(pattern)}
        assert found
        assert found <= names


def test_metadata(wheel: ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["Requires-Python"] == ">=3.11"
    needed = [r for r in metadata.get_all("Requires-Dist") or [] if "extra ==" not in r]
    assert not [r for r in needed if "==" in r.partition(";")[0]]
    scripts = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "netc = netc.cli:main" in scripts
