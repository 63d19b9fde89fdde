"""Elements by their indices: shapes, element types and refusals equal PyTorch's, over grids of shapes and types."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import inf, nan

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.indexing import FILL, Gather, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, convert_fill_value
from netc.compiler.ops.kinds import InvalidArgument
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, INT64, DType, Shape, TensorType

pytestmark = pytest.mark.filterwarnings("ignore:The reduce argument")

N, T = make_symbol("N"), make_symbol("T")
SHAPES: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3), (3, 2), (1, 3), (2, 1, 3), (2, 3, 2))


def inferred(op: Operator, *types: TensorType) -> TensorType | None:
    try:
        return op.check_and_infer(op.bind_inputs(types, Facts.empty()))[0]
    except OperatorError:
        return None


def actual(function: Callable[..., torch.Tensor], *types: TensorType) -> TensorType | None:
    tensors = [torch.zeros([int(d) for d in t.shape], dtype=getattr(torch, t.dtype.name)) for t in types]  # type: ignore[arg-type]
    try:
        result = function(*tensors)
    except (RuntimeError, IndexError):
        return None
    return TensorType(DTYPES[str(result.dtype).removeprefix("torch.")], tuple(result.shape))


def floats(shape: Shape) -> TensorType:
    return TensorType(FLOAT32, shape)


def indices(shape: Shape, dtype: DType = INT64) -> TensorType:
    return TensorType(dtype, shape)


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_gather_is_that_of_pytorch(axis: int) -> None:
    for x, index in product(SHAPES, SHAPES):
        types = floats(x), indices(index)
        assert inferred(Gather(axis=axis), *types) == actual(lambda a, i: a.gather(axis, i), *types), types


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_is_that_of_pytorch(axis: int) -> None:
    for x, index, src in product(SHAPES, repeat=3):
        types = floats(x), indices(index), floats(src)
        found = inferred(Scatter(axis=axis), *types)
        assert found == actual(lambda a, i, s: a.scatter(axis, i, s), *types), types
        assert inferred(ScatterReduce(axis=axis, reduce="amax"), *types) == found
    for x, index in product(SHAPES, repeat=2):
        types_ = floats(x), indices(index)
        assert inferred(Scatter(axis=axis, value=1), *types_) == actual(lambda a, i: a.scatter(axis, i, 1), *types_), types_


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_index_select_is_that_of_pytorch(axis: int) -> None:
    for x, index in product(SHAPES, SHAPES):
        types = floats(x), indices(index)
        assert inferred(IndexSelect(axis=axis), *types) == actual(lambda a, i: a.index_select(axis, i), *types), types


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_element_types_are_those_of_pytorch(dtype: DType) -> None:
    x, index, other = TensorType(dtype, (2, 3)), indices((2, 3)), indices((2, 3), dtype)
    assert inferred(Gather(axis=1), floats((2, 3)), other) == actual(lambda a, i: a.gather(1, i), floats((2, 3)), other)
    assert inferred(Scatter(axis=1), x, index, x) == actual(lambda a, i, s: a.scatter(1, i, s), x, index, x)
    assert inferred(Scatter(axis=1), floats((2, 3)), index, x) == actual(lambda a, i, s: a.scatter(1, i, s), floats((2, 3)), index, x)
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        wanted = actual(lambda a, i, s, r=reduce: a.scatter_reduce(1, i, s, r), x, index, x)
        assert inferred(ScatterReduce(axis=1, reduce=reduce), x, index, x) == wanted, reduce
    some = indices((2,), dtype)
    assert inferred(IndexSelect(axis=1), floats((2, 3)), some) == actual(lambda a, i: a.index_select(1, i), floats((2, 3)), some)
    assert inferred(OneHot(classes=3), other) == actual(lambda i: F.one_hot(i, 3), other)
    assert inferred(Tril(), x) == actual(torch.tril, x)
    assert inferred(Triu(diagonal=1), x) == actual(lambda a: a.triu(1), x)
    assert inferred(MaskedFill(value=0), floats((2, 3)), other) == actual(lambda a, m: a.masked_fill(m, 0), floats((2, 3)), other)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_values_are_refused_as_pytorch_does(dtype: DType) -> None:
    values = (0, 1, 1.5, -0.5, 127, 128, 255, 256, 40000, 65504, 65505, 2**31 - 1, 2**31, 2**40, 3.4e38, 3.5e38, 1e300, inf, -inf, True)
    values += (-1, -1.0, -255, -256, -200.5, nan)
    x, mask = TensorType(dtype, (2,)), TensorType(DTYPES["bool"], (2,))
    for value in values:
        wanted = actual(lambda a, m, v=value: a.masked_fill(m, v), x, mask)
        assert inferred(MaskedFill(value=value), x, mask) == wanted, value


def test_fill_values() -> None:
    assert [FILL.convert_value(v) for v in (1, 0.5, True, "inf", "-inf", "nan", float("nan"))] == [1, 0.5, True, inf, -inf, nan, nan]
    for value in ("NaN", "x", None, (1,)):
        with pytest.raises(InvalidArgument):
            FILL.convert_value(value)
    assert convert_fill_value("masked_fill", -1.9, INT64) == -1
    assert convert_fill_value("masked_fill", 0.2, DTYPES["bool"]) is True


def test_masked_fill_broadcasts_both() -> None:
    for x, mask in product(SHAPES, SHAPES):
        types = floats(x), TensorType(DTYPES["bool"], mask)
        assert inferred(MaskedFill(value=0), *types) == actual(lambda a, m: a.masked_fill(m, 0), *types), types


def test_what_is_known_of_sizes_is_used() -> None:
    big: Dim = make_symbol("S", lower=4)
    assert inferred(Gather(axis=2), floats((N, big, 3)), indices((N, 4, 9))) == floats((N, 4, 9))
    assert inferred(Gather(axis=2), floats((N, T, 3)), indices((N, 4, 9))) is None
    assert inferred(Gather(axis=1), floats((N, T, 3)), indices((N, big, 3))) == floats((N, big, 3))
    assert inferred(Scatter(axis=1), floats((N, 3)), indices((N, T)), floats((N, T + 1))) == floats((N, 3))
    assert inferred(OneHot(classes=T), indices((N,))) == TensorType(INT64, (N, T))
