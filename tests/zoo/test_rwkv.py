"""specs/text/rwkv.net against transformers: a small configuration by number, the published ones by the names and shapes of their
parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, same_parameters, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

PUBLISHED = {
    "rwkv_4_169m": (768, 12),
    "rwkv_4_430m": (1024, 24),
    "rwkv_4_1b5": (2048, 24),
    "rwkv_4_3b": (2560, 32),
    "rwkv_4_7b": (4096, 32),
    "rwkv_4_14b": (5120, 40),
}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"], use_cache=False).logits


def test_small_rwkv(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.RwkvConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2, intermediate_size=72)
    reference = scatter(transformers.RwkvForCausalLM(config))
    check(
        "text/rwkv.net",
        "network",
        reference,
        tokens(96, (1, 9), (1, 1), (3, 24)),
        tmp_path,
        call=logits,
        params=SMALL["rwkv"].params,
    )


@pytest.mark.zoo
def test_rwkv_4_169m(tmp_path: Path) -> None:
    """Without the halving of features after each sixth layer, which keeps float16 in range: it changes the reference's weights."""
    torch.manual_seed(0)
    config = transformers.RwkvConfig(hidden_size=768, num_hidden_layers=12, rescale_every=0)
    reference = scatter(transformers.RwkvForCausalLM(config))
    check("text/rwkv.net", "rwkv_4_169m", reference, tokens(50_277, (1, 16), (2, 5)), tmp_path, call=logits)


@pytest.mark.zoo
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "rwkv_4_169m"])
def test_published_rwkv(name: str) -> None:
    width, depth = PUBLISHED[name]
    with torch.device("meta"):
        config = transformers.RwkvConfig(vocab_size=50_277, hidden_size=width, num_hidden_layers=depth)
        reference = transformers.RwkvForCausalLM(config)
    same_parameters("text/rwkv.net", name, reference)
