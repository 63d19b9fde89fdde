"""Other shapes: results and refusals equal PyTorch's, over grids of arguments; and what symbolic sizes become."""

from collections.abc import Callable
from itertools import permutations, product

import pytest
import torch

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError, OpInputs
from netc.compiler.ops.shape import Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from netc.compiler.types.tensor_types import FLOAT32, TensorType

N, T = make_symbol("N"), make_symbol("T")
RANKS: list[tuple[int, ...]] = [(), (4,), (2, 3), (2, 1, 4), (1, 2, 3, 1)]


def inferred(op: Operator, *shape: Dim) -> tuple[Dim, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((TensorType(FLOAT32, shape),), Facts.empty()))[0].shape
    except OperatorError:
        return None


def refused(op: Operator, *shape: Dim) -> str:
    with pytest.raises(OperatorError) as caught:
        op.check_and_infer(op.bind_inputs((TensorType(FLOAT32, shape),), Facts.empty()))
    assert caught.value.problem.format_message()
    return caught.value.problem.code


def actual(function: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return tuple(function(torch.zeros(shape, device="meta")).shape)
    except (RuntimeError, IndexError):
        return None


def axes(shape: tuple[int, ...]) -> range:
    return range(-len(shape) - 2, len(shape) + 2)


@pytest.mark.parametrize("shape", RANKS)
def test_axes_are_those_of_pytorch(shape: tuple[int, ...]) -> None:
    for a, b in product(axes(shape), repeat=2):
        assert inferred(Flatten(start=a, end=b), *shape) == actual(lambda x, a=a, b=b: x.flatten(a, b), shape), ("flatten", a, b)
        assert inferred(Transpose(a=a, b=b), *shape) == actual(lambda x, a=a, b=b: x.transpose(a, b), shape), ("transpose", a, b)
        assert inferred(Squeeze(axis=(a, b)), *shape) == actual(lambda x, a=a, b=b: x.squeeze((a, b)), shape), ("squeeze", a, b)
    for a in axes(shape):
        assert inferred(Unsqueeze(axis=a), *shape) == actual(lambda x, a=a: x.unsqueeze(a), shape), ("unsqueeze", a)
        assert inferred(Squeeze(axis=(a,)), *shape) == actual(lambda x, a=a: x.squeeze(a), shape), ("squeeze", a)
    assert inferred(Squeeze(), *shape) == actual(lambda x: x.squeeze(), shape)


def test_permutations_are_those_of_pytorch() -> None:
    for order in [*permutations(range(3)), (0, 1), (0, 1, 1), (0, 1, 3), (-1, 0, 1), (-1, 2, 0), (0, 1, 2, 3)]:
        assert inferred(Permute(axes=order), 2, 3, 4) == actual(lambda x, order=order: x.permute(order), (2, 3, 4)), order


def test_counts_are_those_of_pytorch() -> None:
    for sizes in [s for rank in range(4) for s in product((-1, 1, 2, 3, 4, 6), repeat=rank)]:
        assert inferred(Reshape(shape=sizes), 2, 6) == actual(lambda x, s=sizes: x.reshape(s), (2, 6)), ("reshape", sizes)
        assert inferred(Unflatten(axis=1, sizes=sizes), 2, 6) == actual(lambda x, s=sizes: x.unflatten(1, s), (2, 6)), ("unflatten", sizes)


def test_expansion_is_that_of_pytorch() -> None:
    for sizes in [s for rank in (1, 2, 3) for s in product((-1, 1, 2, 3), repeat=rank)]:
        assert inferred(Expand(shape=sizes), 1, 3) == actual(lambda x, s=sizes: x.expand(s), (1, 3)), sizes


def test_sizes_stay_symbolic() -> None:
    assert inferred(Flatten(), N, T, 4) == (N, 4 * T)
    assert inferred(Reshape(shape=(N, -1)), N, T, 4) == (N, 4 * T)
    assert inferred(Reshape(shape=(N * T, 2, -1)), N, T, 4) == (N * T, 2, 2)
    assert inferred(Reshape(shape=(T, N, 4)), N, T, 4) == (T, N, 4)
    assert inferred(Unflatten(axis=1, sizes=(T, -1)), N, 6 * T) == (N, T, 6)
    assert inferred(Squeeze(), N, T, 1) == (N, T)
    assert inferred(Expand(shape=(N, T, -1)), 1, 1, 8) == (N, T, 8)


def test_what_is_not_known_is_refused() -> None:
    assert refused(Reshape(shape=(N, 4, -1)), N, T, 2) == "unprovable"
    assert refused(Reshape(shape=(N, 8)), N, T, 2) == "unprovable"
    assert refused(Squeeze(axis=(1,)), N, T) == "unprovable"
    assert refused(Expand(shape=(N, 5)), N, T) == "unprovable"


def test_a_forgotten_batch_axis_is_noticed() -> None:
    with pytest.raises(OperatorError) as caught:
        Reshape(shape=(6,)).check_and_infer(OpInputs((TensorType(FLOAT32, (N, 2, 3)),), Facts.empty(), ("x",)))
    assert caught.value.problem.format_help() == ("the batch axis is part of the shape: `[N, 6]`",)
