"""Sparse tensors of ONNX files: initializers and constants, with both kinds of indices. ONNX Runtime is the judge."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import helper, numpy_helper

from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model


def make_sparse(values: np.ndarray, indices: np.ndarray, shape: tuple[int, ...]) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(numpy_helper.from_array(values, "w"), numpy_helper.from_array(indices, "i"), list(shape))


def make_model(sparse: onnx.SparseTensorProto, *, is_constant: bool) -> onnx.ModelProto:
    product = node("MatMul", ["x", "w"], ["y"])
    made = model([node("Constant", [], ["w"], sparse_value=sparse), product] if is_constant else [product], {"x": ["N", 4]}, ["y"])
    made.graph.sparse_initializer.extend([] if is_constant else [sparse])
    return made


@pytest.mark.parametrize("is_constant", [True, False])
@pytest.mark.parametrize("is_linear", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_numbers_and_their_places(share: float, is_linear: bool, is_constant: bool) -> None:
    generator = np.random.default_rng(0)
    dense = generator.normal(size=(4, 3)).astype(np.float32) * (generator.random((4, 3)) < share)
    dense[1, 2] = 3.0
    places = np.argwhere(dense)
    indices = places[:, 0] * 3 + places[:, 1] if is_linear else places
    made = make_model(make_sparse(dense[dense != 0], indices, (4, 3)), is_constant=is_constant)
    same(made)
    np.testing.assert_array_equal(next(iter(from_model(made).weights.values())).T, dense)


@pytest.mark.parametrize(
    ("indices", "shape", "why"),
    [
        ([12], (4, 3), "outside of its shape"),
        ([-1], (4, 3), "outside of its shape"),
        ([[4, 0]], (4, 3), "outside of its shape"),
        ([0, 1], (4, 3), "of 1 numbers with indices of shape"),
        ([[0, 1, 2]], (4, 3), "of 1 numbers with indices of shape"),
        ([0], (4, 2**40), "MiB if it is dense"),
        ([0], (-4, 3), "is damaged"),
    ],
)
@pytest.mark.parametrize("is_constant", [True, False])
def test_damaged_tensors(indices: list[int], shape: tuple[int, ...], why: str, is_constant: bool) -> None:
    sparse = make_sparse(np.ones(1, np.float32), np.array(indices), shape)
    with pytest.raises(ImportFailed) as caught:
        from_model(make_model(sparse, is_constant=is_constant))
    assert why in "; ".join(obstacle.why for obstacle in caught.value.obstacles)
