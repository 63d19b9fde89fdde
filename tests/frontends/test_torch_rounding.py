"""The proof of imported modules whose results depend on how numbers are rounded: it accepts right models, and no wrong ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import netc
from netc.importing import proof
from netc.importing.array_difference import LIMIT
from netc.importing.module_origin import make_module_origin
from netc.importing.origin import Origin
from netc.importing.output_judge import NotProved, Unstable
from netc.importing.proof import prove_import
from netc.importing.rounding import RandomRounding, round_at_random
from netc.importing.run_import import import_spec


def origin_of(module: nn.Module, *inputs: Tensor) -> Origin:
    return make_module_origin(module, inputs, {}, {0: {0: "N"}}, "module")


def test_numbers_are_rounded_to_a_number_of_float32_next_to_them() -> None:
    generator = np.random.default_rng(0)
    exact = np.concatenate([generator.standard_normal(1000), [1e-42, -1e300, np.inf, -np.inf, np.nan, 0.1, -0.1]])
    rounded = round_at_random(exact, generator)
    with np.errstate(over="ignore"):
        kept = ~np.isfinite(exact.astype(np.float32))
    np.testing.assert_array_equal(rounded[kept], exact[kept])
    low = exact[~kept].astype(np.float32)
    low = np.where(low > exact[~kept], np.nextafter(low, np.float32(-np.inf)), low)
    ups = rounded[~kept] != low
    np.testing.assert_array_equal(rounded[~kept][ups], np.nextafter(low, np.float32(np.inf))[ups])
    assert 400 < ups.sum() < 600, "up and down are equally frequent"
    short = exact[~kept].astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(round_at_random(short, generator), short)


def test_what_rounds_nothing_in_float32_is_not_rounded() -> None:
    x = torch.randn(3, 4, 4, dtype=torch.float64)  # of more digits than float32 has
    with RandomRounding(0):
        assert x.transpose(0, 1)[1:].flatten(1).norm() != 0  # `flatten` copies here, which must not change `x`
        assert torch.equal(x.transpose(0, 1)[1:].unsqueeze(0)[0].transpose(0, 1), x[:, 1:])
        short = x + 0
        for same in (
            torch.cat([short, short])[:3],
            short.clone(),
            short.maximum(short - 1),
            short * 1,
            short.abs() * short.sign(),
        ):
            assert torch.equal(same, short)
        counts = torch.arange(9.0, dtype=torch.float64)
        assert torch.equal(counts.cumsum(0) * 3, torch.tensor([0.0, 1, 3, 6, 10, 15, 21, 28, 36], dtype=torch.float64) * 3)
    assert torch.equal(short, short.float().double())
    assert not torch.equal(short, x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.gelu(x - 4, approximate="tanh"),
        lambda x: F.gelu(x - 4),
        lambda x: F.layer_norm(x * 1e-2 + 10, (64,)),
        lambda x: F.log_softmax(x * 1e-3, -1) + 4.158883,
        lambda x: F.scaled_dot_product_attention(x, x, x) @ x.transpose(-1, -2),
        lambda x: F.conv1d(x[:, None], x[:1, None, :8].expand(2, 1, 8)).amax(1),
        lambda x: (x.tanh() + 1).mul_(1e3).sub_(1e3),
    ],
    ids=["gelu-tanh", "gelu", "layer_norm", "log_softmax", "attention", "conv", "in_place"],
)
def test_rounding_at_random_moves_results_as_far_as_float32_does(function: Callable[[Tensor], Tensor]) -> None:
    """The errors that PyTorch makes in float32 are the judge: within a factor of eight."""
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    exact = function(x.double())

    def error(result: Tensor) -> float:
        return float((result - exact).square().mean().sqrt())

    with RandomRounding(0):
        moved = function(x.double())
    assert moved.shape == exact.shape
    assert error(function(x).double()) / 8 < error(moved) < error(function(x).double()) * 8


class LosesDigits(nn.Module):
    """`gelu` of numbers near -3.5 has few right digits, and `layer_norm` of almost equal numbers has fewer."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hidden = nn.Linear(6, 32)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: Tensor) -> Tensor:
        scores = F.log_softmax(F.logsigmoid(self.hidden(x).tanh()), dim=-1)
        return self.norm(F.gelu(scores, approximate="tanh"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.sample(2)
def test_digits_that_an_operator_loses_inside_are_rounding(seed: int) -> None:
    found = import_spec(origin_of(LosesDigits(seed), torch.randn(2, 6))).proof
    assert found is not None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m, x: m.norm(F.gelu(F.log_softmax(F.logsigmoid(m.hidden(x).tanh()), dim=-1))),
        lambda m, x: m.norm(F.gelu(F.log_softmax(F.logsigmoid(m.hidden(x).tanh()) * 1.01, dim=-1), approximate="tanh")),
        lambda m, x: LosesDigits.forward(m, x) * 1.001,
    ],
    ids=["another-gelu", "a-factor-inside", "a-factor"],
)
def test_another_model_that_loses_digits_is_refused(wrong: Callable[[LosesDigits, Tensor], Tensor]) -> None:
    """The module computes something else than it did when it was imported, and no rounding error explains that."""
    module = LosesDigits(0)
    origin = origin_of(module, torch.randn(2, 6))
    module.forward = wrong.__get__(module)  # type: ignore[attr-defined, method-assign]
    with pytest.raises(NotProved, match="from float64; the original by"):
        import_spec(origin)


