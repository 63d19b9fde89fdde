"""Numbers that PyTorch's own samples leave out: constant images, large means, NaN and infinity. PyTorch is the judge of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import netc

Array = np.ndarray[Any, Any]
INF, NAN = float("inf"), float("nan")


def draw(*shape: int) -> Array:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def in_onnx(text: str, *arrays: Array) -> Any:
    return netc.compile(text).session(seed=7)(*arrays)


# --- group_norm ------------------------------------------------------------------------------------------------------------------


def test_a_black_image() -> None:
    """0 after ImageNet's scaling."""
    image = np.full((1, 3, 32, 32), -2.1179, np.float32)
    assert np.abs(in_onnx("input 3x32x32 -> group_norm 1", image)).max() < 1e-4


def test_constant_images() -> None:
    session = netc.compile("input 4x8x8 -> group_norm 2").session()
    for value in np.linspace(0.1, 50, 400, dtype=np.float32):
        assert np.abs(session(np.full((1, 4, 8, 8), value, np.float32))).max() < 1e-2


@pytest.mark.parametrize("stage", ["group_norm 8 affine=false", "instance_norm", "layer_norm affine=false"])
@pytest.mark.parametrize("mean", [0, 10, 100, 300, 1000, 3000])
def test_large_means(stage: str, mean: float) -> None:
    """As near to float64 as a few roundings of the mean."""
    x = draw(2, 32, 16, 16) + np.float32(mean)
    exact = netc.compile(f"input 32x16x16 -> {stage}").module().double()(torch.from_numpy(x).double()).numpy()
    assert np.abs(in_onnx(f"input 32x16x16 -> {stage}", x) - exact).max() < 1e-5 + 1e-6 * mean


# --- NaN -------------------------------------------------------------------------------------------------------------------------


def test_sort() -> None:
    x = np.array([[3, NAN, 1, 2, 0, 5, 4, -1]], np.float32)
    np.testing.assert_array_equal(in_onnx("input 8 -> sort", x), [[-1, 0, 1, 2, 3, 4, 5, NAN]])
    np.testing.assert_array_equal(in_onnx("input 8 -> sort descending=true", x), [[NAN, 5, 4, 3, 2, 1, 0, -1]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_order(dtype: str) -> None:
    """Rows with NaN, infinity and the greatest finite number, whose positions differ."""
    columns = np.random.default_rng(1).permuted(np.tile(np.arange(32), (200, 1)), axis=1)
    x, rows = (columns[:, ::-1] / 8 - 2).astype(dtype), np.arange(200)
    specials = [NAN, INF, -INF] + ([np.finfo(dtype).max] if dtype != "float64" else [])
    for value, column in zip(specials, columns.T, strict=False):
        x[rows, column] = value
    spec = f"x = input 32 {dtype}; (values, at) = x -> "
    for largest in (True, False):
        found = in_onnx(f"{spec}topk 3 largest={str(largest).lower()}; out values, at", x)
        values, at = torch.topk(torch.from_numpy(x), 3, largest=largest)
        np.testing.assert_array_equal(found["values"], values.numpy())
        np.testing.assert_array_equal(found["at"], at.numpy())
        found = in_onnx(f"{spec}sort descending={str(largest).lower()}; out values, at", x)
        values, at = torch.sort(torch.from_numpy(x), descending=largest)
        np.testing.assert_array_equal(found["values"], values.numpy())
        np.testing.assert_array_equal(found["at"], at.numpy())


KEPT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "max": torch.max,
    "min": torch.min,
    "max axis=1": lambda x: x.amax(1),
    "argmax": torch.argmax,
    "argmin": torch.argmin,
    "argmax axis=1": lambda x: x.argmax(1),
    "argmin axis=1": lambda x: x.argmin(1),
    "norm inf axis=1": lambda x: torch.linalg.vector_norm(x, INF, 1),
    "logsumexp axis=1": lambda x: x.logsumexp(1),
    "threshold 0.1 5": lambda x: F.threshold(x, 0.1, 5),
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "sign": torch.sign,
    "clamp min=0": lambda x: x.clamp(min=0),
    "clamp max=0": lambda x: x.clamp(max=0),
    "floor_div 2": lambda x: torch.div(x, 2, rounding_mode="floor"),
}


@pytest.mark.parametrize("stage", KEPT)
def test_kept(stage: str) -> None:
    x = draw(3, 8)
    x[0, 3], x[1, 2], x[2, 5], x[2, 6] = NAN, INF, -INF, NAN
    wanted = KEPT[stage](torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(in_onnx(f"input 8 -> {stage}", x), wanted, rtol=1e-6)


@pytest.mark.parametrize("stage", ["global_max_pool", "adaptive_max_pool 1", "adaptive_max_pool 4"])
def test_pools(stage: str) -> None:
    """4 is no divisor of 6, where there is no MaxPool of ONNX."""
    x = draw(2, 3, 6, 6)
    x[0, 1, 2, 3] = NAN
    wanted = F.adaptive_max_pool2d(torch.from_numpy(x), 4 if stage.endswith("4") else 1).numpy()
    found = in_onnx(f"input 3x6x6 -> {stage}", x)
    np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)


# --- infinity --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["adaptive_avg_pool 4", "upsample size=4 mode=area"])
@pytest.mark.parametrize("sizes", ["6x6", "HxW"])
def test_one_infinity(stage: str, sizes: str) -> None:
    x = np.ones((2, 1, 6, 6), np.float32)
    x[0, 0, 0, 0] = INF
    wanted = F.adaptive_avg_pool2d(torch.from_numpy(x), 4).numpy()
    assert np.isinf(wanted).sum() == 1
    np.testing.assert_allclose(in_onnx(f"input 1x{sizes} -> {stage}", x), wanted)


def test_quotients_by_infinity() -> None:
    x, y = np.array([[1, -1, 0, 5, -5]], np.float32), np.array([[INF, INF, INF, -INF, -INF]], np.float32)
    wanted = torch.div(torch.from_numpy(x), torch.from_numpy(y), rounding_mode="floor").numpy()
    np.testing.assert_array_equal(in_onnx("x = input 5; y = input 5; (x, y) -> floor_div", x, y), wanted)


def test_an_infinite_channel_stays_in_its_window() -> None:
    x = draw(1, 9, 4, 4)
    x[0, 2, 1, 1] = INF
    wanted = F.local_response_norm(torch.from_numpy(x), 3).numpy()
    assert np.isfinite(wanted[0, 5:]).all()
    np.testing.assert_allclose(in_onnx("input 9x4x4 -> local_response_norm 3", x), wanted, rtol=1e-5)


# --- others ----------------------------------------------------------------------------------------------------------------------


def test_a_quotient_has_a_gradient() -> None:
    module = netc.compile("input 5 -> dense 5 -> floor_div 2 -> dense 1").module(seed=1)
    module(torch.ones(2, 5)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    assert torch.equal(module.dense1.weight.grad, torch.zeros(5, 5))


def test_nothing_left_of_one() -> None:
    """At half the scale, PyTorch makes nothing of one element."""
    x = draw(1, 3, 1)
    assert F.interpolate(torch.from_numpy(x), scale_factor=0.5, mode="area").shape == (1, 3, 0)
    assert in_onnx("input 3xT -> upsample scale=0.5 mode=area", x).shape == (1, 3, 0)
