"""specs/text/whisper.net against transformers: a small configuration, and the smallest published one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, scatter, tokens

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/whisper.net"


def spoken(bins: int, frames: int, vocabulary: int, *sizes: tuple[int, int]) -> list[Inputs]:
    """Noise, and a text of any words."""
    generator = torch.Generator().manual_seed(0)
    return [{"sound": torch.randn(n, bins, frames, generator=generator), **tokens(vocabulary, (n, length))[0]} for n, length in sizes]


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_features=inputs["sound"], decoder_input_ids=inputs["tokens"]).logits


def test_small(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = {f"{part}_layers": 2 for part in ("encoder", "decoder")}
    heads = {f"{part}_attention_heads": 3 for part in ("encoder", "decoder")}
    hidden = {f"{part}_ffn_dim": 72 for part in ("encoder", "decoder")}
    config = transformers.WhisperConfig(
        **layers, **heads, **hidden, d_model=24, num_mel_bins=10, max_source_positions=20, max_target_positions=32, vocab_size=51_865
    )
    reference = scatter(transformers.WhisperForConditionalGeneration(config))
    params = {"width": 24, "depth": 2, "heads": 3, "hidden": 72, "bins": 10, "frames": 40, "context": 32}
    check(SPEC, "network", reference, spoken(10, 40, 51_865, (1, 7), (3, 16)), tmp_path, call=logits, params=params)


@pytest.mark.zoo
def test_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.WhisperForConditionalGeneration(transformers.WhisperConfig()))
    check(SPEC, "whisper_tiny", reference, spoken(80, 3000, 51_865, (1, 7), (2, 16)), tmp_path, call=logits)
