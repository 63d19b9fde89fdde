"""Which nodes of ONNX the operators become, where one of them does it all, and how it stores their weights."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import netc


def test_initializers_of_recurrent_layers_keep_their_names_and_layout() -> None:
    """PyTorch's weights are stored as they are; the graph puts them into ONNX's order."""
    model = netc.compile("input [T, 5] -> lstm 4 layers=2 bidirectional=true as encoder")
    proto = model.onnx(seed=0, optimize=False)
    stored = {i.name: tuple(i.dims) for i in proto.graph.initializer}
    for name, info in model.parameters.items():
        assert stored[name] == info.shape
    assert [n.op_type for n in proto.graph.node].count("LSTM") == 2


def test_rotary_is_one_node() -> None:
    for text in (
        "input [2, T, 8] -> rotary",
        "input [T, 8] -> rotary dims=4",
        "x = input [2, 8, 4]; at = input [8] int64; (x, at) -> rotary",
    ):
        assert [n.op_type for n in netc.compile(text).onnx().graph.node].count("RotaryEmbedding") == 1


@pytest.mark.parametrize(("size", "products"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4)])
def test_cumulative_products_double(size: int, products: int) -> None:
    proto = netc.compile(f"input [{size}] -> cumprod axis=1").onnx()
    assert [n.op_type for n in proto.graph.node].count("Mul") == products


@pytest.mark.parametrize(
    ("q", "mask", "expands"),
    [
        ([5, 4], [5, 5], 0),
        ([2, 5, 4], [2, 5, 5], 0),
        ([2, 5, 4], [1, 5, 5], 0),
        ([3, 2, 5, 4], [5, 5], 0),
        ([3, 2, 5, 4], [2, 5, 5], 0),
        ([3, 2, 5, 4], [1, 2, 5, 5], 0),
        ([3, 2, 5, 4], [1, 1, 5, 5], 0),
        ([3, 2, 5, 4], [3, 2, 5, 5], 1),  # for each element of the second axis, which is a part of the batch in ONNX
        ([3, 2, 5, 4], [3, 1, 1, 5], 1),
        ([3, 2, 5, 4], [1, 1, 1, 5], 1),  # ONNX Runtime broadcasts no axis of queries
    ],
)
def test_masks_of_attention(q: list[int], mask: list[int], expands: int) -> None:
    """PyTorch is the judge; a mask is expanded only where ONNX Runtime does not broadcast it."""
    model = netc.compile(f"q = input {q}; m = input {mask} batch=false; (q, q, q, m) -> attention")
    assert Counter(node.op_type for node in model.onnx().graph.node)["Expand"] == expands
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, *q, generator=generator), torch.randn(*mask, generator=generator)
    result = torch.from_numpy(model.session()(*(x.numpy() for x in inputs)))
    torch.testing.assert_close(result, model.module()(*inputs), rtol=1e-4, atol=1e-5)
