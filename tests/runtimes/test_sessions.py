"""Models in other runtimes than ONNX Runtime, which is the judge: names, types and shapes of inputs and outputs, and the numbers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from netc.compiler.errors.optional_packages import format_install_command
from netc.runtimes.open_session import SESSIONS

TEXT = """
x = input [T, 3]; i = input [] int64 batch=false
y = x -> dense 2 -> softmax
best = y -> argmax axis=-1
sure = y > 0.5
next = i + 1
out y, best, sure, next
"""


def require(runtime: str) -> str:
    for module in SESSIONS[runtime].modules:
        if find_spec(module.partition(".")[0]) is None:
            pytest.skip(format_install_command(*SESSIONS[runtime].modules))
    return runtime


@pytest.fixture(params=list(PROFILES))
def runtime(request: pytest.FixtureRequest) -> str:
    return require(request.param)


def test_every_profile_has_a_session() -> None:
    assert list(SESSIONS) == list(PROFILES)


def test_inputs_and_outputs(runtime: str) -> None:
    """Several of both, integers, booleans and scalars."""
    model = netc.compile(TEXT, dims={"T": 5, "N": 2})
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    wanted, found = model.session()(x, 4), model.session(runtime=runtime)(x, i=4)
    assert isinstance(wanted, dict)
    assert isinstance(found, dict)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_allclose(found[name], array, rtol=1e-6)


@pytest.mark.parametrize("runtime", ["openvino", "tract"])
def test_symbolic_sizes(runtime: str) -> None:
    model = netc.compile("input [3, T] -> conv 4 3 padding=1 -> relu")
    session = model.session(runtime=require(runtime))
    for shape in ((1, 3, 7), (3, 3, 2)):
        x = np.random.default_rng(0).standard_normal(shape)
        np.testing.assert_allclose(session(x), model.session()(x), atol=1e-6)
    with pytest.raises(ValueError, match="found the shape"):
        session(np.zeros((3, 2)))


def run_netc(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, words, prog_name="netc")
    return result.exit_code, result.output


def test_command_line(runtime: str, tmp_path: Path) -> None:
    text, path = "input [T, 3] -> dense 2", str(tmp_path / "net.onnx")
    sizes = ("--dim", "T=4", "--dim", "N=1")
    expected = run_netc("run", "-e", text, "--random", "--seed", "0", *sizes)
    assert run_netc("run", "-e", text, "--random", "--seed", "0", *sizes, "--runtime", runtime) == expected
    assert run_netc("compile", "-e", text, "--for", runtime, "--seed", "0", *sizes, "-o", path)[0] == 0
    assert run_netc("run", path, "--random", "--runtime", runtime, "--seed", "0") == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backend", "flax"], "it goes without --backend flax"),
        (["--device", "cuda"], "goes without --device cuda"),
    ],
)
def test_contradictions(words: list[str], message: str) -> None:
    code, output = run_netc("run", "-e", "input 3 -> relu", "--random", "--runtime", "tract", *words)
    assert (code, message in output) == (2, True)


def test_package_missing(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SESSIONS[runtime], "modules", ("no_such_module",))
    code, output = run_netc("run", "-e", "input 3 -> relu", "--dim", "N=1", "--random", "--runtime", runtime)
    assert (code, "is not installed: run `pip install no_such_module`" in output) == (1, True)
