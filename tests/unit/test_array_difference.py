"""The difference that proofs compare with their limit: a number that is not there never counts as equal."""

from __future__ import annotations

from math import inf, nan

import ml_dtypes
import numpy as np
import pytest

from netc.importing.array_difference import measure_difference

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    ("result", "expected", "difference"),
    [
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([nan, 1.0], [2.0, 1.0], inf),
        ([2.0, 1.0], [nan, 1.0], inf),
        ([inf, 1.0], [2.0, 1.0], inf),
        ([inf, 1.0], [-inf, 1.0], inf),
        ([inf, nan, 1.0], [inf, nan, 2.0], 0.5),
        ([inf, nan], [inf, nan], 0.0),
        ([], [], 0.0),
        ([1.0 + 1.0j], [1.0 + 2.0j], 0.5),
        ([1.0 + nan * 1j], [1.0 + 2.0j], inf),
        ([1, 2], [1, 2], 0.0),
        ([1, 2], [1, 3], 1.0),
    ],
)
def test_difference(result: list[complex], expected: list[complex], difference: float) -> None:
    assert measure_difference(np.array(result), np.array(expected)) == difference


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_types(dtype: type) -> None:
    assert measure_difference(np.array([1.0, 3.0], dtype), np.array([1.0, 4.0], dtype)) == 0.25
