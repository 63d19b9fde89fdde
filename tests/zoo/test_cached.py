"""specs/llama_cached.net generates what transformers generates: one model for the prompt and for each token after it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from zoo.parity import scatter

import netc

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

PARAMS = {"width": 32, "depth": 3, "heads": 4, "shared_heads": 2, "hidden": 48, "vocabulary": 96}


def test_generation() -> None:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-5,
    )
    reference = scatter(transformers.LlamaForCausalLM(config)).eval()
    prompt = torch.randint(0, 96, (2, 5))
    with torch.no_grad():
        wanted = reference.generate(prompt, max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=None)
    weights = {name: tensor.numpy() for name, tensor in reference.state_dict().items()}
    model = netc.compile_file("specs/llama_cached.net", params=PARAMS)
    session, module = model.session(weights=weights), model.module(weights=weights).eval()
    tokens, text = prompt.numpy(), prompt.numpy()
    cache = [np.zeros((2, 2, 0, 8), np.float32)] * 6
    lists = [tuple(torch.zeros(2, 2, 0, 8) for _ in range(3))] * 2
    for _ in range(12):
        with torch.no_grad():
            logits, *lists = module(torch.from_numpy(tokens), *lists)
        found = list(session(tokens, *cache).values())
        np.testing.assert_allclose(found[0], logits.numpy(), atol=1e-4)
        cache = found[1:]
        tokens = found[0][:, -1:].argmax(-1)
        text = np.concatenate([text, tokens], axis=1)
    assert text.tolist() == wanted.tolist()
