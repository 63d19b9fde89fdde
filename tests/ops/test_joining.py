"""Joining and dividing: types, sizes and refusals equal PyTorch's."""

from itertools import product

import pytest
import torch

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.joining import Chunk, Concat, Split, Stack
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, TensorType

N, S, T = make_symbol("N"), make_symbol("S"), make_symbol("T")


def of(*shape: Dim) -> TensorType:
    return TensorType(FLOAT32, shape)


def inferred(op: Operator, *types: TensorType) -> tuple[TensorType, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs(types, Facts.empty()))
    except OperatorError:
        return None


def refused(op: Operator, *types: TensorType) -> str:
    with pytest.raises(OperatorError) as caught:
        op.check_and_infer(op.bind_inputs(types, Facts.empty()))
    return caught.value.problem.code


def pieces(op: Operator, *shape: Dim) -> list[Dim] | None:
    found = inferred(op, of(*shape))
    return None if found is None else [t.shape[1] for t in found]


@pytest.mark.parametrize("op", [Concat(axis=0), Stack(axis=0)])
def test_types_are_promoted_as_in_pytorch(op: Operator) -> None:
    join = torch.cat if isinstance(op, Concat) else torch.stack
    for a, b in product(DTYPES, repeat=2):
        found = inferred(op, TensorType(DTYPES[a], (1,)), TensorType(DTYPES[b], (1,)))
        made = join((torch.zeros(1, dtype=getattr(torch, a)), torch.zeros(1, dtype=getattr(torch, b))))
        assert found is not None
        assert f"torch.{found[0].dtype}" == str(made.dtype), (a, b)


def test_pieces_are_those_of_pytorch() -> None:
    for size, n in product(range(1, 12), range(1, 14)):
        x = torch.zeros(2, size)
        assert pieces(Chunk(n=n, axis=1), 2, size) == [c.shape[1] for c in x.chunk(n, 1)], ("chunk", size, n)
        assert pieces(Split(sizes=n, axis=1), 2, size) == [c.shape[1] for c in x.split(n, 1)], ("split", size, n)


def test_sizes_stay_symbolic() -> None:
    assert inferred(Concat(axis=1), of(N, S, 3), of(N, T, 3)) == (of(N, S + T, 3),)
    assert inferred(Stack(axis=-1), of(N, T), of(N, T)) == (of(N, T, 2),)
    assert pieces(Chunk(n=3, axis=1), N, 6 * T) == [2 * T] * 3
    assert pieces(Chunk(n=2, axis=1), N, 2 * T + 1) == [T + 1, T]
    assert pieces(Split(sizes=T, axis=1), N, 3 * T) == [T] * 3
    assert pieces(Split(sizes=(1, T), axis=1), N, T + 1) == [1, T]


def test_what_is_not_known_is_refused() -> None:
    assert refused(Chunk(n=2, axis=1), of(N, T)) == "unprovable"
    assert refused(Split(sizes=2, axis=1), of(N, T)) == "unknown-count"
    assert refused(Split(sizes=(2, 3), axis=1), of(N, T)) == "unprovable"
    assert refused(Concat(axis=1), of(N, 3, T), of(N, 3, S)) == "unprovable"
