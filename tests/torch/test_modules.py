"""How operators are written as modules and as functions: both forms compute the same, and neither says what PyTorch assumes by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch

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
@pytest.mark.parametrize("most", [1, pytest.param(1000, marks=pytest.mark.long)])
def test_both_forms_compute_the_same(name: str, most: int) -> None:
    """For a fast test, the first use that is a module."""
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
        if modules == most:
            break
    assert modules
