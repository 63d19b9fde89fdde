"""std/rotary.net against the rotary embeddings of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netc

transformers = pytest.importorskip("transformers", reason="the reference of std/rotary.net is transformers")

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "rope_theta": 10_000.0}
CASES: dict[str, dict[str, Any]] = {
    "rotary base=500": {"rope_type": "default", "rope_theta": 500.0},
    "linear_rotary 2.5 base=500": {"rope_type": "linear", "factor": 2.5, "rope_theta": 500.0},
    "llama3_rotary 8 1 4 64": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 500_000.0,
    },
    "llama3_rotary 3 2 9 1000 base=100": {
        "rope_type": "llama3",
        "factor": 3.0,
        "low_freq_factor": 2.0,
        "high_freq_factor": 9.0,
        "original_max_position_embeddings": 1000,
        "rope_theta": 100.0,
    },
    "yarn_rotary 4 32": YARN,
    "yarn_rotary 0.5 32": YARN | {"factor": 0.5},
    "yarn_rotary 4 256 base=1000 fast=16 slow=2": YARN
    | {"original_max_position_embeddings": 256, "rope_theta": 1000.0, "beta_fast": 16, "beta_slow": 2},
    "yarn_rotary 4 256 scale=1.5 round=false": YARN | {"original_max_position_embeddings": 256, "attention_factor": 1.5, "truncate": False},
}


@pytest.mark.parametrize("stage", CASES)
def test_rotates_as_transformers_does(stage: str) -> None:
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    config = transformers.LlamaConfig(hidden_size=64, num_attention_heads=2, head_dim=32, rope_parameters=CASES[stage])
    x = torch.randn(2, 3, 50, 32, generator=torch.Generator().manual_seed(0))
    cosine, sine = LlamaRotaryEmbedding(config)(x, torch.arange(50)[None])
    wanted, _ = apply_rotary_pos_emb(x, x, cosine, sine)
    found = netc.compile(f'use "std/rotary.net"\ninput [3, T, 32] -> {stage}').module()(x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
