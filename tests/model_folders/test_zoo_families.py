"""`netc import FOLDER` of the zoo's families: variants of each, against transformers' own model with the same weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from model_folders.written_folders import SIZES, check_close, draw_tokens, import_folder, make_module, run_onnx, write_folder

GROUPED = {**SIZES, "num_key_value_heads": 2}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 500_000.0,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10_000.0}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2}

DECODERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama": ("LlamaForCausalLM", SIZES, "text/llama.net"),
    "llama grouped": ("LlamaForCausalLM", GROUPED, "text/llama.net"),
    "llama tied": ("LlamaForCausalLM", GROUPED | {"tie_word_embeddings": True, "rms_norm_eps": 1e-3}, "text/llama.net"),
    "llama with wide heads": ("LlamaForCausalLM", GROUPED | {"head_dim": 16, "attention_bias": True}, "text/llama.net"),
    "llama with biases": ("LlamaForCausalLM", SIZES | {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"}, "text/llama.net"),
    "llama 3.1": ("LlamaForCausalLM", GROUPED | {"rope_parameters": LLAMA3}, "text/llama.net"),
    "llama linear": (
        "LlamaForCausalLM",
        SIZES | {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0}},
        "text/llama.net",
    ),
    "llama yarn": ("LlamaForCausalLM", SIZES | {"rope_parameters": YARN}, "text/llama.net"),
    "llama yarn with a scale": (
        "LlamaForCausalLM",
        SIZES | {"rope_parameters": YARN | {"mscale": 0.7, "mscale_all_dim": 0.3, "beta_fast": 8, "truncate": False}},
        "text/llama.net",
    ),
    "mistral": ("MistralForCausalLM", GROUPED | {"sliding_window": 5}, "text/mistral.net"),
    "mistral without a window": ("MistralForCausalLM", GROUPED | {"sliding_window": None, "head_dim": 6}, "text/mistral.net"),
    "qwen2": ("Qwen2ForCausalLM", GROUPED | {"tie_word_embeddings": True}, "text/llama.net"),
    "qwen2 with a window": (
        "Qwen2ForCausalLM",
        GROUPED | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0},
        "text/llama.net",
    ),
    "mixtral": ("MixtralForCausalLM", GROUPED | {"num_local_experts": 3, "sliding_window": 6}, "text/mixtral.net"),
    "gpt2": ("GPT2LMHeadModel", GPT2, "text/gpt2.net"),
    "gpt2 with relu": (
        "GPT2LMHeadModel",
        GPT2 | {"activation_function": "relu", "n_inner": 40, "layer_norm_epsilon": 0.01},
        "text/gpt2.net",
    ),
    "mamba": ("MambaForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 99, "state_size": 4}, "text/mamba.net"),
    "mamba with a rank": (
        "MambaForCausalLM",
        {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 99, "time_step_rank": 5, "conv_kernel": 3, "layer_norm_epsilon": 0.01},
        "text/mamba.net",
    ),
    "rwkv": ("RwkvForCausalLM", {"hidden_size": 32, "num_hidden_layers": 3, "vocab_size": 99, "intermediate_size": 40}, "text/rwkv.net"),
    "rwkv that rescales": (
        "RwkvForCausalLM",
        {"hidden_size": 32, "num_hidden_layers": 4, "vocab_size": 99, "rescale_every": 1},
        "text/rwkv.net",
    ),
}


@pytest.mark.share(5)
@pytest.mark.parametrize("name", DECODERS)
def test_decoder(name: str, tmp_path: Path) -> None:
    """The scores of all positions, in PyTorch and in ONNX Runtime."""
    architecture, settings, spec = DECODERS[name]
    module = make_module(architecture, settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    assert f'use "zoo/{spec}"' in (tmp_path / "out.net").read_text()
    tokens = draw_tokens(2, 23)
    with torch.no_grad():
        wanted = module(tokens, use_cache=False).logits
        check_close(model.module(weights).eval()(tokens), wanted)
    check_close(run_onnx(model, weights, tokens)["logits"], wanted)


BERT: dict[str, Any] = {**SIZES, "hidden_act": "gelu"}
ENCODERS: dict[str, tuple[str, dict[str, Any], Callable[[torch.Tensor], dict[str, torch.Tensor]]]] = {
    "BertModel": ("BertModel", BERT | {"type_vocab_size": 3, "layer_norm_eps": 0.01}, lambda tokens: {"token_type_ids": tokens % 3}),
    "RobertaModel": ("RobertaModel", BERT | {"type_vocab_size": 1, "pad_token_id": 1}, lambda tokens: {}),
    "DistilBertModel": (
        "DistilBertModel",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 99, "max_position_embeddings": 40},
        lambda tokens: {},
    ),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder(name: str, tmp_path: Path) -> None:
    architecture, settings, further = ENCODERS[name]
    module = make_module(architecture, settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    assert "zoo/text/" in (tmp_path / "out.net").read_text()
    tokens = draw_tokens(2, 11)
    mask = torch.arange(11) < torch.tensor([[11], [7]])
    kinds = further(tokens)
    with torch.no_grad():
        wanted = module(input_ids=tokens, attention_mask=mask.long(), **kinds).last_hidden_state
    found = next(iter(run_onnx(model, weights, tokens, *kinds.values(), mask).values()))
    check_close(found[0], wanted[0])
    check_close(found[1, :7], wanted[1, :7])


def test_t5(tmp_path: Path) -> None:
    settings = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 99}
    module = make_module("T5ForConditionalGeneration", settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    source, written = draw_tokens(2, 9), draw_tokens(2, 6, seed=2)
    with torch.no_grad():
        wanted = module(input_ids=source, decoder_input_ids=written).logits
    check_close(run_onnx(model, weights, source, source >= 0, written)["logits"], wanted)


def test_t5_encoder(tmp_path: Path) -> None:
    settings = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 99}
    module = make_module("T5EncoderModel", settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    source = draw_tokens(2, 9)
    with torch.no_grad():
        wanted = module(input_ids=source).last_hidden_state
    check_close(run_onnx(model, weights, source, source >= 0)["last_hidden_state"], wanted)


def test_whisper(tmp_path: Path) -> None:
    parts = {"layers": 2, "attention_heads": 4, "ffn_dim": 48}
    sizes = {f"{part}_{key}": size for part in ("encoder", "decoder") for key, size in parts.items()}
    settings = {"d_model": 32, "vocab_size": 99, "num_mel_bins": 8, "max_source_positions": 20, "max_target_positions": 32}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "begin_suppress_tokens": None}
    module = make_module("WhisperForConditionalGeneration", {**sizes, **settings, **tokens})
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    sound, written = torch.randn(2, 8, 40), draw_tokens(2, 6)
    with torch.no_grad():
        wanted = module(input_features=sound, decoder_input_ids=written).logits
    check_close(run_onnx(model, weights, sound, written)["logits"], wanted)


@pytest.mark.parametrize("classes", [2, 5])
def test_vit(classes: int, tmp_path: Path) -> None:
    """transformers writes the old names of the layers, so the weights are written anew."""
    settings = {key: SIZES[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
    module = make_module("ViTForImageClassification", {**settings, "image_size": 24, "patch_size": 8, "num_labels": classes})
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    assert weights == tmp_path / "out.weights"
    images = torch.randn(2, 3, 24, 24)
    with torch.no_grad():
        wanted = module(images).logits
    check_close(run_onnx(model, weights, images)["logits"], wanted)


def test_clip(tmp_path: Path) -> None:
    sizes = {key: SIZES[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
    text, vision = {**sizes, "vocab_size": 99, "eos_token_id": 98}, {**sizes, "hidden_size": 24, "image_size": 32, "patch_size": 8}
    module = make_module("CLIPModel", {"text_config": text, "vision_config": vision, "projection_dim": 16})
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    tokens, images = draw_tokens(3, 10, below=98), torch.randn(2, 3, 32, 32)
    tokens[:, 7] = 98
    with torch.no_grad():
        wanted = module(input_ids=tokens, pixel_values=images)
    found = run_onnx(model, weights, tokens, images)
    for name in ("logits_per_image", "text_embeds", "image_embeds"):
        check_close(found[name], wanted[name])


def test_the_page_has_every_family() -> None:
    from netc.importing.folders import families
    from netc.importing.folders.zoo_spec import FAMILIES

    page = (Path(__file__).parents[2] / "docs" / "guides" / "model-folder.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| class in `config.json` \| spec \|\n(.*?)\n\n", page, re.DOTALL)
    assert families.__all__
    assert set(re.findall(r"`(\w+)`", table)) == set(FAMILIES)
