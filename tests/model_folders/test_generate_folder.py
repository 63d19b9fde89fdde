"""`netc generate`, `run`, `train` and `compile` with an imported folder. The judges are transformers' `generate` and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

from model_folders.written_folders import SIZES, check_close, import_folder, make_module, run_cli, write_folder  # noqa: E402

import netc  # noqa: E402
from netc.prediction.load_generator import make_generator  # noqa: E402

TEXT = "The cat sat on the mat, and the dog sat on the log. " * 20
PROMPT = "The dog sat"


def add_tokenizer(folder: Path, size: int = 99, begins: bool = True) -> Any:
    """Train a tokenizer whose texts begin with `<s>`, as Llama's do, and save it as transformers does."""
    tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=False)
    tokenizer._tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer._tokenizer.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    tokenizer._tokenizer.train_from_iterator([TEXT], trainer)
    if begins:
        tokenizer._tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
    return fast


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 500.0,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", SIZES | {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 64}),
    "mistral": ("MistralForCausalLM", SIZES | {"num_key_value_heads": 2, "sliding_window": 6}),
    "llama 3.1": ("LlamaForCausalLM", SIZES | {"rope_parameters": LLAMA3}),
    "mamba": ("MambaForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 99, "state_size": 4}),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("runtime", ["onnxruntime", "pytorch"])
def test_greedy_tokens(name: str, runtime: str, tmp_path: Path) -> None:
    check_greedy_tokens(*FAMILIES[name], runtime, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["Qwen3ForCausalLM", "Gemma3ForCausalLM"])
def test_greedy_tokens_of_a_module(architecture: str, tmp_path: Path) -> None:
    check_greedy_tokens(architecture, SIZES | {"head_dim": 8, "num_key_value_heads": 2}, "onnxruntime", tmp_path)


def check_greedy_tokens(architecture: str, settings: dict[str, Any], runtime: str, tmp_path: Path) -> None:
    module = make_module(architecture, settings | {"bos_token_id": 1, "eos_token_id": None})
    folder = write_folder(module, tmp_path / "folder")
    fast = add_tokenizer(folder)
    model, weights = import_folder(folder, tmp_path / "out.net")
    prompt = fast(PROMPT, return_tensors="pt").input_ids
    assert prompt[0, 0] == 1
    wanted = module.generate(prompt, max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0)[0, prompt.shape[1] :].tolist()
    found = list(make_generator(model, weights, None, None, runtime).generate(PROMPT, tokens=20, temperature=0))
    # The usual name of the end token ends a text if neither file of settings says more.
    stop = wanted.index(2) + 1 if 2 in wanted else 20
    assert [token.number for token in found] == wanted[:stop]


@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
def test_end_tokens_of_the_folder(file: str, tmp_path: Path) -> None:
    """Chat models end a text with one of several tokens, which `generation_config.json` lists."""
    module = make_module("LlamaForCausalLM", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    fast = add_tokenizer(folder)
    prompt = fast(PROMPT, return_tensors="pt").input_ids
    written = module.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0)[0, prompt.shape[1] :].tolist()
    ends = [98, written[5]]
    (folder / "generation_config.json").unlink()
    path = folder / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | {"eos_token_id": ends}))
    model, weights = import_folder(folder, tmp_path / "out.net")
    found = [token.number for token in make_generator(model, weights, None).generate(PROMPT, tokens=12, temperature=0)]
    assert found == written[: written.index(ends[1]) + 1]


def test_written_weights_keep_the_tokenizer(tmp_path: Path) -> None:
    """Weights that get other names are written to a folder with the tokenizer and the end tokens."""
    module = make_module("MixtralForCausalLM", SIZES | {"num_local_experts": 2, "num_key_value_heads": 2, "eos_token_id": 44})
    folder = write_folder(module, tmp_path / "folder")
    fast = add_tokenizer(folder)
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    command = next(line for line in done.output.splitlines() if line.startswith("netc generate"))
    assert command == f'netc generate {tmp_path / "out.net"} --weights {tmp_path / "out.weights"} --prompt "..."'
    prompt = fast(PROMPT, return_tensors="pt").input_ids
    wanted = module.generate(prompt, max_new_tokens=15, do_sample=False, eos_token_id=44, pad_token_id=0)[0]
    (folder / "tokenizer.json").unlink()
    done = run_cli(*command.split()[1:-2], "--prompt", PROMPT, "--tokens", 15, "--temperature", 0)
    assert done.exit_code == 0, done.output
    ended = wanted[:-1] if wanted[-1] == 44 else wanted
    assert done.stdout.strip() == fast.decode(ended, skip_special_tokens=True).strip()


def test_without_a_tokenizer(tmp_path: Path) -> None:
    folder = write_folder(make_module("LlamaForCausalLM", SIZES), tmp_path / "folder")
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert "The folder has no `tokenizer.json`" in done.output
    done = run_cli("generate", tmp_path / "out.net", "--weights", folder, "--prompt", "a")
    assert done.exit_code == 1
    assert "the tokenizer is not known" in done.output


def test_train_compile_and_run(tmp_path: Path) -> None:
    """Fine-tuning begins with the weights of the folder: its first loss is transformers'."""
    module = make_module("LlamaForCausalLM", SIZES)
    folder = write_folder(module, tmp_path / "folder")
    fast = add_tokenizer(folder)
    import_folder(folder, tmp_path / "out.net")
    (tmp_path / "story.txt").write_text(TEXT)
    spec = tmp_path / "tuned.net"
    spec.write_text(
        (tmp_path / "out.net").read_text()
        + """
train {
  next = input [T] int64
  loss = (logits -> transpose 1 2, next) -> cross_entropy
  data text "story.txt" tokenizer="folder/tokenizer.json" length=16
  optimizer sgd lr=1e-12
  steps 1
  batch 1000
}
"""
    )
    result = netc.train(spec, output=tmp_path / "run", weights=folder)
    tokens = torch.tensor(fast(TEXT, add_special_tokens=False).input_ids)
    count = (len(tokens) - 1) // 16
    inputs, targets = tokens[: count * 16].reshape(count, 16), tokens[1 : count * 16 + 1].reshape(count, 16)
    with torch.no_grad():
        wanted = torch.nn.functional.cross_entropy(module(inputs).logits.flatten(0, 1), targets.flatten())
    assert result.results["loss"] == pytest.approx(float(wanted), rel=2e-2)

    done = run_cli("compile", tmp_path / "out.net", "--weights", folder, "-o", tmp_path / "model.onnx")
    assert done.exit_code == 0, done.output
    from netc.compiler.backends.onnx.runtime import OnnxSession

    found = OnnxSession(str(tmp_path / "model.onnx"))(inputs[:2].numpy())
    with torch.no_grad():
        check_close(found if isinstance(found, np.ndarray) else found["logits"], module(inputs[:2]).logits)
