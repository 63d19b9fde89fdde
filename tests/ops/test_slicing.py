"""Parts of tensors: results and refusals equal PyTorch's, over grids of arguments. In addition, empty results are refused."""

import re
from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import netc
from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.ops.slicing import Flip, Pad, Roll, Select, Slice, Tile
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, DType, TensorType

N, T = make_symbol("N"), make_symbol("T")


def inferred(op: Operator, *shape: Dim, dtype: DType = FLOAT32) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((TensorType(dtype, shape),), Facts.empty()))[0].shape
    except OperatorError:
        return None


def actual(function: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> object:
    try:
        result = tuple(function(torch.zeros(shape, dtype=dtype)).shape)
    except (RuntimeError, IndexError):
        return None
    return None if 0 in result else result


def test_slices_are_those_of_pytorch() -> None:
    for start, stop, step in product((0, 1, 3, 5, 9, -1, -2, -5, -9), (None, 0, 1, 4, 5, 9, -1, -4, -5, -9), (1, 2, 3)):
        found = inferred(Slice(axis=1, start=start, stop=stop, step=step), 2, 5)
        assert found == actual(lambda x, s=slice(start, stop, step): x[:, s], (2, 5)), (start, stop, step)
    for index in range(-5, 5):
        assert inferred(Select(axis=0, index=index), 3, 5) == actual(lambda x, i=index: x[i], (3, 5)), index


MODES = ("constant", "reflect", "replicate", "circular")


@pytest.mark.parametrize("mode", MODES)
def test_padding_is_that_of_pytorch(mode: str) -> None:
    for size, before, after in product((1, 2, 4), range(-3, 5), range(-3, 5)):
        if mode == "circular" and max(before, after) > size + min(before, after, 0):
            continue  # what PyTorch makes of this is not defined: it reads beyond the end
        found = inferred(Pad(padding=(before, after), mode=mode), 2, 3, size)
        assert found == actual(lambda x, p=(before, after): F.pad(x, p, mode=mode), (2, 3, size)), (size, before, after)
    for axes, rank in product(range(1, 4), range(1, 6)):
        shape, pad = (3,) * rank, (1,) * (2 * axes)
        assert inferred(Pad(padding=pad, mode=mode), *shape) == actual(lambda x, p=pad: F.pad(x, p, mode=mode), shape), (axes, rank)
    for name, dtype in DTYPES.items():
        found = inferred(Pad(padding=(1, 1), mode=mode), 2, 3, 4, dtype=dtype)
        assert found == actual(lambda x: F.pad(x, (1, 1), mode=mode), (2, 3, 4), getattr(torch, name)), name


def test_rolls_flips_and_tiles_are_those_of_pytorch() -> None:
    axes = [None, *((a,) for a in range(-3, 3)), *product(range(-3, 3), repeat=2)]
    for axis, shifts in product(axes, [(1,), (-2, 3)]):
        found = inferred(Roll(shifts=shifts, axis=axis), 2, 3)
        assert found == actual(lambda x, s=shifts, a=axis: torch.roll(x, s, a or ()), (2, 3)), (axis, shifts)
        if axis is not None:
            assert inferred(Flip(axis=axis), 2, 3) == actual(lambda x, a=axis: x.flip(a), (2, 3)), axis
    for repeats in [r for rank in range(4) for r in product((1, 2, 3), repeat=rank)]:
        assert inferred(Tile(repeats=repeats), 2, 3) == actual(lambda x, r=repeats: x.tile(r), (2, 3)), repeats


def test_sizes_stay_symbolic() -> None:
    assert inferred(Slice(axis=1, stop=-1), N, T) == (N, T - 1)
    assert inferred(Slice(axis=1, step=2), N, T) == (N, (T + 1) // 2)
    assert inferred(Slice(axis=1, start=T - 1), N, T) == (N, 1)
    assert inferred(Pad(padding=(1, 2)), N, T) == (N, T + 3)
    assert inferred(Select(axis=1, index=-1), N, T) == (N,)


def test_what_is_known_of_a_size_is_used() -> None:
    assert inferred(Select(axis=1, index=4), N, T) is None
    assert inferred(Select(axis=1, index=4), N, make_symbol("T", lower=5)) == (N,)
    assert inferred(Slice(axis=1, stop=4), N, make_symbol("T", lower=5)) == (N, 4)
    assert inferred(Pad(padding=(4, 0), mode="reflect"), N, 1, make_symbol("T", lower=5)) == (N, 1, make_symbol("T", lower=5) + 4)


@pytest.mark.parametrize(
    ("stage", "needed"),
    [
        ("roll [1, 2]", "must be one number without `axis`"),
        ("roll 1 axis=[1, 2]", "must have one entry for each of the 2 axes"),
        ("roll [1, 2, 3] axis=[1, 2]", "must have one entry for each of the 2 axes"),
        ("roll [1, 2] axis=1", "must have one entry for each of the 1 axes"),
    ],
)
def test_shifts_fit_the_axes(stage: str, needed: str) -> None:
    with pytest.raises(netc.CompileError, match=re.escape(needed)):
        netc.compile(f"input 4x5 -> {stage}")
