"""The example of CONTRIBUTING.md is an operator: its code, added to the modules that it names, compiles, and its cases hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APPLIED = """
from importlib import import_module
import netc
from tests import parity
from tests.differential import references

for path, code in PARTS:
    name = path.removesuffix(".py").replace("/", ".")
    space = vars(import_module(name if name.startswith("tests") else f"netc.{name}"))
    exec(compile(code, path, "exec"), space)
cases = import_module("tests.ops.cases_arithmetic")
references.REFERENCES.update(cases.REFERENCES)
for text in cases.CASES:
    parity.agree(netc.compile(text))
for text, code in cases.REFUSED:
    try:
        netc.compile(text)
    except netc.CompileError as error:
        assert code in {d.code for d in error.diagnostics}
    else:
        raise AssertionError(text)
print(*cases.REFERENCES)
"""


@pytest.mark.long
def test_the_example_is_an_operator() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    block = next(block for block in blocks if "class Heaviside" in block)
    parts = re.findall(r"# ([\w/]+\.py)\b[^\n]*\n(.*?)(?=\n# [\w/]+\.py|\Z)", block, re.DOTALL)
    assert [path.split("/")[0] for path, _ in parts] == ["compiler", "compiler", "compiler", "tests"]
    done = subprocess.run([sys.executable, "-c", f"PARTS = {parts!r}\n{APPLIED}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["heaviside"]
