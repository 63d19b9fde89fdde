"""Definitions that the modeling file of a folder for transformers contains.

The text of a definition is copied to each file that uses it; netc does not import this module. Always: a definition needs only imports of
such a file, its lines fit there, and two empty lines separate it from the next one.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from transformers import Cache, PreTrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS


def eager_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Attention in plain operations, which also returns the weights.

    query: [N, heads, T, E], key: [N, key_heads, S, E], value: [N, key_heads, S, F]
    -> [N, T, heads, F], [N, heads, T, S].
    """
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = F.dropout(weights, dropout, module.training)
    return (weights @ value).transpose(1, 2), weights


class AttentionFunction(nn.Module):
    """Attention by the implementation that the configuration names. With a cache, it includes earlier keys and values.

    query: [N, heads, T, E], key: [N, key_heads, T, E], value: [N, key_heads, T, F]
    -> [N, heads, T, F], and the weights if the implementation returns them.
    """

    config: PreTrainedConfig
    layer_idx: int

    def __init__(
        self,
        groups: int = 1,
        is_causal: bool = True,
        scaling: float | None = None,
        dropout: float = 0.0,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.num_key_value_groups = groups
        self.is_causal = is_causal
        self.scaling = scaling
        self.dropout = dropout
        self.sliding_window = window

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        output, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.dropout if self.training else 0.0,
            scaling=query.shape[-1] ** -0.5 if self.scaling is None else self.scaling,
            sliding_window=self.sliding_window,
            **kwargs,
        )
        # Implementations may join the axes of heads and features.
        samples, heads, length = query.shape[:3]
        return output.reshape(samples, length, heads, value.shape[-1]).transpose(1, 2), weights
