"""specs/text/llama.net, mistral.net and mixtral.net against transformers: small configurations by number, the published ones, which no
small machine holds, by the names and shapes of their parameters and by multiply-adds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, same_cost, same_parameters, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
}
LLAMA2_70B = {
    "hidden_size": 8192,
    "intermediate_size": 28_672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}
LLAMA3_8B = {"vocab_size": 128_256, "intermediate_size": 14_336, "num_key_value_heads": 8}
PUBLISHED = {
    "llama_7b": {},
    "llama2_7b": {},
    "llama2_13b": {"hidden_size": 5120, "intermediate_size": 13_824, "num_hidden_layers": 40, "num_attention_heads": 40},
    "llama2_70b": LLAMA2_70B,
    "llama3_8b": LLAMA3_8B,
    "llama3_70b": {**LLAMA2_70B, "vocab_size": 128_256},
}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"]).logits


@pytest.mark.long
@pytest.mark.parametrize("base", [10_000, 500_000])
def test_small_llama(base: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(**SIZES, rope_parameters={"rope_type": "default", "rope_theta": float(base)})
    reference = scatter(transformers.LlamaForCausalLM(config))
    params = {**SMALL["llama"].params, "base": base}
    check("text/llama.net", "network", reference, tokens(96, (1, 7), (3, 24)), tmp_path, call=logits, params=params)


@pytest.mark.long
def test_small_mistral(tmp_path: Path) -> None:
    """The longer texts go beyond the window, the shorter do not fill it."""
    torch.manual_seed(0)
    reference = scatter(transformers.MistralForCausalLM(transformers.MistralConfig(**SIZES, sliding_window=8)))
    check("text/mistral.net", "network", reference, tokens(96, (1, 5), (3, 24)), tmp_path, call=logits, params=SMALL["mistral"].params)


@pytest.mark.long
def test_small_mixtral(tmp_path: Path) -> None:
    """Of 4 experts, each token takes 2. PyTorch counts the multiply-adds of the slow implementation only."""
    torch.manual_seed(0)
    config = transformers.MixtralConfig(**SIZES, num_local_experts=4, num_experts_per_tok=2)
    reference = scatter(transformers.MixtralForCausalLM(config))
    reference.set_experts_implementation("eager")
    params = {**SMALL["mixtral"].params, "base": 1_000_000}
    check("text/mixtral.net", "network", reference, tokens(96, (1, 1), (3, 24)), tmp_path, call=logits, params=params)


def same_on_meta(spec: str, model: str, kind: str, sizes: dict[str, int]) -> None:
    with torch.device("meta"):
        reference = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**sizes))
    same_cost(same_parameters(spec, model, reference), reference, tokens(96, (1, 16))[0], logits)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_llama(name: str) -> None:
    same_on_meta("text/llama.net", name, "Llama", PUBLISHED[name])


MIXTRALS = {
    "mixtral_8x7b": {},
    "mixtral_8x22b": {"hidden_size": 6144, "num_hidden_layers": 56, "num_attention_heads": 48, "intermediate_size": 16_384},
}


@pytest.mark.parametrize("name", MIXTRALS)
def test_published_mixtral(name: str) -> None:
    with torch.device("meta"):
        reference = transformers.MixtralForCausalLM(transformers.MixtralConfig(**MIXTRALS[name]))
    same_parameters("text/mixtral.net", name, reference)


@pytest.mark.long
def test_published_mistral() -> None:
    same_on_meta("text/mistral.net", "mistral_7b", "Mistral", {})
