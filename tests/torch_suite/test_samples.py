"""Parts of PyTorch's samples of its operators, imported and run; `make torch-suite` runs the whole."""

from __future__ import annotations

from collections import Counter

import pytest
from suite_workers import CONSTANT, CRASHED, RIGHT, WRONG
from torch_suite.cases import list_cases
from torch_suite.judged import judge

pytestmark = pytest.mark.filterwarnings("ignore")
PARTS = 32


@pytest.mark.long
@pytest.mark.thorough(8)
@pytest.mark.parametrize("part", range(PARTS))
def test_samples_are_right_or_refused(part: int) -> None:
    found = [judge(case) for case in list_cases()[part::PARTS]]
    assert [(one.name, one.why) for one in found if one.outcome in (WRONG, CRASHED)] == []
    counts = Counter(one.outcome for one in found)
    assert counts[RIGHT] + counts[CONSTANT] > len(found) // 2
