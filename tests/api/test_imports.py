"""Which modules `import netc` and `netc check` import: both must start quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "ml_dtypes", "safetensors", "rich", "asyncio"}
CHECK = "import sys; from netc.cli import cli; cli(['check', '--shapes', '-e', 'input 3 -> dense 2'], standalone_mode=False)"


@pytest.fixture(scope="module")
def cached_grammar() -> None:
    subprocess.run([sys.executable, "-m", "netc", "check", "-e", "input 3 -> relu"], check=True)


def imported_by(code: str) -> set[str]:
    printing = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", printing], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.usefixtures("cached_grammar")
@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("import netc; netc.compile; netc.compile_file; netc.Model; netc.CompileError; netc.__version__", {"lark", "click"}),
        ("import netc; netc.compile('input 3 -> dense 2').summary()", {"lark", "click"}),
        ("import netc; netc.compile('input 3 -> dense 2').source()", {"lark", "click"}),
        (CHECK, {"lark"}),
    ],
)
def test_nothing_heavy(code: str, more: set[str]) -> None:
    assert imported_by(code) & (HEAVY | more) == set()


def test_onnx_needs_no_torch() -> None:
    code = "import netc; netc.compile('input 3 -> dense 2').session()([[1, 2, 3]])"
    assert "torch" not in imported_by(code)


def test_the_names_of_the_package() -> None:
    import netc

    assert set(netc.__all__) <= set(dir(netc))
    assert all(getattr(netc, name) is not None for name in netc.__all__)
    with pytest.raises(AttributeError):
        _ = netc.nothing
