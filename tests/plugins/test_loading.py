"""Which plugins are found, and which are refused: nothing of a refused one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conftest import Run

HEAD = "from netc.plugins import Input, Operator, pytorch\n"


RULE = "def infer_types(self, given):\n        return (given.x,)"


def operator(name: str, docstring: str = "A.", inputs: str = "x = Input()", rule: str = RULE) -> str:
    return f"{HEAD}class A(Operator):\n    {docstring!r}\n    name = {name!r}\n    {inputs}\n    {rule}\n"


BAD = {
    "raise RuntimeError('no licence')": "cannot load the plugin `bad`: RuntimeError: no licence",
    "def (": "cannot load the plugin `bad`: SyntaxError",
    operator("dense"): "two operators are called dense",
    operator("repeat"): "`repeat` cannot be written in a spec",
    operator("x; import os"): "cannot be written in a spec",
    operator("a", docstring=""): "the operator `a` has no docstring",
    operator("a", inputs="pass"): "the operator `a` declares no input",
    operator("a", rule=""): "the operator `a` needs a `definition`, or an `infer_types` that returns its types",
    operator("a"): "has no `definition`, and no PyTorch form: a function or module decorated with `@pytorch(A)`",
    operator("a") + "pytorch(A)(lambda x: x)": "`<lambda>` cannot be imported by name",
}


@pytest.mark.parametrize("code", BAD, ids=[message[-24:] for message in BAD.values()])
@pytest.mark.sample(2)
def test_refused(code: str, folder: Path, netc: Run) -> None:
    (folder / "bad.py").write_text(code, encoding="utf-8")
    done = netc("check", "--plugin", "bad", "-e", "input 3 -> dense 2")
    assert (done.returncode, done.stdout) == (1, "")
    assert BAD[code] in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_plugin_raises_is_no_mistake_of_netc(folder: Path, netc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETC_DEBUG", raising=False)
    rule = "def infer_types(self, given):\n        return given.x.shape[7]"
    (folder / "bad.py").write_text(operator("a", rule=rule) + "@pytorch(A)\ndef a(x):\n    return x\n", encoding="utf-8")
    done = netc("check", "--plugin", "bad", "-e", "input 3 -> a")
    assert done.returncode == 1
    assert done.stderr.startswith("error: a plugin has failed: IndexError: tuple index out of range\n")
    assert "bad.py:7;" in done.stderr


def test_missing(netc: Run) -> None:
    done = netc("check", "--plugin", "adders", "-e", "input 3")
    assert done.returncode == 1
    assert done.stderr == "error: cannot load the plugin `adders`: ModuleNotFoundError: No module named 'adders'\n"


@pytest.mark.long
def test_the_current_folder_replaces_nothing(folder: Path, netc: Run) -> None:
    (folder / "lark.py").write_text("raise SystemExit('hijacked')", encoding="utf-8")
    assert netc("check", "--plugin", "snakes", "-e", "input 3 -> snake").returncode == 0


@pytest.fixture
def entry_point(folder: Path) -> None:
    info = folder / "snakes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: snakes\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[netc.operators]\nsnakes = snakes\n", encoding="utf-8")


@pytest.mark.sample(1)
@pytest.mark.parametrize("stage", ["snake", "dense 2 snake", "dense 2 bias=false snake", "dense 2 (snake a=2)"])
@pytest.mark.sample(1)
def test_installed(stage: str, python: Run, entry_point: None) -> None:
    """An entry point is loaded when a name is unknown, and not before."""
    code = """
import sys, netc
for stage in ("relu", STAGE):
    netc.compile(f"input 3 -> {stage}")
    print("snakes" in sys.modules)
"""
    done = python("-c", code.replace("STAGE", repr(stage)))
    assert done.stdout == "False\nTrue\n", done.stderr


@pytest.mark.long
def test_installed_in_a_train_section(python: Run, entry_point: None) -> None:
    code = """
import netc
text = "input 3 -> dense 1\\ntrain { target = input 1; loss = (output, target) -> mse_loss -> snake -> mean }"
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
found = analyze_training(SourceFile("x", text), Choice())
print(found.diagnostics)
"""
    done = python("-c", code)
    assert done.stdout == "()\n", done.stdout + done.stderr


def test_specs_of_a_package(folder: Path, python: Run) -> None:
    package = folder / "voices"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    (package / "parts.net").write_text("block twice(n) { dense n -> dense n }\n", encoding="utf-8")
    (folder / "secret.net").write_text("block secret { dense 1 }\n", encoding="utf-8")
    asked = {
        "package:voices/parts.net": "twice 4",
        "package:voices/../secret.net": "secret",
        "package:voices/__init__.py": "twice 4",
        "package:voices/other.net": "twice 4",
        "package:nowhere/parts.net": "twice 4",
        "package:../parts.net": "twice 4",
    }
    texts = [f'use "{path}"\ninput 3 -> {stage}\n' for path, stage in asked.items()]
    code = f"""
import netc
for text in {texts!r}:
    try:
        print(netc.compile(text).outputs["output"])
    except netc.CompileError as error:
        print(error.diagnostics[0].message)
"""
    done = python("-c", code)
    said = done.stdout.splitlines()
    assert said[0] == "[N, 4]", done.stderr
    assert said[1] == "cannot use `package:voices/../secret.net`: only `.net` files in the package's own folder can be used"
    assert said[2] == "cannot use `package:voices/__init__.py`: only `.net` files in the package's own folder can be used"
    assert said[3] == "cannot use `package:voices/other.net`: the package `voices` has no such file"
    assert said[4] == "cannot use `package:nowhere/parts.net`: there is no installed package `nowhere`"
    assert said[5] == "cannot use `package:../parts.net`: there is no installed package `..`"
