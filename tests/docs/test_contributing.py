"""The examples of CONTRIBUTING.md work.

The code of the operator, the backend, both importers and the streaming rule, added to the modules that it names, runs, and its cases hold.
The clause's change, made in a copy of netc, trains to the same weights in one process and in several. The warning's change, made in a copy,
gives a fix that `netc check --fix` applies.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import torch
from frontends.imported import agree
from frontends.onnx_models import node
from frontends.onnx_parity import same
from frontends.test_onnx_fused import of_runtime
from frontends.test_torch_operators import Function
from safetensors.torch import load_file
from torch import Tensor

import netc
from netc.compiler import backends
from netc.compiler.backends import backend, backend_names, backend_registry
from netc.compiler.backends.python.code.class_tree import PassedOn
from netc.compiler.backends.python.code.python_expressions import Default, call_method, construct_module
from netc.compiler.backends.python.emitters import Emitters
from netc.compiler.backends.python.operator_calls import OperatorSite
from netc.compiler.backends.python.python_source import SourceWriter
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import importer_table
from netc.compiler.frontends.torch import aten_table
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.linear_algebra import Cdist
from netc.compiler.ops.pooling import GlobalAvgPool
from netc.compiler.streaming import rule_table
from netc.dsl.record import replace
from tests.streams.pieces import same_in_pieces
from tests.training.test_ranks import start
from tests.unit.test_python_writer import OTHER, Uninitialized

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PART = re.compile(r"# ([\w/]+\.py)\b[^\n]*\n(.*?)(?=\n# [\w/]+\.py|\Z)", re.DOTALL)
"""The code for one file of a block."""
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


def example(language: str, content: str) -> str:
    """The code block of the guide that has this content."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return next(block for block in blocks if content in block)


