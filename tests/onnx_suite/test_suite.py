"""A part of ONNX's backend suite, imported and run; `make onnx-suite` runs the whole."""

from __future__ import annotations

import re

import pytest
from onnx_suite.cases import Case, cases, first_cases, sample
from onnx_suite.judged import judge
from suite_workers import CRASHED, REFUSED, RIGHT, WRONG

from netc.compiler.frontends.onnx.importer_table import TABLE

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


NOT_IN_A_SPEC = re.compile(
    "depends? on data|has the form of operator set 8|has no input|netc has no tensors of|an input is no tensor|with quantized numbers"
)
"""Why files of the suite are refused whose operators netc imports: their sizes and constants are inputs, for example."""


@pytest.mark.long
def test_the_first_test_of_each_operator() -> None:
    """It is right, also where its weights must be constants, unless netc has no such operator or no such inputs."""
    judged = [(case, judge(case, prove=False)) for case in first_cases()]
    assert len(judged) > 190
    assert [(case.name, found.why) for case, found in judged if found.outcome in (WRONG, CRASHED)] == []
    refused = [(case.operator, found.why) for case, found in judged if found.outcome == REFUSED]
    assert [item for item in refused if item[0] in TABLE and not NOT_IN_A_SPEC.search(item[1])] == []
