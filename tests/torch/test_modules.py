"""How operators are written as modules and as functions: both forms compute the same, and neither says what PyTorch assumes by itself."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from case_ids import case_id

import netc
from netc.compiler.backends.torch import BACKEND
from netc.compiler.backends.torch.torch_emitters import EMITTERS
from netc.compiler.ops import Operator
from tests.case_families import FAMILIES
from tests.parity import inputs_for, run_module, sizes_of

TEXTS = dict.fromkeys(
    [
        *(text for cls in Operator.registry.values() if BACKEND.operator_target(cls) for text in cls.examples),
        *(text for family in FAMILIES.values() for text in family.CASES),
    ]
)
BOTH = sorted(cls.name for cls in EMITTERS.modules.keys() & EMITTERS.functions.keys() if cls.operands)
ONE_STAGE = re.compile(r"(input [^;>]*) -> ((\w+)\b[^;>]*)")

FUNCTION_ONLY = re.compile(r" (u?int\d+|bool) -> |antialias=true|size=\[H|pad \[[^]]*[A-Z]")
"""What PyTorch has no modules for."""


def groups(name: str) -> Iterator[tuple[str, str]]:
    """Models of the one operator, and the same in a group, where it is a module if its arguments permit it."""
    for text in TEXTS:
        found = ONE_STAGE.fullmatch(text)
        if found is not None and found[3] == name:
            yield text, f"{found[1]} -> ({found[2]}) as part"


@pytest.mark.parametrize("name", BOTH)
def test_both_forms_compute_the_same(name: str) -> None:
    modules = 0
    for text, within in groups(name):
        alone, group = netc.compile(text), netc.compile(within)
        arrays = inputs_for(alone, sizes_of(alone)[1])
        function, module = alone.module(seed=1).eval(), group.module(seed=1).eval()
        is_module = {type(m).__module__.partition(".")[0] for m in module.part.children()} == {"torch"}
        assert is_module or FUNCTION_ONLY.search(text), within
        modules += is_module
        for left, right in zip(run_module(function, alone, arrays), run_module(module, group, arrays), strict=True):
            torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)
    assert modules


SPACE: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}


def assumed(call: ast.Call) -> dict[str, object]:
    """The defaults of what is called, where PyTorch shows them."""
    path = ast.unparse(call.func)
    if not re.fullmatch(r"(torch|nn|F)(\.\w+)+", path):
        return {}
    try:
        return {n: p.default for n, p in inspect.signature(eval(path, SPACE)).parameters.items()}
    except (ValueError, TypeError):
        return {}


@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in TEXTS])
def test_nothing_is_said_that_pytorch_assumes(text: str) -> None:
    said = []
    for call in ast.walk(ast.parse(netc.compile(text).source())):
        if isinstance(call, ast.Call):
            defaults = assumed(call)
            for keyword in call.keywords:
                if keyword.arg in defaults and isinstance(keyword.value, ast.Constant):
                    value, default = keyword.value.value, defaults[keyword.arg]
                    if type(value) is type(default) and value == default:
                        said.append(f"{ast.unparse(call.func)}({keyword.arg}={value})")
    assert said == []