@pytest.mark.long
def test_the_example_is_an_operator() -> None:
    block = example("python", "class Heaviside")
    parts = PART.findall(block)
    assert [path.split("/")[0] for path, _ in parts] == ["compiler", "compiler", "compiler", "tests"]
    done = subprocess.run([sys.executable, "-c", f"PARTS = {parts!r}\n{APPLIED}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["heaviside"]


BLOCKS = """
block half(width) { in -> dense width relu -> dropout 0.5 }
x = input 6
x -> half 4 as first -> dense 2
"""


def test_the_example_is_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    code = example("python", "StagesBackend")
    (folder,) = re.findall(r"# compiler/backends/(\w+)/__init__\.py", code)
    (line,) = re.findall(r"`compiler/backends/backend_names.py`: a line, `([^`]*)`", GUIDE)
    module = ModuleType(f"{backends.__name__}.{folder}")
    module.__package__ = module.__name__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = ast.literal_eval(f"{{{line}}}")
    monkeypatch.setattr(backend_names, "ARTIFACTS", backend_names.ARTIFACTS | names)
    monkeypatch.setattr(backend, "ARTIFACTS", backend_names.ARTIFACTS)
    monkeypatch.setattr(backend_registry, "NAMES", tuple(backend_names.ARTIFACTS))
    exec(compile(code, folder, "exec"), vars(module))
    assert netc.compile(BLOCKS).source(folder).splitlines() == [
        "first: half [N, 4]",
        "first.dense1: dense [N, 4]",
        "first.relu1: relu [N, 4]",
        "first.dropout1: dropout [N, 4]",
        "dense1: dense [N, 2]",
    ]
    assert backend_registry.get_or_raise(folder).artifact == names[folder]


def test_the_example_of_flax_writes_source() -> None:
    emitters = Emitters(lambda order, modules: Uninitialized())
    names = [Dense, Default, GlobalAvgPool, OperatorSite, PassedOn, call_method, construct_module]
    exec(example("python", "flax.nnx.Linear"), {name.__name__: name for name in names} | {"Code": object, "EMITTERS": emitters})
    words = {"title": "Flax", "imports": ((r"nnx\.", "from flax import nnx"),), "imported": frozenset({"nnx", "rngs"})}
    framework = replace(OTHER, **words, passed_on={"rngs": "nnx.Rngs"})
    source = SourceWriter(framework, emitters).write_source(netc.compile("input 3x8x8 -> global_avg_pool -> dense 4").program, "net")
    assert "nnx.Linear(3, 4, rngs=rngs)" in source
    assert "input.mean(axis=(2, 3))" in source


def run_parts(block: str) -> dict[str, object]:
    """Runs the parts of a block with the names of the modules that they are for, and returns these with the new names."""
    space: dict[str, object] = {}
    for path, code in PART.findall(block):
        name = path.removesuffix(".py").replace("/", ".")
        space |= vars(import_module(name if name.startswith("tests") else f"netc.{name}"))
        space["__package__"] = f"netc.{name}".rpartition(".")[0]
        exec(compile(code, path, "exec"), space)
    return space


def test_the_example_is_an_importer(monkeypatch: pytest.MonkeyPatch) -> None:
    block = example("python", "com.microsoft:CDist")
    for table in (importer_table.TABLE, importer_table.COUNTERPARTS):
        forget_new_entry(monkeypatch, table, "com.microsoft:CDist")
    space = run_parts(block)
    cast("Callable[[], None]", space["test_distances"])()
    other = node("CDist", ["a", "b"], ["y"], domain="com.microsoft", metric="sqeuclidean")
    with pytest.raises(ImportFailed, match="metric 'sqeuclidean'"):
        same(of_runtime([other], {"a": [6, 3], "b": [5, 3]}, {}))


def test_the_example_is_a_reader_of_aten(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_new_entry(monkeypatch, aten_table.READERS, "kthvalue")
    space = run_parts(example("python", "kthvalue"))
    inputs = [torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (2, 3)]
    for function in cast("dict[str, Callable[[Tensor], object]]", space["VECTORS"]).values():
        agree(Function(function), *inputs)
    with pytest.raises(ImportFailed, match=r"aten.kthvalue.default keeps the axis"):
        agree(Function(lambda x: x.kthvalue(3, 1, keepdim=True)), *inputs)


def test_the_example_is_a_streaming_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_new_entry(monkeypatch, rule_table.RULES, Cdist)
    space = run_parts(example("python", "mixes_axes(Cdist)"))
    for text in cast("dict[str, str]", space["RULES"]).values():
        same_in_pieces(netc.compile(text))
    same_in_pieces(netc.compile("x = input [T, 5, 3]; y = input [T, 4, 3]; (x, y) -> cdist"))
    with pytest.raises(netc.CompileError, match="looks-ahead"):
        netc.compile("x = input [5, 3]; y = input [T, 3]; (x, y) -> cdist").stream("T")


def forget_new_entry(monkeypatch: pytest.MonkeyPatch, table: dict[Any, Any], key: object) -> None:
    """Removes what the test will add to a table, at its end."""
    assert key not in table
    monkeypatch.setitem(table, key, None)
    del table[key]


@pytest.mark.long
def test_the_example_is_a_warning_with_a_fix(tmp_path: Path) -> None:
    apply_change(example("diff", "plainer-operator"), tmp_path)
    spec = tmp_path / "a.net"
    spec.write_text("x = input 3\nx -> dense 4 celu -> celu alpha=1 -> celu 2\n")

    def check(*words: str) -> str:
        command = [sys.executable, "-m", "netc", "check", *words, "a.net"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert check().count("warning[plainer-operator]: `celu` with these arguments is `elu`") == 2
    check("--fix")
    assert spec.read_text() == "x = input 3\nx -> dense 4 elu -> elu alpha=1 -> celu 2\n"
    assert check() == "no errors\n"


NOISY = """
x = input 4
scores = x -> repeat 2 as layers { dense 4 relu } -> dense 3
train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy
  optimizer sgd lr=0.1
  steps 6
  batch 8
  GRAD_NOISE
}
"""


@pytest.mark.long
def test_the_example_is_a_clause(tmp_path: Path) -> None:
    """Noise changes the weights, equally in one process, in two of either strategy, and in two stages."""
    apply_change(example("diff", "grad_noise"), tmp_path)
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "train.npz", x=generator.normal(size=(24, 4)).astype(np.float32), target=generator.integers(0, 3, 24))
    (tmp_path / "noisy.net").write_text(NOISY.replace("GRAD_NOISE", "grad_noise 0.5"))
    (tmp_path / "plain.net").write_text(NOISY.replace("GRAD_NOISE", ""))

    def trained(ranks: int, *words: str) -> dict[str, Tensor]:
        for process in start(tmp_path, ranks, *words, "--data", "train.npz", "-o", "run"):
            said, _ = process.communicate(timeout=600)
            assert process.returncode == 0, said.decode()
        weights = {name: value.clone() for name, value in load_file(tmp_path / "run" / "last.safetensors").items()}
        shutil.rmtree(tmp_path / "run")
        return weights

    one = trained(1, "noisy.net")
    for name, value in trained(1, "plain.net").items():
        assert (value - one[name]).abs().max() > 0.01
    for words in (("--strategy", "ddp"), ("--strategy", "fsdp"), ("--pp", "2")):
        torch.testing.assert_close(trained(2, "noisy.net", *words), one, rtol=0, atol=1e-6)


def apply_change(change: str, folder: Path) -> None:
    """Copies netc into a folder, and makes a change of the guide: `# PATH` begins a file, `@@` another place of it."""
    for name in ("netc", "compiler", "dsl"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for path, hunks in re.findall(r"^# (\S+\.py)\n(.*?)(?=^# |\Z)", change, re.MULTILINE | re.DOTALL):
        text = (folder / path).read_text(encoding="utf-8")
        for hunk in hunks.split("@@\n"):
            old, new = ("".join(line[1:] or "\n" for line in hunk.splitlines(True) if line[0] != other) for other in "+-")
            assert text.count(old) == 1, (path, old)
            text = text.replace(old, new)
        (folder / path).write_text(text, encoding="utf-8")
