"""The values that parameters have before training: distributions, seeds and types, and the memory that they are drawn into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch

import netc
from netc.compiler.analysis.state_dict import ParameterInfo, collect_parameters
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.buffer_pool import BufferPool
from netc.compiler.weights.initial import InitialValues
from netc.compiler.weights.match_weights import draw_initial_values


def infos(text: str) -> dict[str, ParameterInfo]:
    return collect_parameters(netc.compile(text).program)


TWO = "input 4 -> dense 3 as a -> dense 2 as b"
TIED = "tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head"


def test_the_seed_and_the_name_decide() -> None:
    small, large = infos(TWO), infos(TWO + " -> dense 7 as c")
    one, two = draw_initial_values(small, 3), draw_initial_values(large, 3)
    assert all(np.array_equal(one[name], two[name]) for name in small)
    assert not np.array_equal(one["a.weight"], draw_initial_values(small, 4)["a.weight"])
    assert not np.array_equal(one["a.weight"][:2, :3], one["b.weight"][:, :3])


def test_values_stay_what_they_are() -> None:
    """Models that people have drawn with a seed must not change under them."""
    assert draw_initial_values(infos(TWO), 0)["b.bias"].tolist() == pytest.approx([-0.487224907, 0.492645860])


def test_tied_names_share_one_array() -> None:
    arrays = draw_initial_values(infos(TIED))
    assert arrays["head.weight"] is arrays["wte.weight"]


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("input 300 -> dense 400", lambda: torch.nn.Linear(300, 400)),
        ("input 32x16x16 -> conv 64 5x5 groups=2", lambda: torch.nn.Conv2d(32, 64, 5, groups=2)),
        ("input 32x16x16 -> conv_transpose 64 5x5", lambda: torch.nn.ConvTranspose2d(32, 64, 5)),
        ("tokens = input [T] int64; tokens -> embedding 500 200 padding_idx=3", lambda: torch.nn.Embedding(500, 200, padding_idx=3)),
        ("a = input 64; b = input 48; (a, b) -> bilinear 50", lambda: torch.nn.Bilinear(64, 48, 50)),
        ("input 32x8x8 -> batch_norm", lambda: torch.nn.BatchNorm2d(32)),
        ("input [T, 256] -> multihead_attention 8", lambda: torch.nn.MultiheadAttention(256, 8)),
        ("input [T, 64] -> lstm 128", lambda: torch.nn.LSTM(64, 128, batch_first=True)),
    ],
)
def test_distributions_are_those_of_pytorch(stage: str, module: Any) -> None:
    """Bounds, means and deviations of large tensors, against what PyTorch draws itself."""
    torch.manual_seed(0)
    ours = {name.split(".", 1)[1]: array for name, array in draw_initial_values(infos(stage), 1).items()}
    theirs = {name: value.numpy() for name, value in module().state_dict().items()}
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].shape == array.shape
        assert ours[name].dtype == array.dtype
        if array.size >= 64:
            assert ours[name].std() == pytest.approx(array.std(), rel=5 / array.size**0.5)
            assert ours[name].mean() == pytest.approx(array.mean(), abs=8 * float(array.std()) / array.size**0.5)
        if array.size >= 10_000 and "embedding" not in stage:
            assert np.abs(ours[name]).max() == pytest.approx(np.abs(array).max(), rel=1e-2)
        zero = np.all(array.reshape(len(array), -1) == 0, axis=1) if array.ndim else array == 0
        assert np.array_equal(zero, np.all(ours[name].reshape(len(array), -1) == 0, axis=1) if array.ndim else ours[name] == 0)


@pytest.mark.parametrize("shape", [(300, 200), (60, 40, 5), (30, 20, 5, 7)])
def test_xavier_is_that_of_pytorch(shape: tuple[int, ...]) -> None:
    """The bound is torch.nn.init's, whose fans count the axes after the first two."""
    array = draw_initial_values(infos(f"x = input [1]; w = param {list(shape)} init=xavier_uniform as w; x + (w -> sum)"), 1)["w"]
    theirs = torch.nn.init.xavier_uniform_(torch.empty(shape), generator=torch.Generator().manual_seed(0))
    assert np.abs(array).max() == pytest.approx(float(theirs.abs().max()), rel=1e-2)
    assert array.std() == pytest.approx(float(theirs.std()), rel=2e-2)