class Growth(nn.Module):
    """Verhulst's equation, iterated: it settles for rates up to 3, and is chaos for some of those beyond 3.57, where every rounding error
    doubles in a few steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mixed = nn.Linear(64, 64)
        self.steps = steps
        self.rate = nn.Parameter(torch.linspace(2.0, 3.3, 64))
        self.first = nn.Parameter(torch.full((64,), 0.5))
        self.second = nn.Parameter(torch.full((64,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.sigmoid(self.mixed(x))  # sums, of which two programs never have all digits alike
        for _ in range(self.steps):
            y = self.rate.clamp(0, 4) * y * (1 - y)
        return y * self.first + self.second


@pytest.fixture(scope="module", params=[25, 60])
def growth(request: pytest.FixtureRequest) -> tuple[Origin, str]:
    """With rates that differ by half of their deviation, many are beyond 3.57: after 25 steps, rounding errors are still a measure, and
    after 60, they are as large as the results. With a twentieth, all settle."""
    origin = origin_of(Growth(request.param), torch.randn(2, 64, generator=torch.Generator().manual_seed(0)))
    return origin, import_spec(origin, verify=False).text


@pytest.mark.sample(1)
def test_an_unsteady_model_is_proved_with_weights_near_its_own(growth: tuple[Origin, str], monkeypatch: pytest.MonkeyPatch) -> None:
    origin, text = growth
    found = prove_import(netc.compile(text), origin)
    assert max(found.differences.values()) < LIMIT
    monkeypatch.setattr(proof, "SMALL_NOISE", proof.NOISE)
    if "y60" in text:
        with pytest.raises(Unstable):
            prove_import(netc.compile(text), origin)


@pytest.mark.parametrize("wrong", ["* second + first", "* first * 1.0001 + second", "* (first + 1e-4) + second"])
@pytest.mark.sample(1)
def test_a_wrong_text_of_an_unsteady_model_is_refused(growth: tuple[Origin, str], wrong: str) -> None:
    """Two vectors that begin with the same numbers do not pass for each other, and a difference is found that is smaller than the rounding
    errors of the model with other weights."""
    origin, text = growth
    assert text.count("* first + second") == 1
    with pytest.raises(NotProved, match="of its largest value"):
        prove_import(netc.compile(text.replace("* first + second", wrong)), origin)
