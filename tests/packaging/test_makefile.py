"""`make demo` installs what netc needs and nothing else; `make test` then adds the rest to the same environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that decide what make does, from an hour ago: stamps that a test makes are newer."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
        earlier = (tmp_path / name).stat().st_mtime - 3600
        os.utime(tmp_path / name, (earlier, earlier))
    return tmp_path


def commands(checkout: Path, target: str) -> list[str]:
    """The commands that make would run."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # The tests may run within make, whose flags would reach this one.
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", "-n", "--no-print-directory", f"PYTHON={sys.executable}", target]
    done = subprocess.run(command, cwd=checkout, env=outside, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("echo", "test -n"))]


def test_the_demo_installs_the_dependencies_alone(checkout: Path) -> None:
    made = commands(checkout, "demo")
    assert [line.split()[-1] for line in made if "pip install" in line] == ["."]
    assert made[-1] == ".venv/bin/python docs/demo.py"


def test_the_tests_install_the_rest_into_the_same_environment(checkout: Path) -> None:
    fresh = [line.split()[-1] for line in commands(checkout, "test") if "pip install" in line]
    assert fresh == [".", "'.[dev]'"]
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".base").touch()
    after_the_demo = commands(checkout, "test")
    assert [line.split()[-1] for line in after_the_demo if "pip install" in line] == ["'.[dev]'"]
    assert not any("-m venv" in line for line in after_the_demo)
    (checkout / ".venv" / ".ready").touch()
    assert commands(checkout, "test") == [".venv/bin/python -m pytest"]
    assert commands(checkout, "demo") == [".venv/bin/python docs/demo.py"]


@pytest.mark.long
def test_the_demo_says_what_it_does_and_needs_no_package_of_the_tests() -> None:
    """It runs in a process in which none of these packages can be imported."""
    blocked = ("pytest", "torchvision", "transformers", "sklearn", "pyarrow", "PIL", "pygls", "huggingface_hub", "onnxscript", "onnx_ir")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import runpy; runpy.run_path('docs/demo.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line[:5] for line in done.stdout.splitlines() if "/5]" in line] == [f"[{number}/5]" for number in range(1, 6)]
    assert "error[shape-mismatch]" in done.stdout
    assert "class Mlp(nn.Module):" in done.stdout
    assert "difference:" in done.stdout
