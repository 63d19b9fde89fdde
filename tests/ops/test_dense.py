"""Dense layers: the parameters start as PyTorch's."""

import pytest
import torch
from torch import nn

from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.dense import Bilinear, Dense, Embedding
from netc.compiler.ops.operator import OpInputs
from netc.compiler.types.tensor_types import FLOAT32, INT64, TensorType

N = make_symbol("N")


def test_dense_draws_from_the_range_of_pytorch() -> None:
    given = OpInputs((TensorType(FLOAT32, (N, 50)),), Facts.empty(), ("x",))
    weight, bias = Dense(units=200).parameters(given)
    real = nn.Linear(50, 200)
    for spec, tensor in ((weight, real.weight), (bias, real.bias)):
        low, high = spec.init.values
        assert spec.shape == tuple(tensor.shape)
        assert low == -high
        assert 0.9 * high < float(tensor.detach().abs().max()) <= high


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_no_features_leave_the_bias_zero() -> None:
    given = OpInputs((TensorType(FLOAT32, (N, 0)),), Facts.empty(), ("x",))
    _, bias = Dense(units=2).parameters(given)
    assert bias.init.values == (0, 0)
    assert bool((nn.Linear(0, 2).bias == 0).all())


def test_bilinear_counts_the_first_input_alone() -> None:
    given = OpInputs((TensorType(FLOAT32, (N, 20)), TensorType(FLOAT32, (N, 80))), Facts.empty(), ("a", "b"))
    weight, bias = Bilinear(units=100).parameters(given)
    real = nn.Bilinear(20, 80, 100)
    for spec, tensor in ((weight, real.weight), (bias, real.bias)):
        assert spec.shape == tuple(tensor.shape)
        assert 0.9 * spec.init.values[1] < float(tensor.detach().abs().max()) <= spec.init.values[1]


@pytest.mark.parametrize("padding_idx", [0, 3, -1])
def test_the_padding_of_an_embedding_is_zero(padding_idx: int) -> None:
    given = OpInputs((TensorType(INT64, (N, 5)),), Facts.empty(), ("indices",))
    (weight,) = Embedding(num=10, dim=4, padding_idx=padding_idx).parameters(given)
    row = weight.init.zero_row
    zero = (nn.Embedding(10, 4, padding_idx=padding_idx).weight == 0).all(dim=1)
    assert torch.nonzero(zero).flatten().tolist() == [row]
