"""specs/text/whisper.net against transformers: a small configuration, the smallest published one, and of the larger ones the names
and shapes of their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, same_cost, same_parameters, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/whisper.net"
LARGER = {
    "whisper_base": (512, 6, 8, {}),
    "whisper_small": (768, 12, 12, {}),
    "whisper_medium": (1024, 24, 16, {}),
    "whisper_large_v2": (1280, 32, 20, {}),
    "whisper_large_v3": (1280, 32, 20, {"num_mel_bins": 128, "vocab_size": 51_866}),
}


def spoken(bins: int, frames: int, vocabulary: int, *sizes: tuple[int, int]) -> list[Inputs]:
    """Noise, and a text of any words."""
    generator = torch.Generator().manual_seed(0)
    return [{"sound": torch.randn(n, bins, frames, generator=generator), **tokens(vocabulary, (n, length))[0]} for n, length in sizes]


def sizes_of(depth: int, heads: int, hidden: int) -> dict[str, int]:
    """Those that the encoder and the decoder have in common."""
    one = {"layers": depth, "attention_heads": heads, "ffn_dim": hidden}
    return {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in one.items()}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_features=inputs["sound"], decoder_input_ids=inputs["tokens"]).logits


def test_small(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        **sizes_of(2, 3, 72), d_model=24, num_mel_bins=10, max_source_positions=20, max_target_positions=32, vocab_size=51_865
    )
    reference = scatter(transformers.WhisperForConditionalGeneration(config))
    check(SPEC, "network", reference, spoken(10, 40, 51_865, (1, 7), (3, 16)), tmp_path, call=logits, params=SMALL["whisper"].params)


@pytest.mark.zoo
def test_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.WhisperForConditionalGeneration(transformers.WhisperConfig()))
    check(SPEC, "whisper_tiny", reference, spoken(80, 3000, 51_865, (1, 7), (2, 16)), tmp_path, call=logits)


@pytest.mark.zoo
@pytest.mark.parametrize("name", LARGER)
def test_larger(name: str) -> None:
    width, depth, heads, others = LARGER[name]
    config = transformers.WhisperConfig(**sizes_of(depth, heads, 4 * width), d_model=width, **others)
    with torch.device("meta"):
        reference = transformers.WhisperForConditionalGeneration(config)
    inputs = spoken(reference.config.num_mel_bins, 3000, 51_865, (1, 16))[0]
    same_cost(same_parameters(SPEC, name, reference), reference, inputs, logits)
