"""specs/text/t5.net against transformers: a small configuration, and published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, scatter, tokens

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/t5.net"
PUBLISHED = {
    "t5_small": {},
    "t5_base": {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
    "t5_large": {"d_model": 1024, "d_ff": 4096, "num_layers": 24, "num_heads": 16},
}


def texts(vocabulary: int, *sizes: tuple[int, int]) -> list[Inputs]:
    """Texts whose last third is there in the first of the batch only."""
    batches = []
    for batch in tokens(vocabulary, *sizes):
        n, length = batch["tokens"].shape
        batches.append({**batch, "mask": (torch.arange(length) < length - length // 3) | (torch.arange(n) == 0).unsqueeze(1)})
    return batches


def encoded(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"], attention_mask=inputs["mask"].long()).last_hidden_state


def same_as_shared(name: str) -> bool:
    """The reference's state dict holds the embedding under two names; its checkpoints have it as `shared` alone."""
    return name == "encoder.embed_tokens.weight"


def test_small(tmp_path: Path) -> None:
    """The longer texts reach beyond the farthest distance that is told apart."""
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=96, d_model=24, d_kv=6, d_ff=48, num_layers=2, num_heads=3)
    reference = scatter(transformers.T5EncoderModel(config))
    params = {"vocabulary": 96, "width": 24, "depth": 2, "heads": 3, "size": 6, "hidden": 48}
    check(SPEC, "network", reference, texts(96, (1, 7), (3, 150)), tmp_path, call=encoded, left_out=same_as_shared, params=params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.T5EncoderModel(transformers.T5Config(**PUBLISHED[name])))
    check(SPEC, name, reference, texts(32_128, (1, 16), (2, 40)), tmp_path, call=encoded, left_out=same_as_shared)
