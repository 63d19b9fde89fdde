"""Resampling: sizes and refusals equal PyTorch's."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import netc
from netc.compiler.dims import Dim, Facts, evaluate_dim, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.ops.resampling import GridSample, Upsample
from netc.compiler.types.tensor_types import FLOAT32, TensorType

N, H = make_symbol("N"), make_symbol("H")
MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area")
SCALES = (2, 3, 0.5, 0.25, 1.5, 1.25, 2.3, 0.7, 0.1, 1 / 3, 1.9999, 7)
EXACT = [scale for scale in SCALES if scale * 4 == int(scale * 4)]


def inferred(op: Operator, *shapes: tuple[Dim, ...]) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs(tuple(TensorType(FLOAT32, shape) for shape in shapes), Facts.empty()))[0].shape
    except OperatorError:
        return None


def actual(shape: tuple[int, ...], **options: Any) -> tuple[int, ...] | None:
    try:
        return tuple(F.interpolate(torch.zeros(shape), **options).shape)
    except (RuntimeError, ValueError, NotImplementedError):
        return None


def each(value: Any) -> Any:
    """As the kind of the argument has it: a list of one for all."""
    return value if value is None or isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("mode", MODES)
def test_options_go_together_as_in_pytorch(mode: str) -> None:
    for axes, size, scale, corners, antialias in product(
        range(5), (None, 2, (2, 3), (2, 3, 4)), (None, 2, (0.5, 2), (1, 2, 3)), (None, False, True), (False, True)
    ):
        shape = (2, 3, *(4, 5, 6, 7)[:axes])
        options = {"mode": mode, "align_corners": corners, "antialias": antialias}
        found = inferred(Upsample(size=each(size), scale=each(scale), **options), shape)
        if size == 2 and axes > 1:
            size = (2,) * axes
        assert found == actual(shape, size=size, scale_factor=scale, **options), (shape, size, scale, options)


def test_sizes_by_scale_are_those_of_pytorch() -> None:
    for n, scale, again in product(range(1, 60), SCALES, (False, True)):
        found = inferred(Upsample(scale=(scale,), recompute_scale_factor=again), (1, 1, n))
        assert found == actual((1, 1, n), scale_factor=scale, recompute_scale_factor=again), (n, scale)


def test_sizes_stay_symbolic() -> None:
    for scale in EXACT:
        found = inferred(Upsample(scale=(scale,)), (N, 3, H))
        assert found is not None
        for n in range(4, 40):
            assert tuple(evaluate_dim(d, {"N": 1, "H": n}) for d in found) == actual((1, 3, n), scale_factor=scale)
    assert inferred(Upsample(size=(H + 1,)), (N, 3, 5)) == (N, 3, H + 1)
    assert inferred(Upsample(scale=(0.7,)), (N, 3, H)) is None
    assert inferred(Upsample(scale=(0.7, 2)), (N, 3, 10, H)) == (N, 3, 7, 2 * H)


def test_large_images_agree() -> None:
    """What scales in float32 come to, where there are many places."""
    x = torch.randn(1, 1, 61, 97)
    for how, options in (
        ("size=200x313", {"size": (200, 313)}),
        ("size=20x31", {"size": (20, 31)}),
        ("scale=3.7", {"scale_factor": 3.7}),
        ("scale=0.3", {"scale_factor": 0.3}),
    ):
        for more in ("", " align_corners=true", " antialias=true"):
            for mode in ("bilinear", "bicubic"):
                model = netc.compile(f"input 1x61x97 -> upsample {how} mode={mode}{more}")
                flags = {"align_corners": "align" in more, "antialias": "anti" in more}
                wanted = F.interpolate(x, mode=mode, **options, **flags)  # type: ignore[arg-type]
                np.testing.assert_allclose(np.asarray(model.session()(x)), wanted.numpy(), atol=1e-4, err_msg=f"{how} {mode}{more}")


UNSUPPORTED = [
    "input 3xHxW -> upsample size=4 mode=bilinear antialias=true align_corners=true",
    "input 3xHxW -> upsample size=4 mode=lanczos antialias=true",
    "input 3x8x8 uint8 -> upsample size=4 mode=bilinear",
    "input 3xHxW -> upsample scale=1.1 mode=bilinear",
]


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_what_resize_does_otherwise_is_refused(text: str) -> None:
    model = netc.compile(text)
    with pytest.raises(netc.CompileError) as caught:
        model.onnx()
    assert [d.code for d in caught.value.diagnostics] == ["onnx-unsupported"]
    (x,), (y,) = model.inputs.values(), model.outputs.values()
    sizes = {"N": 2, "H": 8, "W": 8}
    found = model.module()(torch.zeros([evaluate_dim(d, sizes) for d in x.shape], dtype=getattr(torch, x.dtype.name)))
    assert tuple(found.shape) == tuple(evaluate_dim(d, sizes) for d in y.shape)


@pytest.mark.parametrize("scale", [0.1, 0.4, 1.1, 1.7, 0.3, 0.9])
def test_scales_that_are_not_exact(scale: float) -> None:
    """For every size that an axis may have, the result equals PyTorch's, which multiplies in float64."""
    (size,) = inferred(Upsample(scale=(scale,)), (N, 3, H))[2:]  # type: ignore[index]
    fraction = Fraction(scale).limit_denominator(1024)
    for n in (*range(20, 5000), *range(2**30, 2**30 + 5000)):
        assert n * fraction.numerator // fraction.denominator == int(n * scale)
    assert [evaluate_dim(size, {"H": n}) for n in range(20, 100)] == [int(n * scale) for n in range(20, 100)]


