"""A part of ONNX's backend suite, imported and run; `make onnx-suite` runs the whole."""

from __future__ import annotations

import pytest
from onnx_suite.cases import Case, cases, sample
from onnx_suite.judged import CRASHED, RIGHT, WRONG, judge

pytestmark = pytest.mark.filterwarnings("ignore")
STORED = ("simple", "pytorch-converted", "pytorch-operator")
"""Those that are files: to make the others takes longer than to import them."""


@pytest.mark.parametrize("case", sample(cases(STORED), 5), ids=lambda case: str(case.name))
def test_a_file_of_the_suite_is_right_or_refused(case: Case) -> None:
    found = judge(case, prove=False)
    assert found.outcome not in (WRONG, CRASHED), found.why


def test_most_files_are_right() -> None:
    found = [judge(case, prove=False).outcome for case in sample(cases(("pytorch-converted",)), 4)]
    assert found.count(RIGHT) > 0.9 * len(found)
