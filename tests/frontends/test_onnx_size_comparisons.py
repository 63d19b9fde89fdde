"""Comparisons of sizes that an ONNX file computes: what is known holds for all sizes, as Python's own comparisons say."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from netc.compiler.dims import Dim, evaluate_dim, make_symbol
from netc.compiler.dims.facts import Facts
from netc.compiler.frontends.onnx.onnx_values import Known, Sizes
from netc.compiler.frontends.onnx.shape_arithmetic import evaluate_elementwise

T = make_symbol("T")
PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "Equal": operator.eq,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
}
RIGHT = np.array([0, 1, 2, 5])


def compare(op: str, left: list[Dim], right: np.ndarray[Any, Any] = RIGHT) -> Any:
    sizes = np.empty(len(left), object)
    sizes[:] = left
    return evaluate_elementwise(op, [Sizes(sizes), Known(right)], Facts.empty())


@pytest.mark.parametrize("op", PYTHON)
def test_an_answer_holds_for_all_sizes(op: str) -> None:
    decided = 0
    for size in (T, T + 1, 2 * T, T + 5, 3):
        for number in RIGHT:
            answer = compare(op, [size], np.array([number]))
            truths = {bool(PYTHON[op](evaluate_dim(size, {"T": at}), number)) for at in range(1, 12)}
            if answer is not None:
                assert truths == {bool(answer.array[0])}
                decided += 1
    assert decided > 5


@pytest.mark.parametrize("op", PYTHON)
def test_several_sizes_have_an_answer_only_if_each_has_one(op: str) -> None:
    """`T` may be 2 or not: the others are known."""
    undecided = compare(op, [3, T + 1, T, T + 5], np.array([0, 1, 2, 5]))
    assert undecided is None
    known = compare(op, [3, 4, 5, 2], RIGHT)
    assert known.array.tolist() == [bool(PYTHON[op](a, b)) for a, b in zip([3, 4, 5, 2], RIGHT.tolist(), strict=True)]
