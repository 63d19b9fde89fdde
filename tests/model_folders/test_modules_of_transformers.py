"""Families and settings that the zoo does not have, by the module of transformers, which is also the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from model_folders.written_folders import (  # noqa: E402
    SIZES,
    check_close,
    draw_tokens,
    import_folder,
    make_module,
    run_cli,
    run_onnx,
    write_folder,
)
from safetensors.torch import load_file  # noqa: E402

GROUPED = {**SIZES, "num_key_value_heads": 2}
PICTURE = {key: SIZES[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("Qwen3ForCausalLM", GROUPED | {"head_dim": 8}),
    "gemma": ("GemmaForCausalLM", GROUPED | {"head_dim": 8}),
    "gemma2": ("Gemma2ForCausalLM", GROUPED | {"head_dim": 8, "sliding_window": 4}),
    "gemma3": ("Gemma3ForCausalLM", GROUPED | {"head_dim": 8, "sliding_window": 4}),
    "gpt_neox": ("GPTNeoXForCausalLM", SIZES),
    "phi3": ("Phi3ForCausalLM", GROUPED),
    "qwen2 with windows in some layers": (
        "Qwen2ForCausalLM",
        GROUPED | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ),
    "llama with another activation": ("LlamaForCausalLM", SIZES | {"hidden_act": "quick_gelu"}),
    "gpt2 with untied weights": (
        "GPT2LMHeadModel",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64, "tie_word_embeddings": False},
    ),
    "olmo2": ("Olmo2ForCausalLM", GROUPED),
    "falcon": ("FalconForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}),
}


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("name", DECODERS)
def test_decoder(name: str, tmp_path: Path) -> None:
    architecture, settings = DECODERS[name]
    module = make_module(architecture, settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    for length in (1, 5, 23):
        tokens = draw_tokens(2, length)
        with torch.no_grad():
            wanted = module(tokens, use_cache=False).logits
        check_close(next(iter(run_onnx(model, weights, tokens).values())), wanted)


@pytest.mark.parametrize("window", [16, 4096])
@pytest.mark.long
def test_a_window_longer_than_the_example(window: int, tmp_path: Path) -> None:
    """The example has 8 tokens, at which no window of 16 is seen."""
    module = make_module("Qwen2ForCausalLM", GROUPED | {"use_sliding_window": True, "sliding_window": window, "max_window_layers": 1})
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    for length in (3, window + 9):
        tokens = draw_tokens(1, length)
        with torch.no_grad():
            wanted = module(tokens, use_cache=False).logits
        check_close(next(iter(run_onnx(model, weights, tokens).values())), wanted)


TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert that classifies": ("BertForSequenceClassification", SIZES | {"num_labels": 3}),
    "bert with masked words": ("BertForMaskedLM", SIZES),
    "distilbert that classifies": (
        "DistilBertForSequenceClassification",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 99},
    ),
    "roberta that tags": ("RobertaForTokenClassification", SIZES | {"pad_token_id": 1}),
    "electra": ("ElectraForPreTraining", SIZES | {"embedding_size": 16}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", TASKS)
def test_task_of_an_encoder(name: str, tmp_path: Path) -> None:
    architecture, settings = TASKS[name]
    module = make_module(architecture, settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    tokens = draw_tokens(2, 11)
    mask = (torch.arange(11) < torch.tensor([[11], [7]])).long()
    named = {"input_ids": tokens, "token_type_ids": tokens % 2, "attention_mask": mask}
    used = {key: value for key, value in named.items() if key in model.inputs}
    assert {"input_ids", "attention_mask"} <= set(used)
    with torch.no_grad():
        wanted = module(**used).logits
    found = next(iter(run_onnx(model, weights, *used.values()).values()))
    check_close(found[0], wanted[0])
    check_close(found[1][:7], wanted[1][:7]) if found.ndim == 3 else check_close(found, wanted)


@pytest.mark.long
def test_bfloat16(tmp_path: Path) -> None:
    """The module computes in float32, and the weights that are written anew keep their type: tied ones need other names."""
    module = make_module("Gemma3ForCausalLM", GROUPED | {"head_dim": 8}).bfloat16()
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    assert {tensor.dtype for tensor in load_file(weights / "model.safetensors").values()} == {torch.bfloat16}
    tokens = draw_tokens(2, 11)
    with torch.no_grad():
        wanted = module.float()(tokens, use_cache=False).logits
    check_close(next(iter(run_onnx(model, weights, tokens).values())), wanted)


@pytest.mark.long
def test_decoder_that_classifies(tmp_path: Path) -> None:
    """The score belongs to the last token that is no padding."""
    module = make_module("LlamaForSequenceClassification", GROUPED | {"num_labels": 3})
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    tokens = draw_tokens(2, 11)
    tokens[1, 7:] = 0
    mask = (tokens > 0).long()
    with torch.no_grad():
        wanted = module(input_ids=tokens, attention_mask=mask).logits
    check_close(next(iter(run_onnx(model, weights, tokens, mask).values())), wanted)


@pytest.mark.long
def test_encoder_and_decoder(tmp_path: Path) -> None:
    settings = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4, "vocab_size": 99, "feed_forward_proj": "gated-gelu"}
    module = make_module("T5ForConditionalGeneration", settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    source, written = draw_tokens(2, 11), draw_tokens(2, 6, seed=2)
    mask = (torch.arange(11) < torch.tensor([[11], [7]])).long()
    with torch.no_grad():
        wanted = module(input_ids=source, attention_mask=mask, decoder_input_ids=written).logits
    check_close(run_onnx(model, weights, source, mask, written)["logits"], wanted)


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", ["DeiTForImageClassification", "ResNetForImageClassification"])
def test_images(kind: str, tmp_path: Path) -> None:
    """Of the size in `config.json`, or of any size where it has none."""
    fixed = kind.startswith("DeiT")
    settings = {**PICTURE, "image_size": 32, "patch_size": 8} if fixed else {"hidden_sizes": [8, 16], "depths": [1, 1], "embedding_size": 8}
    module = make_module(kind, settings)
    model, weights = import_folder(write_folder(module, tmp_path / "folder"), tmp_path / "out.net")
    images = torch.randn(2, 3, 32, 32) if fixed else torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        wanted = module(images).logits
    check_close(run_onnx(model, weights, images)["logits"], wanted)


@pytest.mark.long
def test_declared_inputs(tmp_path: Path) -> None:
    """`--input` chooses the inputs, and the module, also for a family of the zoo."""
    module = make_module("BertModel", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    model, weights = import_folder(folder, tmp_path / "out.net", "--input", "input_ids=[T] int64")
    assert list(model.inputs) == ["input_ids"]
    tokens = draw_tokens(2, 9)
    with torch.no_grad():
        check_close(run_onnx(model, weights, tokens)["last_hidden_state"], module(tokens).last_hidden_state)
    done = run_cli("import", folder, "-o", tmp_path / "out.net", "--force", "--input", "input_ids=[T")
    assert done.exit_code == 2
