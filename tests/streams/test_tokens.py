"""Texts written token by token: as `generate` of transformers writes them, with the same weights of small models."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netc

pytest.importorskip("transformers")

VOCABULARY, NEW = 300, 40


def llama() -> tuple[Any, netc.Model]:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 48, "intermediate_size": 64}
    theirs = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, rms_norm_eps=1e-5, initializer_range=0.3, **sizes))
    params = {"width": 48, "depth": 2, "heads": 4, "shared_heads": 2, "hidden": 64, "vocabulary": VOCABULARY}
    return theirs, netc.compile_file("specs/text/llama.net", model="network", params=params)


def mistral() -> tuple[Any, netc.Model]:
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 48, "intermediate_size": 64}
    made = MistralConfig(vocab_size=VOCABULARY, rms_norm_eps=1e-5, initializer_range=0.3, sliding_window=8, **sizes)
    params = {"width": 48, "depth": 2, "heads": 4, "shared_heads": 2, "hidden": 64, "vocabulary": VOCABULARY, "window": 8}
    return MistralForCausalLM(made), netc.compile_file("specs/text/mistral.net", model="network", params=params)


def gpt2() -> tuple[Any, netc.Model]:
    from transformers import GPT2Config, GPT2LMHeadModel

    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=128, n_embd=48, n_layer=2, n_head=4, initializer_range=0.3))
    params = {"width": 48, "depth": 2, "heads": 4, "vocabulary": VOCABULARY, "context": 128}
    return theirs, netc.compile_file("specs/text/gpt2.net", model="network", params=params)


FAMILIES = {"llama": llama, "mistral": mistral, "gpt2": gpt2}


def greedy(run: Any, prompt: torch.Tensor, count: int) -> torch.Tensor:
    """The most probable token each time, the prompt as one piece."""
    state, piece = run.begin(), prompt
    tokens = [prompt]
    for _ in range(count):
        results, state = run(state, tokens=piece)
        piece = torch.as_tensor(results["logits"])[:, -1:].argmax(-1)
        tokens.append(piece)
    return torch.cat(tokens, 1)


@pytest.mark.long
@pytest.mark.parametrize("length", [1, 7, 33])
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_those_of_transformers(family: str, length: int) -> None:
    torch.manual_seed(length)
    theirs, model = FAMILIES[family]()
    theirs.eval()
    prompt = torch.randint(0, VOCABULARY, (2, length))
    expected = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    assert expected.shape == (2, length + NEW)
    assert len(set(expected[0].tolist())) > 5  # a text that repeats one token would say little
    kept = {name: value for name, value in theirs.state_dict().items() if name in model.parameters}
    stream = model.stream("T")
    for target in ("module", "session"):
        assert greedy(getattr(stream, target)(kept), prompt, NEW).tolist() == expected.tolist(), target
