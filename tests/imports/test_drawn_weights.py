"""The weights of a proof: near the model's own, and as varied. NumPy's statistics are the judge."""

from __future__ import annotations

import numpy as np
import pytest

from netc.importing.proof import draw_noise, perturb_weight


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_matrix_keeps_its_deviation(share: float) -> None:
    """A deep model that amplifies its tensors would amplify rounding errors."""
    array = np.random.default_rng(0).normal(0, 3, (400, 500)).astype(np.float32)
    drawn = perturb_weight("fc.weight", array, np.random.default_rng(1), share)
    assert drawn.std() == pytest.approx(3, rel=0.01)
    # of the sum of both, the array has this share
    assert np.corrcoef(array.ravel(), drawn.ravel())[0, 1] == pytest.approx((1 + share**2) ** -0.5, abs=0.01)


@pytest.mark.parametrize(("key", "value"), [("norm.weight", 1.0), ("norm.bias", 0.0), ("norm.running_mean", 0.0)])
def test_a_constant_is_varied(key: str, value: float) -> None:
    drawn = perturb_weight(key, np.full(10_000, value, np.float32), np.random.default_rng(0), 1.0)
    assert drawn.mean() == pytest.approx(value, abs=0.01)
    assert drawn.std() == pytest.approx(0.1, rel=0.05)


def test_variances_stay_positive() -> None:
    drawn = perturb_weight("norm.running_var", np.zeros(10_000, np.float32), np.random.default_rng(0), 1.0)
    assert 0.4 <= drawn.min() < 0.41


def test_integers_and_empty_arrays_stay() -> None:
    for array in (np.arange(3), np.zeros((0, 4), np.float32)):
        assert np.array_equal(perturb_weight("x", array, np.random.default_rng(0), 1.0), array)


@pytest.mark.parametrize("shape", [(), (3,), (999_999,), (1_000_000,), (1_000_001,), (3, 700_001)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pieces_have_the_numbers_of_one_draw(shape: tuple[int, ...], dtype: type) -> None:
    wanted = np.random.default_rng(2).standard_normal(shape)
    assert np.array_equal(draw_noise(np.zeros(shape, dtype), np.random.default_rng(2)), np.asarray(wanted).astype(dtype))
