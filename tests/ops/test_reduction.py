"""Reductions: element types, shapes and refusals equal PyTorch's, over axes, types and ranks."""

from itertools import product

import pytest
import torch

import netc
from netc.compiler.backends.torch import BACKEND
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.ops.reduction import (
    All,
    Any,
    Argmax,
    Argmin,
    Cumsum,
    Logsumexp,
    Max,
    Mean,
    Min,
    Norm,
    OverAxes,
    OverAxis,
    Prod,
    Reduction,
    Std,
    Sum,
    Var,
)
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, TensorType

pytestmark = pytest.mark.filterwarnings("ignore:.*degrees of freedom")

MANY: tuple[type[OverAxes], ...] = (Mean, Sum, Var, Std, Logsumexp, Any, All)
ONE: tuple[type[OverAxis], ...] = (Prod, Argmax, Argmin)
EVERY: tuple[type[Reduction], ...] = (*MANY, *ONE, Norm)
SHAPES = ((), (2,), (2, 3), (2, 3, 4))


def inferred(op: Operator, type: TensorType) -> tuple[TensorType, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((type,), Facts.empty()))
    except OperatorError:
        return None


def actual(function: object, type: TensorType, **options: object) -> tuple[TensorType, ...] | None:
    x = torch.ones([int(d) for d in type.shape], dtype=getattr(torch, type.dtype.name))  # type: ignore[arg-type]
    try:
        found = function(x, **options)  # type: ignore[operator]
    except (RuntimeError, IndexError, TypeError):
        return None
    found = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    return tuple(TensorType(DTYPES[str(y.dtype).removeprefix("torch.")], tuple(y.shape)) for y in found)


def function_of(kind: type[Operator]) -> object:
    return eval(BACKEND.operator_target(kind).partition(",")[0], {"torch": torch})


@pytest.mark.parametrize("kind", EVERY)
def test_types(kind: type[Reduction]) -> None:
    for dtype in DTYPES.values():
        x = TensorType(dtype, (2, 3))
        axis = (1,) if issubclass(kind, OverAxes) else 1
        assert inferred(kind(axis=axis), x) == actual(function_of(kind), x, dim=1), dtype


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("keepdim", [False, True])
def test_one_axis(kind: type[Reduction], keepdim: bool) -> None:
    for shape, axis in product(SHAPES, range(-4, 4)):
        x = TensorType(FLOAT32, shape)
        op = kind(axis=(axis,) if issubclass(kind, OverAxes) else axis, keepdim=keepdim)
        assert inferred(op, x) == actual(function_of(kind), x, dim=axis, keepdim=keepdim), (shape, axis)


@pytest.mark.parametrize("kind", [*MANY, Norm])
@pytest.mark.parametrize("keepdim", [False, True])
def test_several_axes(kind: type[Reduction], keepdim: bool) -> None:
    for shape, axes in product(SHAPES, product(range(-3, 3), repeat=2)):
        x = TensorType(FLOAT32, shape)
        assert inferred(kind(axis=axes, keepdim=keepdim), x) == actual(function_of(kind), x, dim=axes, keepdim=keepdim), (shape, axes)


@pytest.mark.parametrize("kind", EVERY)
def test_no_axis(kind: type[Reduction]) -> None:
    for shape in SHAPES:
        x = TensorType(FLOAT32, shape)
        every = {"dim": tuple(range(len(shape))) or 0} if kind is Logsumexp else {}
        assert inferred(kind(), x) == actual(function_of(kind), x, **every), shape


@pytest.mark.parametrize("kind", [Max, Min])
def test_extremes_tell_places_along_one_axis(kind: type[OverAxes]) -> None:
    for shape, axis, dtype in product(SHAPES, range(-4, 4), DTYPES.values()):
        x = TensorType(dtype, shape)
        assert inferred(kind(axis=(axis,)), x) == actual(function_of(kind), x, dim=axis), (x, axis)
        assert inferred(kind(), x) == actual(function_of(kind), x)
    several = inferred(kind(axis=(1, 2)), TensorType(FLOAT32, (2, 3, 4)))
    assert several == (TensorType(FLOAT32, (2,)),)


def test_cumsum() -> None:
    for shape, axis, dtype in product(SHAPES, range(-4, 4), DTYPES.values()):
        x = TensorType(dtype, shape)
        assert inferred(Cumsum(axis=axis), x) == actual(torch.cumsum, x, dim=axis), (x, axis)


def test_symbolic_axes_stay() -> None:
    n, t = make_symbol("N"), make_symbol("T")
    assert inferred(Mean(axis=(1,), keepdim=True), TensorType(FLOAT32, (n, t, 8))) == (TensorType(FLOAT32, (n, 1, 8)),)
    assert inferred(Sum(axis=(-1,)), TensorType(FLOAT32, (n, t, 8))) == (TensorType(FLOAT32, (n, t)),)


@pytest.mark.parametrize("keepdim", ["false", "true"])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "any", "all"])
def test_of_no_elements(name: str, keepdim: str) -> None:
    model = netc.compile(f"input [T, 4] where T >= 0 -> {name} axis=1 keepdim={keepdim}")
    for size in (0, 1, 5):
        x = torch.randn(2, size, 4, generator=torch.Generator().manual_seed(size)).clamp(min=0)
        wanted = getattr(torch, name)(x, 1, keepdim=keepdim == "true")
        torch.testing.assert_close(model.module()(x), wanted, equal_nan=True)
        torch.testing.assert_close(torch.from_numpy(model.session()(x.numpy()).copy()), wanted, equal_nan=True)
