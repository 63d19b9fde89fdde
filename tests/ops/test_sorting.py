"""Order along an axis: types and refusals equal PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch

import netc
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.ops.sorting import Argsort, Sort, Topk
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, TensorType

SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (2, 3), (4, 1, 2))


def inferred(op: Operator, type_: TensorType) -> tuple[TensorType, ...] | None:
    try:
        return op.check_and_infer(op.bind_inputs((type_,), Facts.empty()))
    except OperatorError:
        return None


def actual(function: Callable[[torch.Tensor], Any], type_: TensorType) -> tuple[TensorType, ...] | None:
    try:
        found = function(torch.zeros([int(d) for d in type_.shape], dtype=getattr(torch, type_.dtype.name)))  # type: ignore[arg-type]
    except (RuntimeError, IndexError):
        return None
    results = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    return tuple(TensorType(DTYPES[str(y.dtype).removeprefix("torch.")], tuple(y.shape)) for y in results)


def test_types_are_those_of_pytorch() -> None:
    for shape, dtype in product(SHAPES, DTYPES.values()):
        x = TensorType(dtype, shape)
        assert inferred(Topk(k=1), x) == actual(lambda a: a.topk(1), x), x
        assert inferred(Sort(), x) == actual(torch.sort, x), x
        assert inferred(Argsort(descending=True), x) == actual(torch.argsort, x), x


def test_axes_and_counts_are_those_of_pytorch() -> None:
    for shape, axis, k in product(SHAPES, range(-4, 4), range(1, 5)):
        x = TensorType(FLOAT32, shape)
        assert inferred(Topk(k=k, axis=axis), x) == actual(lambda a, k=k, d=axis: a.topk(k, d), x), (x, axis, k)
        assert inferred(Sort(axis=axis), x) == actual(lambda a, d=axis: a.sort(d), x), (x, axis)
        assert inferred(Argsort(axis=axis), x) == actual(lambda a, d=axis: a.argsort(d), x), (x, axis)


def test_as_many_as_there_surely_are() -> None:
    t, long = make_symbol("T"), make_symbol("L", lower=3)
    assert inferred(Topk(k=3), TensorType(FLOAT32, (t,))) is None
    found = inferred(Topk(k=3), TensorType(FLOAT32, (long,)))
    assert found is not None
    assert found[0].shape == (3,)
    found = inferred(Topk(k=t // 2 + 1), TensorType(FLOAT32, (t,)))
    assert found is not None
    assert found[0].shape == (t // 2 + 1,)


def test_onnx_orders_infinities_and_what_is_equal_as_pytorch() -> None:
    # ONNX does not say where NaN goes, and versions of ONNX Runtime differ in it
    model = netc.compile("x = input [9]; (values, places) = x -> sort descending=true stable=true; out values, places")
    x = torch.tensor([[1, 0.0, 3, -float("inf"), 3, float("inf"), -2, 1, 0.0]])
    found = model.session()(x=x)
    values, places = model.module()(x)
    np.testing.assert_array_equal(np.asarray(found["values"]), values.numpy())
    np.testing.assert_array_equal(np.asarray(found["places"]), places.numpy())
