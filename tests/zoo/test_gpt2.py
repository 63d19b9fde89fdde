"""specs/text/gpt2.net against transformers: a small configuration, the smallest published one, and of the larger ones the names
and shapes of their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, same_cost, same_parameters, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/gpt2.net"
LARGER = {
    "gpt2_medium": {"n_embd": 1024, "n_layer": 24, "n_head": 16},
    "gpt2_large": {"n_embd": 1280, "n_layer": 36, "n_head": 20},
    "gpt2_xl": {"n_embd": 1600, "n_layer": 48, "n_head": 25},
}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"]).logits


def test_small(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 96, "n_positions": 32, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 72}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    reference = scatter(transformers.GPT2LMHeadModel(config))
    check(SPEC, "network", reference, tokens(96, (1, 7), (3, 16)), tmp_path, call=logits, params=SMALL["gpt2"].params)


@pytest.mark.zoo
def test_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.GPT2LMHeadModel(transformers.GPT2Config()))
    check(SPEC, "gpt2", reference, tokens(50_257, (1, 16), (2, 40)), tmp_path, call=logits)


@pytest.mark.zoo
@pytest.mark.parametrize("name", LARGER)
def test_larger(name: str) -> None:
    with torch.device("meta"):
        reference = transformers.GPT2LMHeadModel(transformers.GPT2Config(**LARGER[name]))
    same_cost(same_parameters(SPEC, name, reference), reference, tokens(50_257, (1, 16))[0], logits)
