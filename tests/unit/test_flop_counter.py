"""Multiply-adds against PyTorch's own counter, for every example of every operator."""

from __future__ import annotations

import pytest
import torch
from counting import multiply_adds

import netc
from netc.compiler.analysis.model_cost import summarize_costs
from netc.compiler.dims import evaluate_dim
from netc.compiler.ops import Operator
from tests.parity import inputs_for, sizes_of, tensor

UNCOUNTED = {"bilinear", "gradient"}
"""Operators whose products PyTorch's counter does not know, or within which it does not work."""
EXAMPLES = [example for op in Operator.registry.values() if op.name not in UNCOUNTED for example in op.examples]
FURTHER = [
    "input [5, 12] -> dense 7 bias=false",
    "input 4x9x8 -> conv 6 3x2 stride=2 padding=1",
    "input 4x9x8 -> conv 6 3x3 groups=2",
    "input 4x5x6x7 -> conv 2 3 bias=false",
    "input 4x5x6 -> conv_transpose 6 2 stride=2 groups=2",
    "a = input [2, 3, 4]; b = input [2, 4, 5]; a @ b",
    'a = input [3, 4]; b = input [4, 5]; (a, b) -> einsum "nij,njk->nik"',
    "q = input [4, 5, 8]; k = input [2, 7, 8]; v = input [2, 7, 6]; (q, k, v) -> attention",
    "input [T, 8] -> lstm 16 layers=2 proj_size=3",
]


@pytest.mark.share(4)
@pytest.mark.parametrize("text", [*EXAMPLES, *FURTHER])
def test_as_pytorch_counts(text: str) -> None:
    model = netc.compile(text)
    sizes = sizes_of(model)[0]
    arrays = inputs_for(model, sizes)
    module = model.module(seed=0).eval().requires_grad_(False)
    inputs = [tensor(arrays[n], t) for n, t in model.inputs.items()]
    with torch.backends.mkldnn.flags(enabled=False):
        wanted = multiply_adds(lambda: module(*inputs))
    assert evaluate_dim(summarize_costs(model.program).totals.multiply_adds, sizes) == wanted


@pytest.mark.parametrize("text", [*EXAMPLES, *FURTHER])
def test_each_is_two_of_the_operations(text: str) -> None:
    model = netc.compile(text)
    sizes = sizes_of(model)[0]
    totals = summarize_costs(model.program).totals
    assert 2 * evaluate_dim(totals.multiply_adds, sizes) <= evaluate_dim(totals.flops, sizes)


def test_bilinear_multiplies_twice() -> None:
    assert summarize_costs(netc.compile("a = input 3; b = input 4; (a, b) -> bilinear 2").program).totals.multiply_adds == 2 * (3 * 4 + 4)