def test_grids_are_those_of_pytorch() -> None:
    shapes = ((2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6))
    grids = ((2, 4, 1), (2, 4, 5, 2), (3, 4, 5, 2), (2, 4, 5, 3), (2, 3, 4, 5, 3), (2, 3, 4, 5, 2))
    for shape, grid, mode in product(shapes, grids, ("bilinear", "nearest", "bicubic")):
        try:
            wanted = tuple(F.grid_sample(torch.zeros(shape), torch.zeros(grid), mode=mode, align_corners=False).shape)
        except RuntimeError:
            wanted = None
        if mode == "bicubic" and len(shape) == 5:
            wanted = None  # newer versions of PyTorch take it, which netc does not
        assert inferred(GridSample(mode=mode), shape, grid) == wanted, (shape, grid, mode)


@pytest.mark.parametrize("mode", ["nearest", "nearest_exact", "linear"])
def test_small_sizes_at_run_time(mode: str) -> None:
    """At 1.25 a size of 2 or 3 stays as it is, and runtimes then look at no scale."""
    model = netc.compile(f"x = input [4, T]\nx -> upsample scale=1.25 mode={mode}")
    session, module = model.session(seed=0), model.module(seed=0)
    for size in range(1, 9):
        x = torch.randn(2, 4, size, generator=torch.Generator().manual_seed(size))
        torch.testing.assert_close(torch.as_tensor(session(x)), module(x))


@pytest.mark.parametrize("shape", ["2x3", "3x3", "2x5", "6x3"])
@pytest.mark.parametrize("scale", ["[1.25, 2]", "[1.25, 1.25]", "[1.25, 0.5]", "[2, 1.25]"])
def test_linear_weights_leave_an_axis_whose_size_stays(shape: str, scale: str) -> None:
    model = netc.compile(f"x = input 2x{shape}\nx -> upsample scale={scale} mode=bilinear")
    x = torch.randn(1, 2, *map(int, shape.split("x")), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.as_tensor(model.session(seed=0)(x)), model.module(seed=0)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [1.25, 1.125, 1.9, 0.75])
def test_nearest_of_two_axes_at_run_time(scale: float) -> None:
    """PyTorch leaves an axis alone whose size stays, if there are two."""
    model = netc.compile(f"x = input 2xHxW\nx -> upsample scale=[{scale}, 1.25]")
    session, module = model.session(seed=0), model.module(seed=0)
    for height in range(2, 10):
        for width in range(1, 7):
            x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(height))
            torch.testing.assert_close(torch.as_tensor(session(x)), module(x))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_weighed_sizes_that_may_stay_need_a_where(mode: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f"x = input 2xHxW\nx -> upsample scale=1.25 mode={mode}").onnx()
    assert [d.code for d in caught.value.diagnostics] == ["onnx-unsupported"]
    model = netc.compile(f"x = input 2xHxW where H >= 4, W >= 4\nx -> upsample scale=1.25 mode={mode}")
    session, module = model.session(seed=0), model.module(seed=0)
    for height, width in ((4, 4), (4, 7), (5, 4), (8, 6)):
        x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(height))
        torch.testing.assert_close(torch.as_tensor(session(x)), module(x), rtol=1e-4, atol=1e-5)
