"""Random settings in `config.json`: netc uses each one that changes the results, or names it when it refuses the published spec.

The judge is transformers' own model with the same settings and weights. A setting that netc left out by accident would give other numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from model_folders.drawn_settings import (  # noqa: E402
    BERT,
    CLIP,
    DECODER,
    DISTILBERT,
    GPT2,
    MAMBA,
    MISTRAL,
    MIXTRAL,
    QWEN2,
    ROBERTA,
    RWKV,
    T5,
    TEXT_TOWER,
    VISION_TOWER,
    VIT,
    WHISPER,
    Draw,
    draw_settings,
    one_of,
)
from model_folders.written_folders import check_close, draw_tokens, make_module, write_folder  # noqa: E402

from netc.compiler.weights.match_weights import open_weights  # noqa: E402
from netc.importing.folders.config_settings import NotInZoo  # noqa: E402
from netc.importing.folders.import_zoo_family import import_zoo_family  # noqa: E402
from netc.importing.folders.model_folder import read_model_folder  # noqa: E402

Run = Callable[[Any], tuple[tuple[torch.Tensor, ...], dict[str, Any], Callable[[Any], torch.Tensor]]]


def run_clip(module: Any) -> Any:
    text, vision = module.config.text_config, module.config.vision_config
    tokens, images = draw_tokens(3, 11, below=59), torch.randn(2, vision.num_channels, vision.image_size, vision.image_size)
    tokens[:, 8] = text.eos_token_id
    return (tokens, images), {"input_ids": tokens, "pixel_values": images}, lambda results: results.logits_per_image


def run_t5_encoder(module: Any) -> Any:
    source = draw_tokens(2, 21)
    return (source, source >= 0), {"input_ids": source}, lambda results: results.last_hidden_state


def run_decoder(module: Any) -> Any:
    tokens = draw_tokens(2, 21)
    return (tokens,), {"input_ids": tokens, "use_cache": False}, lambda results: results.logits


def run_encoder(module: Any) -> Any:
    tokens = draw_tokens(2, 21)
    mask = torch.ones(2, 21, dtype=torch.bool)
    kinds = [tokens % module.config.type_vocab_size] if module.config.model_type == "bert" else []
    named = {"input_ids": tokens, "attention_mask": mask.long()} | ({"token_type_ids": kinds[0]} if kinds else {})
    return (tokens, *kinds, mask), named, lambda results: results.last_hidden_state


def run_t5(module: Any) -> Any:
    source, written = draw_tokens(2, 21), draw_tokens(2, 9, seed=2)
    named = {"input_ids": source, "decoder_input_ids": written, "use_cache": False}
    return (source, source >= 0, written), named, lambda results: results.logits


def run_whisper(module: Any) -> Any:
    sound, written = torch.randn(2, module.config.num_mel_bins, 2 * module.config.max_source_positions), draw_tokens(2, 9)
    return (sound, written), {"input_features": sound, "decoder_input_ids": written, "use_cache": False}, lambda results: results.logits


def run_vit(module: Any) -> Any:
    size = module.config.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    images = torch.randn(2, module.config.num_channels, height, width)
    return (images,), {"pixel_values": images}, lambda results: results.logits


FAMILIES: dict[str, tuple[Mapping[str, Draw], Run]] = {
    "LlamaForCausalLM": (
        DECODER | {"attention_bias": one_of(True, False), "mlp_bias": one_of(True, False), "pretraining_tp": one_of(1, 2)},
        run_decoder,
    ),
    "MistralForCausalLM": (MISTRAL, run_decoder),
    "Qwen2ForCausalLM": (QWEN2, run_decoder),
    "MixtralForCausalLM": (MIXTRAL, run_decoder),
    "GPT2LMHeadModel": (GPT2, run_decoder),
    "MambaForCausalLM": (MAMBA, run_decoder),
    "RwkvForCausalLM": (RWKV, run_decoder),
    "BertModel": (BERT, run_encoder),
    "RobertaModel": (ROBERTA, run_encoder),
    "DistilBertModel": (DISTILBERT, run_encoder),
    "T5ForConditionalGeneration": (T5, run_t5),
    "T5EncoderModel": (T5, run_t5_encoder),
    "WhisperForConditionalGeneration": (WHISPER, run_whisper),
    "CLIPModel": (CLIP, run_clip),
    "ViTForImageClassification": (VIT, run_vit),
}


@pytest.mark.parametrize("architecture", FAMILIES)
def test_every_setting_of_the_family_is_drawn(architecture: str) -> None:
    """So that a setting that a newer version of transformers adds is thought of."""
    config = getattr(transformers, architecture).config_class
    common = {item.name for item in fields(transformers.PreTrainedConfig)}
    own = {item.name for item in fields(config)} - common | ({"num_labels"} & set(FAMILIES[architecture][0]))
    assert own <= set(FAMILIES[architecture][0])


@pytest.mark.parametrize(("config", "draws"), [("CLIPTextConfig", TEXT_TOWER), ("CLIPVisionConfig", VISION_TOWER)])
def test_every_setting_of_a_tower_is_drawn(config: str, draws: Mapping[str, Draw]) -> None:
    common = {item.name for item in fields(transformers.PreTrainedConfig)}
    assert {item.name for item in fields(getattr(transformers, config))} - common <= set(draws)


def draw_module(architecture: str, rng: random.Random) -> Any:
    """A module with random settings. transformers refuses some combinations, such as heads that do not divide the features."""
    while True:
        settings = draw_settings(FAMILIES[architecture][0], rng, 0.3)
        try:
            return make_module(architecture, settings)
        except Exception:  # it raises whatever the code of the family stumbles on
            continue


@pytest.mark.sample(15)
@pytest.mark.parametrize("architecture", FAMILIES)
@pytest.mark.parametrize("seed", range(12))
def test_random_settings(architecture: str, seed: int, tmp_path: Path) -> None:
    draws, run = FAMILIES[architecture]
    module = draw_module(architecture, random.Random(seed))
    write_folder(module, tmp_path)
    try:
        result = import_zoo_family(read_model_folder(str(tmp_path)), open_weights([str(tmp_path)]), "drawn")
    except NotInZoo as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert any(f"`{name}`" in refused for name in (*draws, *TEXT_TOWER, *VISION_TOWER, "rope_type", "layer_types"))
        return
    arrays = result.tensors if result.tensors is not None else open_weights([str(tmp_path)])
    inputs, named, choose = run(module)
    with torch.no_grad():
        wanted = choose(module(**named))
        found = result.model.module({name: tensor.read() for name, tensor in arrays.items()}).eval()(*inputs)
    check_close(found[0] if isinstance(found, tuple) else found, wanted)
