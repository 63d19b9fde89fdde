"""Importing mixtures of experts of transformers, whose default sorts tokens by their experts."""

from __future__ import annotations

import pytest
import torch
from frontends.written import Of
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

import netc


@pytest.mark.long
def test_experts_are_read_by_token_and_the_model_stays_as_it_was() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "moe_intermediate_size": 8, "head_dim": 8, "vocab_size": 99}
    config = Qwen3MoeConfig(
        **sizes, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, num_experts=4, num_experts_per_tok=2, pad_token_id=0
    )
    model = Qwen3MoeForCausalLM(config).eval()
    before = model.get_experts_implementation()
    module = Of(lambda m, ids: m.inner(ids, use_cache=False).logits, inner=model)
    text = netc.from_torch(module, torch.randint(3, 99, (2, 7)), {0: ["N", "T"]}).spec()
    assert "topk" in text
    assert model.get_experts_implementation() == before
