"""Space and channels traded: shapes and refusals equal PyTorch's, over grids of arguments."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from netc.compiler.dims import Dim, Facts, evaluate_dim, make_symbol
from netc.compiler.ops.folding import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, Unfold
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, DType, TensorType

N, H, W = make_symbol("N"), make_symbol("H"), make_symbol("W")


def inferred(op: Operator, *shape: Dim, dtype: DType = FLOAT32) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((TensorType(dtype, shape),), Facts.empty()))[0].shape
    except OperatorError:
        return None


def actual(function: Callable[..., torch.Tensor], shape: tuple[int, ...], *arguments: Any, **options: Any) -> tuple[int, ...] | None:
    dtype = options.pop("dtype", torch.float32)
    try:
        return tuple(function(torch.zeros(shape, dtype=dtype), *arguments, **options).shape)
    except RuntimeError:
        return None


def test_shuffles_are_those_of_pytorch() -> None:
    shapes = [(8,), (8, 4), (4, 2, 6), (2, 8, 4, 6), (2, 9, 3, 3), (2, 6, 5, 4), (2, 2, 4, 2, 4)]
    for shape, k in product(shapes, (1, 2, 3)):
        assert inferred(PixelShuffle(r=k), *shape) == actual(F.pixel_shuffle, shape, k), (shape, k)
        assert inferred(PixelUnshuffle(r=k), *shape) == actual(F.pixel_unshuffle, shape, k), (shape, k)
        assert inferred(ChannelShuffle(groups=k), *shape) == actual(F.channel_shuffle, shape, k), (shape, k)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_element_types_are_those_of_pytorch(dtype: DType) -> None:
    real = getattr(torch, dtype.name)
    for op, function, shape, arguments in (
        (PixelShuffle(r=2), F.pixel_shuffle, (1, 4, 2, 2), (2,)),
        (PixelUnshuffle(r=2), F.pixel_unshuffle, (1, 4, 2, 2), (2,)),
        (ChannelShuffle(groups=2), F.channel_shuffle, (1, 4, 2, 2), (2,)),
        (Unfold(kernel=2), F.unfold, (1, 4, 2, 2), (2,)),
        (Fold(output_size=(2,), kernel=2), F.fold, (1, 4, 1), (2, 2)),
    ):
        assert inferred(op, *shape, dtype=dtype) == actual(function, shape, *arguments, dtype=real), op.name


OPTIONS = list(product((1, 2, (3, 2)), (1, (2, 1)), (0, 1, (1, 2)), (1, 2, (2, 3))))


def test_blocks_are_those_of_pytorch() -> None:
    for kernel, dilation, padding, stride in OPTIONS:
        options = {"dilation": dilation, "padding": padding, "stride": stride}
        for high, wide in ((1, 1), (2, 3), (5, 4)):
            found = inferred(Unfold(kernel=kernel, **options), 2, 3, high, wide)
            assert found == actual(F.unfold, (2, 3, high, wide), kernel, **options), (high, wide, kernel, options)
            for columns in {found[-1] if found else 1, 4, 6}:
                taps = 12
                wanted = actual(F.fold, (2, taps, int(columns)), (high, wide), kernel, **options)  # type: ignore[arg-type]
                assert inferred(Fold(output_size=(high, wide), kernel=kernel, **options), 2, taps, columns) == wanted


def test_sizes_stay_symbolic() -> None:
    for kernel, dilation, padding, stride in OPTIONS:
        options = {"dilation": dilation, "padding": padding, "stride": stride}
        found = inferred(Unfold(kernel=kernel, **options), N, 3, H, W)
        assert found is not None
        real = tuple(evaluate_dim(d, {"N": 2, "H": 7, "W": 8}) for d in found)
        assert real == actual(F.unfold, (2, 3, 7, 8), kernel, **options)
        columns = found[-1]
        assert inferred(Fold(output_size=(H, W), kernel=kernel, **options), N, found[1], columns) == (N, 3, H, W)
    assert inferred(PixelShuffle(r=2), N, 8, H, W) == (N, 2, 2 * H, 2 * W)
    assert inferred(PixelUnshuffle(r=2), N, 2, 2 * H, 4) == (N, 8, H, 2)
    assert inferred(PixelUnshuffle(r=2), N, 2, H, 4) is None
    assert inferred(PixelShuffle(r=2), N, H, 4, 4) is None


def test_a_single_sample_has_no_batch_axis() -> None:
    assert inferred(Unfold(kernel=2), 3, 4, 4) == actual(F.unfold, (3, 4, 4), 2) == (12, 9)
    assert inferred(Fold(output_size=(4,), kernel=2), 12, 9) == actual(F.fold, (12, 9), 4, 2) == (3, 4, 4)
    assert inferred(Unfold(kernel=2), N, 4, 4) is None
    assert inferred(Fold(output_size=(4,), kernel=2), N, 9) is None
