"""Measure the scores of `multihead_attention`, which PyTorch's module computes and does not return.

In: the operator, its inputs by name, and its parameters by name. Out: the largest absolute value of the projected queries, keys and values,
and of the scores before masks. Always: the projections are those of `torch.nn.MultiheadAttention`.

    >>> import torch
    >>> measure_scores(MultiheadAttention(heads=1), {"query": torch.ones(1, 2, 4)}, {"in_proj_weight": torch.ones(12, 4)})
    32.0
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from netc.compiler.ops.multihead import MultiheadAttention


def measure_scores(op: MultiheadAttention, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> float:
    """Return the largest absolute value inside of the operator."""
    query = inputs["query"]
    key = inputs.get("key", query)
    sources = {"q": query, "k": key, "v": inputs.get("value", key)}
    features = query.shape[-1]
    projected = {part: _project(part, source, parameters, features) for part, source in sources.items()}
    q, k = (projected[part].reshape(*projected[part].shape[:-1], op.heads, -1).transpose(-3, -2) for part in "qk")
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    return max(float(tensor.abs().max()) for tensor in (*projected.values(), scores) if tensor.numel())


def _project(part: str, source: Tensor, parameters: Mapping[str, Tensor], features: int) -> Tensor:
    index = "qkv".index(part)
    rows = slice(index * features, (index + 1) * features)
    joined, bias = parameters.get("in_proj_weight"), parameters.get("in_proj_bias")
    matrix = parameters[f"{part}_proj_weight"] if joined is None else joined[rows]
    return functional.linear(source, matrix, None if bias is None else bias[rows])
