"""Every operator's own examples, and the cases of its family: PyTorch, the source and ONNX Runtime agree; what is refused is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from parity import agree

import netc
from netc.compiler.ops import Operator

OPS = Path(__file__).parents[1] / "ops"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAMILIES = {path.stem.removeprefix("cases_"): _load(path) for path in sorted(OPS.glob("cases_*.py"))}
CASES = [pytest.param(text, id=f"{family}-{i}") for family, module in FAMILIES.items() for i, text in enumerate(module.CASES)]
REFUSED = [pytest.param(*case, id=f"{family}-{i}") for family, module in FAMILIES.items() for i, case in enumerate(module.REFUSED)]
EXAMPLES = [pytest.param(text, id=f"{name}-{i}") for name, cls in sorted(Operator.registry.items()) for i, text in enumerate(cls.examples)]


@pytest.mark.parametrize("text", [*EXAMPLES, *CASES])
def test_agrees(text: str) -> None:
    agree(netc.compile(text))


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_refused(text: str, code: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == [code]


def test_every_operator_has_an_example() -> None:
    assert [name for name, cls in Operator.registry.items() if not cls.examples] == []
