"""specs/text/clip.net against transformers: a small configuration at two sizes of image, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, images, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SPEC = "text/clip.net"
END = 49_407
LARGE = {
    "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "projection_dim": 768},
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "projection_dim": 768,
}
PUBLISHED = {
    "clip_base_32": {},
    "clip_base_16": {"vision_config": {"patch_size": 16}},
    "clip_large_14": LARGE,
    "clip_large_14_336": {**LARGE, "vision_config": {**LARGE["vision_config"], "image_size": 336}},
}


def pairs(vocabulary: int, end: int, size: int, *counts: tuple[int, int, int]) -> list[Inputs]:
    """Texts with the end token at different positions, also as the last token, with a similar token before it; and images of that size."""
    batches = []
    for count, length, pictures in counts:
        texts = tokens(vocabulary, (count, length))[0]["tokens"]
        texts[texts == end] = 0
        texts[:, 0] = end - 1
        texts[torch.arange(count), torch.arange(count) % (length - 2) + 1] = end
        texts[:, -1] = end
        batches.append({"tokens": texts, "pictures": images((pictures, size, size))[0]["input"]})
    return batches


def all_results(reference: torch.nn.Module, inputs: Inputs) -> object:
    out = reference(input_ids=inputs["tokens"], pixel_values=inputs["pictures"])
    return out.logits_per_image, out.logits_per_text, out.text_embeds, out.image_embeds


@pytest.mark.parametrize("size", [32, 48])
def test_small(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    text = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 72, "projection_dim": 20}
    image = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80, "projection_dim": 20}
    config = transformers.CLIPConfig(
        text_config={**text, "vocab_size": 96, "max_position_embeddings": 16, "eos_token_id": 95, "bos_token_id": 94},
        vision_config={**image, "image_size": size, "patch_size": 8},
        projection_dim=20,
    )
    reference = scatter(transformers.CLIPModel(config))
    params = {**SMALL["clip"].params, "size": size}
    check(SPEC, "network", reference, pairs(96, 95, size, (1, 7, 1), (3, 16, 2)), tmp_path, call=all_results, params=params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.CLIPModel(transformers.CLIPConfig(**PUBLISHED[name])))
    size = reference.config.vision_config.image_size
    check(SPEC, name, reference, pairs(END, END, size, (1, 16, 1), (3, 77, 2)), tmp_path, call=all_results)
