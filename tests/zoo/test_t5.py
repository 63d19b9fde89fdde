"""specs/text/t5.net against transformers: a small configuration, and published ones; the whole, the encoder, and the decoder by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/t5.net"
SIZES = {"vocab_size": 96, "d_model": 24, "d_kv": 6, "d_ff": 48, "num_layers": 2, "num_heads": 3}
PARAMS = SMALL["t5"].params
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


def pairs(vocabulary: int, *sizes: tuple[int, int, int]) -> list[Inputs]:
    """Texts, and others of another length that are written after them."""
    given = texts(vocabulary, *((n, length) for n, length, _ in sizes))
    written = tokens(vocabulary, *((n, length) for n, _, length in sizes))
    return [{**batch, "written": after["tokens"].flip(1)} for batch, after in zip(given, written, strict=True)]


def states(vocabulary: int, width: int, *sizes: tuple[int, int, int]) -> list[Inputs]:
    """What is written after any states of an encoder."""
    generator = torch.Generator().manual_seed(2)
    return [
        {"written": b["written"], "states": torch.randn(*b["tokens"].shape, width, generator=generator), "mask": b["mask"]}
        for b in pairs(vocabulary, *sizes)
    ]


def encoded(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"], attention_mask=inputs["mask"].long()).last_hidden_state


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"], attention_mask=inputs["mask"].long(), decoder_input_ids=inputs["written"]).logits


def decoded(reference: torch.nn.Module, inputs: Inputs) -> object:
    found = (inputs["states"],)
    return reference(encoder_outputs=found, attention_mask=inputs["mask"].long(), decoder_input_ids=inputs["written"]).logits


def same_as_shared(name: str) -> bool:
    """The reference's state dict holds the embedding under several names; its checkpoints have it as `shared` alone."""
    return name.endswith(".embed_tokens.weight")


def of_the_encoder(name: str) -> bool:
    """The decoder by itself takes the states of the encoder as its input."""
    return name.startswith("encoder.") or same_as_shared(name)


def test_small(tmp_path: Path) -> None:
    """The longer texts exceed the largest distance that has its own bucket."""
    torch.manual_seed(0)
    reference = scatter(transformers.T5ForConditionalGeneration(transformers.T5Config(**SIZES)))
    batches = pairs(96, (1, 7, 5), (3, 150, 140))
    check(SPEC, "network", reference, batches, tmp_path, call=logits, left_out=same_as_shared, params=PARAMS)
    batches = states(96, 24, (1, 7, 5), (3, 9, 140))
    check(SPEC, "decoder_network", reference, batches, tmp_path, call=decoded, left_out=of_the_encoder, params=PARAMS)


def test_small_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.T5EncoderModel(transformers.T5Config(**SIZES)))
    batches = texts(96, (1, 7), (3, 150))
    check(SPEC, "encoder_network", reference, batches, tmp_path, call=encoded, left_out=same_as_shared, params=PARAMS)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.T5ForConditionalGeneration(transformers.T5Config(**PUBLISHED[name])))
    check(SPEC, name, reference, pairs(32_128, (1, 16, 9), (2, 40, 24)), tmp_path, call=logits, left_out=same_as_shared)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_encoder(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.T5EncoderModel(transformers.T5Config(**PUBLISHED[name])))
    batches = texts(32_128, (1, 16), (2, 40))
    check(SPEC, f"{name}_encoder", reference, batches, tmp_path, call=encoded, left_out=same_as_shared)


@pytest.mark.zoo
def test_published_decoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.T5ForConditionalGeneration(transformers.T5Config()))
    batches = states(32_128, 512, (1, 16, 9), (2, 40, 24))
    check(SPEC, "t5_small_decoder", reference, batches, tmp_path, call=decoded, left_out=of_the_encoder)