def test_initializers_of_param() -> None:
    text = """
    x = input 4
    a = param [4] init=uniform(-2, 3) as a
    b = param [4] init=normal(0.5) as b
    c = param [4] init=7 as c
    d = param [4] init=ones as d
    e = table (i) [4] = i * 2 as e
    x + a + b + c + d + e
    """
    arrays = draw_initial_values(infos(text))
    assert arrays["c"].tolist() == [7] * 4
    assert arrays["d"].tolist() == [1] * 4
    assert arrays["e"].tolist() == [0, 2, 4, 6]
    assert -2 <= arrays["a"].min() <= arrays["a"].max() <= 3


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_other_types(name: str) -> None:
    arrays = draw_initial_values(infos(f"x = input 200 {name}; x -> dense 300"))
    weight = arrays["dense1.weight"]
    assert weight.dtype.name == name
    assert weight.astype(np.float64).std() == pytest.approx(200**-0.5 / 3**0.5, rel=0.02)


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
def test_normal_numbers_have_the_distribution(name: str) -> None:
    """The largest difference of the cumulated frequencies is below the limit for a sample of this size (Kolmogorov and Smirnov, one in a
    thousand), and so are the differences of the moments and of the numbers far from the mean."""
    text = f"x = input 1000 {name}; w = param [1000, 2001] {name} init=normal(2, mean=1) as w; x @ w"
    drawn = (np.sort(draw_initial_values(infos(text), 3)["w"].astype(np.float64).ravel()) - 1) / 2
    every = len(drawn) // 1000
    cumulated = np.asarray([NormalDist().cdf(value) for value in drawn[::every]])
    rounding = {"bfloat16": 2**-9, "float16": 2**-12}.get(name, 0)
    assert np.abs(cumulated - np.arange(len(drawn))[::every] / len(drawn)).max() < 1.95 / len(drawn) ** 0.5 + rounding
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):  # of the standard normal distribution
        assert (drawn**power).mean() == pytest.approx(moment, abs=4 * deviation / len(drawn) ** 0.5 + power * moment * rounding**2)
    for far in (3, 4, 4.5):
        wanted = 2 * NormalDist().cdf(-far) * len(drawn)
        assert (np.abs(drawn) > far).sum() == pytest.approx(wanted, abs=4 * wanted**0.5 + far * rounding * wanted)


def in_types(shape: list[int], init: str) -> Iterator[Array]:
    """The values of one seed in float64, float32, float16 and bfloat16."""
    text = f"x = input {shape[0]}; w = param {shape} init={init} as w; x @ w"
    return (
        draw_initial_values(netc.compile(text, dtype=name).parameters, 4)["w"] for name in ("float64", "float32", "float16", "bfloat16")
    )


@pytest.mark.parametrize(
    ("init", "shape"),
    [
        *((init, [3, 5]) for init in ("normal(2, mean=1)", "uniform(-3, 1)", "xavier_normal", "kaiming_uniform", "trunc_normal(0.02)")),
        ("trunc_normal(0.02)", [301, 303]),
    ],
    ids=str,
)
def test_values_of_half_types_are_those_of_float32_rounded(init: str, shape: list[int]) -> None:
    _, single, half, brain = in_types(shape, init)
    assert np.array_equal(single.astype(half.dtype), half)
    assert np.array_equal(single.astype(brain.dtype), brain)


DENSITIES: dict[str, Callable[[float], float]] = {
    "normal(2, mean=1)": NormalDist(1, 2).pdf,
    "uniform(-3, 1)": lambda _: 1 / 4,
}


@pytest.mark.parametrize("init", DENSITIES)
def test_many_values_of_half_types_are_those_of_float32_within_a_part_of_the_distribution(init: str) -> None:
    """A part is as wide as the inverse of its density, over 65,536."""
    double, single, half, brain = (values.astype(np.float64).ravel() for values in in_types([301, 303], init))
    parts = np.asarray([1 / DENSITIES[init](value) for value in single]) / 65_536
    assert (np.abs(half - single) <= parts + np.abs(single) * 2.0**-11).all()
    assert (np.abs(brain - single) <= parts + np.abs(single) * 2.0**-8).all()
    if "normal" in init:  # uniform numbers of float64 are others
        np.testing.assert_allclose(single, double, rtol=1e-6, atol=1e-6)


def test_memory_is_used_again_when_nothing_refers_to_it() -> None:
    size = 1 << 21
    rooms = BufferPool()
    first = rooms.allocate_array(size, np.dtype(np.float32))
    view = first.reshape(2, -1).T[3:]
    place = first.ctypes.data
    del first
    second = rooms.allocate_array(size, np.dtype(np.float32))
    assert second.ctypes.data != place
    part = memoryview(view[1])
    del view
    assert rooms.allocate_array(size, np.dtype(np.float16)).ctypes.data != place
    del part
    third = rooms.allocate_array(size + 1, np.dtype(np.float16))
    assert third.ctypes.data == place
    assert (third.dtype, third.shape) == (np.dtype(np.float16), (size + 1,))


def test_arrays_that_are_kept_are_apart() -> None:
    """Of parameters that are large enough for their memory to be used again."""
    text = "x = input 1500; " + "; ".join(f"w{n} = param [1500, 400] init=normal as w{n}" for n in range(4)) + "; x @ (w0 + w1 + w2 + w3)"
    drawn = InitialValues(infos(text), 1)
    kept = draw_initial_values(infos(text), 1)
    for name, array in kept.items():
        assert np.array_equal(drawn[name], array)
