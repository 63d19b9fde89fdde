"""Normalizations: the parameters and buffers equal the ones of PyTorch's modules."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

import netc
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from netc.compiler.ops.operator import Operator, OpInputs, ParameterSpec
from netc.compiler.types.tensor_types import DTYPES, TensorType

N = make_symbol("N")

PAIRS: list[tuple[Operator, Callable[..., nn.Module]]] = [
    (BatchNorm(), lambda **k: nn.BatchNorm2d(6, **k)),
    (BatchNorm(affine=False), lambda **k: nn.BatchNorm2d(6, affine=False, **k)),
    (BatchNorm(bias=False), lambda **k: nn.BatchNorm2d(6, bias=False, **k)),
    (BatchNorm(track_running_stats=False), lambda **k: nn.BatchNorm2d(6, track_running_stats=False, **k)),
    (InstanceNorm(), lambda **k: nn.InstanceNorm2d(6, **k)),
    (InstanceNorm(affine=True), lambda **k: nn.InstanceNorm2d(6, affine=True, **k)),
    (InstanceNorm(track_running_stats=True), lambda **k: nn.InstanceNorm2d(6, track_running_stats=True, **k)),
    (GroupNorm(groups=3), lambda **k: nn.GroupNorm(3, 6, **k)),
    (GroupNorm(groups=3, affine=False), lambda **k: nn.GroupNorm(3, 6, affine=False, **k)),
    (LayerNorm(), lambda **k: nn.LayerNorm(5, **k)),
    (LayerNorm(bias=False), lambda **k: nn.LayerNorm(5, bias=False, **k)),
    (LayerNorm(shape=(4, 5)), lambda **k: nn.LayerNorm((4, 5), **k)),
    (LayerNorm(affine=False), lambda **k: nn.LayerNorm(5, elementwise_affine=False, **k)),
    (RMSNorm(), lambda **k: nn.RMSNorm(5, **k)),
]


def first_value(spec: ParameterSpec) -> float:
    assert not spec.init.values
    return {"zeros": 0.0, "ones": 1.0}[spec.init.kind]


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize(("op", "make"), PAIRS, ids=[repr(op) for op, _ in PAIRS])
def test_state_is_that_of_pytorch(op: Operator, make: Callable[..., nn.Module], dtype: str) -> None:
    given = OpInputs((TensorType(DTYPES[dtype], (N, 6, 4, 5)),), Facts.empty(), ("x",))
    op.check_and_infer(given)
    specs = op.parameters(given)
    state = make(dtype=getattr(torch, dtype)).state_dict()
    assert [spec.name for spec in specs] == list(state)
    for spec, tensor in zip(specs, state.values(), strict=True):
        assert spec.shape == tuple(tensor.shape)
        assert f"torch.{spec.dtype}" == str(tensor.dtype)
        assert bool((tensor == first_value(spec)).all())


@pytest.mark.parametrize(
    "text", ["input 3x4 -> batch_norm momentum=none", "(input 3x4, param [3] init=ones as w) -> batch_norm momentum=none"]
)
def test_statistics_without_momentum_are_the_mean_of_all(text: str) -> None:
    ours, theirs = netc.compile(text).module(), nn.BatchNorm1d(3, momentum=None)
    for step in range(3):
        x = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(step)) * (step + 1) + 7
        assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    for name, value in theirs.named_buffers():
        assert torch.equal(ours.get_buffer(f"batch_norm1.{name}"), value)
