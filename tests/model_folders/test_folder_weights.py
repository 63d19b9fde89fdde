"""Where the weights of a model folder stay, and how names of checkpoints become names of the spec."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
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
from safetensors.torch import load_file, save_file  # noqa: E402

GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2}


def save_renamed(folder: Path, rename: dict[str, str], extra: dict[str, torch.Tensor] | None = None) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for pattern, new in rename.items():
        tensors = {re.sub(pattern, new, key): tensor for key, tensor in tensors.items()}
    save_file(tensors | (extra or {}), path, {"format": "pt"})


def test_names_of_the_spec_stay_in_the_folder(tmp_path: Path) -> None:
    folder = write_folder(make_module("LlamaForCausalLM", SIZES), tmp_path / "folder")
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert f"--weights {folder}" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "out.net"]


def test_the_base_model_without_its_name(tmp_path: Path) -> None:
    """gpt2 on the hub has no `transformer.`, and masks that no class reads."""
    module = make_module("GPT2LMHeadModel", GPT2)
    folder = write_folder(module, tmp_path / "folder")
    save_renamed(folder, {"^transformer.": ""}, {"h.0.attn.bias": torch.ones(1, 1, 64, 64), "h.0.attn.masked_bias": torch.tensor(-1e4)})
    model, weights = import_folder(folder, tmp_path / "out.net")
    assert weights == tmp_path / "out.weights"
    tokens = draw_tokens(2, 9)
    check_close(run_onnx(model, weights, tokens)["logits"], module(tokens).logits)


def test_old_names_of_norms_and_a_head(tmp_path: Path) -> None:
    """bert-base-uncased was converted from TensorFlow, and has the heads of its training."""
    module = make_module("BertModel", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    renames = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta", "^": "bert."}
    save_renamed(folder, renames, {"cls.predictions.bias": torch.zeros(99)})
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert "left out: `cls.predictions.bias`" in done.output
    model, weights = import_folder(folder, tmp_path / "out.net")
    tokens = draw_tokens(2, 9)
    found = run_onnx(model, weights, tokens, tokens * 0, tokens >= 0)
    check_close(found["last_hidden_state"], module(tokens).last_hidden_state)


def test_bfloat16_and_shards(tmp_path: Path) -> None:
    """A mixture of experts in bfloat16, in shards: the experts of a layer are in several tensors, and keep their type."""
    module = make_module("MixtralForCausalLM", {**SIZES, "num_local_experts": 3, "num_key_value_heads": 2}).bfloat16()
    module.save_pretrained(tmp_path / "folder", max_shard_size="30KB")
    model, weights = import_folder(tmp_path / "folder", tmp_path / "out.net")
    written = load_file(weights / "model.safetensors")
    assert {tensor.dtype for tensor in written.values()} == {torch.bfloat16}
    for key, tensor in module.state_dict().items():
        torch.testing.assert_close(written[key], tensor, rtol=0, atol=0)
    tokens = draw_tokens(2, 9)
    check_close(run_onnx(model, weights, tokens)["logits"], module.float()(tokens).logits)


def test_pytorch_files(tmp_path: Path) -> None:
    module = make_module("LlamaForCausalLM", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    torch.save(module.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    model, weights = import_folder(folder, tmp_path / "out.net")
    tokens = draw_tokens(2, 9)
    check_close(run_onnx(model, weights, tokens)["logits"], module(tokens).logits)


def test_another_form_of_the_model(tmp_path: Path) -> None:
    """Mistral's folders have the weights twice, under the names of its authors too; transformers reads `model.safetensors` alone."""
    module = make_module("LlamaForCausalLM", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    save_file({"tok_embeddings.weight": torch.zeros(99, 32), "model.norm.weight": torch.zeros(32)}, folder / "consolidated.safetensors")
    model, weights = import_folder(folder, tmp_path / "out.net")
    assert weights == folder
    tokens = draw_tokens(2, 9)
    check_close(run_onnx(model, weights, tokens)["logits"], module(tokens).logits)


def test_settings_of_transformers_4(tmp_path: Path) -> None:
    """`rope_theta` and `rope_scaling` with `type`, no `head_dim`, and no grouped heads."""
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    module = make_module(
        "LlamaForCausalLM", SIZES | {"rope_parameters": {**rope, "original_max_position_embeddings": 32, "rope_theta": 1000.0}}
    )
    old = {"rope_theta": 1000.0, "rope_scaling": {**rope, "type": "llama3", "original_max_position_embeddings": 32}}
    removed = dict.fromkeys(("rope_parameters", "head_dim", "num_key_value_heads", "attention_bias", "mlp_bias", "dtype"))
    folder = write_folder(module, tmp_path / "folder", **old, **removed, torch_dtype="float32", _name_or_path="x")
    model, weights = import_folder(folder, tmp_path / "out.net")
    assert "llama3_rotary 8 1 4 32 base=1000" in (tmp_path / "out.net").read_text()
    tokens = draw_tokens(2, 40)
    check_close(run_onnx(model, weights, tokens)["logits"], module(tokens).logits)


def test_one_file_of_weights(tmp_path: Path) -> None:
    """`--weights FILE` writes a file that has the names of the spec, also if the folder has them."""
    module = make_module("LlamaForCausalLM", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    done = run_cli("import", folder, "-o", tmp_path / "out.net", "--weights", tmp_path / "w.safetensors")
    assert done.exit_code == 0, done.output
    for key, tensor in load_file(tmp_path / "w.safetensors").items():
        np.testing.assert_array_equal(tensor.numpy(), module.state_dict()[key].numpy())


def test_the_text_on_standard_output(tmp_path: Path) -> None:
    folder = write_folder(make_module("LlamaForCausalLM", SIZES), tmp_path / "Tiny-Llama.2")
    done = run_cli("import", folder, "-o", "-")
    assert done.exit_code == 0
    assert "model tiny_llama_2 = network" in done.stdout
    vit = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 24, "patch_size": 8}
    other = write_folder(make_module("ViTForImageClassification", vit), tmp_path / "vit")
    done = run_cli("import", other, "-o", "-")
    assert done.exit_code == 1
    assert "give it a name" in done.output


@pytest.mark.parametrize("name", ["relu", "network", "use", "7b", "llama-3"])
def test_names_of_files_become_names_of_models(name: str, tmp_path: Path) -> None:
    folder = write_folder(make_module("LlamaForCausalLM", SIZES), tmp_path / "folder")
    model, _ = import_folder(folder, tmp_path / f"{name}.net")
    assert list(model.outputs) == ["logits"]


def test_an_error_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netc.importing.folders import write_folder as writer

    vit = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 24, "patch_size": 8}
    folder = write_folder(make_module("ViTForImageClassification", vit), tmp_path / "vit")

    def fail(path: str, tensors: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_safetensors", fail)
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert done.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vit"]


def test_config_is_as_transformers_writes_it(tmp_path: Path) -> None:
    """The tests above change what transformers writes; this is the form that they rely on."""
    folder = write_folder(make_module("LlamaForCausalLM", SIZES), tmp_path / "folder")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
