"""Parts of PyTorch's samples of its operators, imported and run; `make torch-suite` runs the whole."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from suite_workers import CONSTANT, CRASHED, RIGHT, WRONG
from torch_suite.cases import Case, list_cases
from torch_suite.judged import judge

pytestmark = pytest.mark.filterwarnings("ignore")
PARTS = 32
KNOWN: dict[str, str] = {
    "nn.functional.embedding": "`scale_grad_by_freq` changes gradients, which a spec cannot say",
    "nn.functional.embedding_bag": "`scale_grad_by_freq` changes gradients, which a spec cannot say",
    "take": "indices below 0 are errors in the module (docs/import.md)",
    "take_along_dim": "indices below 0 are errors in the module (docs/import.md)",
}
"""Operators with differences that are known, and why."""


@cache
def _every() -> list[Case]:
    return [case for case in list_cases() if case.operator not in KNOWN]


@pytest.mark.long
@pytest.mark.thorough(8)
@pytest.mark.parametrize("part", range(PARTS))
def test_samples_are_right_or_refused(part: int) -> None:
    found = [judge(case) for case in _every()[part::PARTS]]
    assert [(one.name, one.why) for one in found if one.outcome in (WRONG, CRASHED)] == []
    counts = Counter(one.outcome for one in found)
    assert counts[RIGHT] + counts[CONSTANT] > len(found) // 2
