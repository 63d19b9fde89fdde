"""Pools: shapes and refusals equal PyTorch's, over a grid of arguments."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import netc
from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.ops.pooling import AvgPool, LpPool, MaxPool
from netc.compiler.types.tensor_types import FLOAT32, TensorType
from tests.parity import agree

N, H = make_symbol("N"), make_symbol("H")


def inferred(op: Operator, *shape: Dim) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((TensorType(FLOAT32, shape),), Facts.empty()))[0].shape
    except OperatorError:
        return None


def actual(function: Callable[..., torch.Tensor], shape: tuple[int, ...], *arguments: object, **keywords: object) -> tuple[int, ...] | None:
    try:
        return tuple(function(torch.zeros(shape), *arguments, **keywords).shape)
    except RuntimeError:
        return None


GRID = list(product((1, 2, 3, 6), (1, 2, 3, 4), (None, 1, 3), (False, True)))


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_max_pool_is_that_of_pytorch(padding: int, dilation: int) -> None:
    for size, kernel, stride, ceil_mode in GRID:
        arguments = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
        found = inferred(MaxPool(kernel=kernel, **arguments), 1, 1, size, size)
        assert found == actual(F.max_pool2d, (1, 1, size, size), kernel, **arguments), (size, kernel, arguments)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_avg_pool_is_that_of_pytorch(padding: int) -> None:
    for size, kernel, stride, ceil_mode in GRID:
        arguments = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        found = inferred(AvgPool(kernel=kernel, **arguments), 1, 1, size)
        assert found == actual(F.avg_pool1d, (1, 1, size), kernel, **arguments), (size, kernel, arguments)


def test_lp_pool_is_that_of_pytorch() -> None:
    for size, kernel, stride, ceil_mode in GRID:
        found = inferred(LpPool(kernel=kernel, stride=stride, ceil_mode=ceil_mode), 1, 1, size)
        assert found == actual(F.lp_pool1d, (1, 1, size), 2, kernel, stride, ceil_mode), (size, kernel, stride, ceil_mode)


def test_sizes_stay_symbolic() -> None:
    assert inferred(MaxPool(kernel=2), N, 3, H, 9) == (N, 3, H // 2, 4)
    assert inferred(MaxPool(kernel=2, ceil_mode=True), N, 3, H, 9) == (N, 3, (H + 1) // 2, 5)
    assert inferred(AvgPool(kernel=3, stride=1, padding=1), N, 3, H) == (N, 3, H)


def test_symbolic_sizes_are_right_in_ceil_mode() -> None:
    """The last window may not start in the padding: a rule that depends on the size, but has one form for all."""
    from netc.compiler.dims import evaluate_dim

    for kernel, stride, padding in product((2, 3, 4), (1, 2, 3, 5), (0, 1, 2)):
        if 2 * padding > kernel:
            continue
        found = inferred(MaxPool(kernel=kernel, stride=stride, padding=padding, ceil_mode=True), N, 1, H)
        assert found is not None
        for size in range(kernel, 12):
            expected = actual(F.max_pool1d, (1, 1, size), kernel, stride, padding, ceil_mode=True)
            assert tuple(evaluate_dim(d, {"N": 1, "H": size}) for d in found) == expected


@pytest.mark.parametrize(("options", "runs"), [("", True), (" dilation=2", True), (" padding=1", True), (" dilation=2 padding=1", False)])
def test_integers_of_unknown_sizes_in_onnx(options: str, runs: bool) -> None:
    """Padding with a dilation may begin a window with an element that is not there."""
    model = netc.compile(f"input [2, T] int64 where T >= 5 -> max_pool 3{options}")
    if runs:
        agree(model)
        return
    with pytest.raises(netc.CompileError) as caught:
        model.onnx()
    assert [d.code for d in caught.value.diagnostics] == ["onnx-unsupported"]
