"""Folders of small networks for the tests, and the same networks in transformers.

Each reference of transformers has random weights, from which netc writes a folder. So the reference judges everything that the folder's own
classes compute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.utils import logging

import netc

SPECS = Path(__file__).parents[2] / "specs"
VOCABULARY = 99


def draw_weights(model: PreTrainedModel) -> PreTrainedModel:
    """Draw all parameters, so that no norm is 1 and no bias 0."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale + (parameter.dim() == 1 and "norm" in name))
    return model.eval()


def make_llama(**changes: Any) -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = LlamaConfig(vocab_size=VOCABULARY, rms_norm_eps=1e-5, **{**sizes, **special, **changes})
    return draw_weights(LlamaForCausalLM(config))


def make_gpt2() -> PreTrainedModel:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=0
    )
    return draw_weights(GPT2LMHeadModel(config))


def compile_llama(**changes: Any) -> netc.Model:
    sizes = {"width": 32, "depth": 2, "heads": 4, "shared_heads": 2, "hidden": 48, "vocabulary": VOCABULARY}
    return netc.compile_file(SPECS / "text/llama.net", model="network", params={**sizes, **changes})


def compile_gpt2() -> netc.Model:
    sizes = {"width": 32, "depth": 2, "heads": 4, "vocabulary": VOCABULARY, "context": 64}
    return netc.compile_file(SPECS / "text/gpt2.net", model="network", params=sizes)


def save_folder(model: netc.Model, reference: PreTrainedModel, folder: Path) -> Path:
    """Write the folder of a network with the weights of the reference, next to the reference's own folder."""
    logging.disable_progress_bar()
    checkpoint = folder / "reference"
    reference.save_pretrained(checkpoint)
    model.save_for("transformers", folder / "netc", checkpoint)
    return folder / "netc"
