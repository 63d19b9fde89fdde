"""The examples of all operators in a runtime: what its profile does not refuse agrees with ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from runtimes.operator_runs import describe_difference, find_differences, list_examples
from runtimes.test_sessions import require


@pytest.mark.long
@pytest.mark.parametrize("runtime", ["openvino", "tract"])
def test_examples_agree(runtime: str) -> None:
    assert list(find_differences(require(runtime), list_examples())) == []


def test_a_difference_is_described() -> None:
    ones = np.ones((2, 3), np.float32)
    assert describe_difference(ones, ones + 1e-6) == ""
    assert describe_difference(ones, ones.astype(np.float64)) == "float64 (2, 3) in place of float32 (2, 3)"
    assert describe_difference(ones, ones + np.float32(0.5)) == "a difference of 5.0e-01"
    assert describe_difference(ones.astype(np.int64), ones.astype(np.int64) * 2) == "other integers"
