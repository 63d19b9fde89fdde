"""Integers at the ends of their types, in all operators that take them: see integer_ends.py."""

from __future__ import annotations

import re

import pytest
from case_ids import case_id

import netc
from netc.compiler.backends.onnx.kernel_differences import Difference
from netc.compiler.ops import Operator
from tests.differential.integer_ends import KNOWN, difference_of, has_integers_alone, known_of
from tests.differential.test_operators import CASES, EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore")
TEXTS = [text for text in dict.fromkeys(text for _, text in (*EXAMPLES, *CASES)) if re.search(r"\b(int\d+|uint8)\b", text)]


def _check(text: str) -> bool:
    """False if the model also takes other numbers, or if its differences are listed."""
    model = netc.compile(text)
    if not has_integers_alone(model) or known_of(model):
        return False
    assert difference_of(model) == "", text
    return True


@pytest.mark.share(4)
@pytest.mark.parametrize("name", sorted(Operator.registry))
def test_first_case(name: str) -> None:
    """The first two texts of the operator that take integers alone."""
    texts = (text for text in TEXTS if re.search(rf"\b{name}\b", text))
    checked = 0
    for text in texts:
        checked += _check(text)
        if checked == 2:
            return


@pytest.mark.parametrize("name", ["add", "sum", "floor_div", "remainder", "fmod", "maximum", "sort", "cumsum"])
def test_operators_of_integers_are_checked(name: str) -> None:
    """Without a text, the test above would pass."""
    assert any(map(_check, (text for text in TEXTS if re.search(rf"\b{name}\b", text))))


@pytest.mark.long
@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in TEXTS])
def test_case(text: str) -> None:
    _check(text)


SHOWN = {
    "prod": "input [T] int64 -> prod axis=1",
    "cumprod": "input [T] int64 -> cumprod axis=1",
    "einsum": 'input [3, 4] int64 -> einsum "bij->b"',
    "pow": "x = input [T] int64; 3 ** x",
}


@pytest.mark.parametrize("difference", KNOWN, ids=lambda d: d.operators[0])
def test_what_is_listed_differs(difference: Difference) -> None:
    """What ONNX Runtime mends goes from the list."""
    for name in difference.operators:
        model = netc.compile(SHOWN[name])
        assert known_of(model) == [difference]
        assert difference_of(model), name
