"""Decoders for onnxruntime-genai: what the folder has, what it computes with padding, and the tokens that the runtime itself generates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from tests.streams.test_tokens import FAMILIES, VOCABULARY

LENGTHS, NEW = (1, 7, 33), 50
SMALL = ["--set", "width=16", "--set", "depth=2", "--set", "heads=2", "--set", "vocabulary=30", "--model", "network"]
HEADS = "tokens = input [T] int64\ntokens -> embedding 31 8 -> multihead_attention 2 causal=true -> dense 31"
GPT2 = ["specs/text/gpt2.net", *SMALL, "--set", "context=20", "--stream", "T", "--for", "onnxruntime-genai"]


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["compile", *map(str, words)], prog_name="netc")
    return done.exit_code, done.stderr


def made(family: str, folder: Path) -> tuple[Any, netc.Model]:
    """The model of transformers, and the folder with its weights."""
    pytest.importorskip("transformers")
    torch.manual_seed(3)
    theirs, model = FAMILIES[family]()
    weights = {name: value for name, value in theirs.state_dict().items() if name in model.parameters}
    model.stream("T").save_for("onnxruntime-genai", folder, weights)
    return theirs.eval(), model


def prompts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, VOCABULARY, (length,), generator=generator) for length in LENGTHS]


def expected(theirs: Any, prompt: torch.Tensor) -> list[int]:
    """What `generate` writes after one prompt without padding."""
    given: Any = {"attention_mask": torch.ones_like(prompt[None]), "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    tokens: list[int] = theirs.generate(prompt[None], max_new_tokens=NEW, **given)[0, len(prompt) :].tolist()
    return tokens


def padded(side: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """All prompts as one batch, and its mask."""
    tokens = np.zeros((len(LENGTHS), max(LENGTHS)), np.int64)
    mask = np.zeros_like(tokens)
    for row, prompt in enumerate(prompts()):
        at = slice(0, len(prompt)) if side == "right" else slice(max(LENGTHS) - len(prompt), None)
        tokens[row, at], mask[row, at] = prompt.numpy(), 1
    return tokens, mask


def generated(path: Path, side: str) -> np.ndarray[Any, Any]:
    """Greedy, in ONNX Runtime: the score of the last token that is there decides on the next one."""
    session = onnxruntime.InferenceSession(path)
    tokens, mask = padded(side)
    caches = {i.name: np.zeros((len(LENGTHS), i.shape[1], 0, i.shape[3]), np.float32) for i in session.get_inputs()[2:]}
    last = mask.sum(1) - 1 if side == "right" else np.full(len(LENGTHS), max(LENGTHS) - 1)
    found: list[np.ndarray[Any, Any]] = []
    for _ in range(NEW):
        logits, *others = session.run(None, {"input_ids": tokens, "attention_mask": mask, **caches})
        caches = dict(zip(caches, others, strict=True))
        tokens = logits[np.arange(len(LENGTHS)), last].argmax(1)[:, None]
        found.append(tokens)
        mask = np.concatenate([mask, np.ones_like(tokens)], 1)
        last = np.zeros(len(LENGTHS), np.int64)
    return np.concatenate(found, 1)


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_padded_prompts_give_the_tokens_of_transformers(family: str, tmp_path: Path) -> None:
    """On either side: three prompts of different lengths as one batch, each continued as if it were alone."""
    theirs, _ = made(family, tmp_path / "out")
    wanted = [expected(theirs, prompt) for prompt in prompts()]
    assert len({token for row in wanted for token in row}) > 30  # a text that repeats a few tokens would say little
    for side in ("right", "left"):
        assert generated(tmp_path / "out" / "model.onnx", side).tolist() == wanted, side


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_onnxruntime_genai_generates_the_tokens_of_transformers(family: str, tmp_path: Path) -> None:
    """Each prompt alone, and all of them padded on the right."""
    og: Any = pytest.importorskip("onnxruntime_genai", reason="pip install onnxruntime-genai")
    theirs, _ = made(family, tmp_path / "out")
    wanted = [expected(theirs, prompt) for prompt in prompts()]
    unused = next(token for token in range(VOCABULARY) if not any(token in row for row in wanted))
    config = json.loads((tmp_path / "out" / "genai_config.json").read_text())
    config["model"]["eos_token_id"] = unused  # none of these texts ends
    (tmp_path / "out" / "genai_config.json").write_text(json.dumps(config))
    model = og.Model(str(tmp_path / "out"))

    def continued(tokens: np.ndarray[Any, Any]) -> list[list[int]]:
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=tokens.shape[1] + NEW, batch_size=len(tokens), do_sample=False)
        generator = og.Generator(model, params)
        generator.append_tokens(tokens.astype(np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return [[int(token) for token in generator.get_sequence(row)[tokens.shape[1] :]] for row in range(len(tokens))]

    assert [continued(prompt.numpy()[None])[0] for prompt in prompts()] == wanted
    assert continued(padded("right")[0]) == wanted


def test_rotary_counts_the_positions_of_each_prompt(tmp_path: Path) -> None:
    """Prompts of different lengths in a batch, padded on the left or on the right, have the scores that the model has for each alone."""
    heads = 'rearrange "n t (h d) -> n h t d" h=2'
    model = netc.compile(
        f"tokens = input [T] int64\nh = tokens -> embedding 30 8\nq = h -> dense 8 -> {heads} -> rotary\n"
        f"k = h -> dense 8 -> {heads} -> rotary\nv = h -> dense 8 -> {heads}\n"
        'logits = (q, k, v) -> attention causal=true -> rearrange "n h t d -> n t (h d)" -> dense 30'
    )
    model.stream("T").save_for("onnxruntime-genai", tmp_path / "out", seed=1)
    session, module = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx"), model.module(seed=1)
    tokens = torch.randint(30, (2, 5), generator=torch.Generator().manual_seed(1))
    caches = {i.name: np.zeros((2, 2, 0, 4), np.float32) for i in session.get_inputs()[2:]}
    for present in (slice(2, 5), slice(0, 3)):
        mask = np.ones((2, 5), np.int64)
        mask[1] = 0
        mask[1, present] = 1
        logits, *_ = session.run(None, {"input_ids": tokens.numpy(), "attention_mask": mask, **caches})
        np.testing.assert_allclose(logits[:1], module(tokens[:1]).detach(), atol=1e-5)
        np.testing.assert_allclose(logits[1:, present], module(tokens[1:, present]).detach(), atol=1e-5)


def test_the_folder(tmp_path: Path) -> None:
    """The names that onnxruntime-genai looks for, and the longest text that the spec allows."""
    folder = tmp_path / "out"
    code, said = run(*GPT2, "--seed", 1, "-o", folder)
    assert code == 0
    assert said.startswith("note: genai_config.json ends a text at the token 0")
    assert "note: a tokenizer is not part of it" in said
    assert sorted(path.name for path in folder.iterdir()) == ["genai_config.json", "model.onnx"]
    graph = onnx.load(folder / "model.onnx").graph
    pairs = ["0.key", "0.value", "1.key", "1.value"]
    assert [i.name for i in graph.input] == ["input_ids", "attention_mask", *(f"past_key_values.{pair}" for pair in pairs)]
    assert [o.name for o in graph.output] == ["logits", *(f"present.{pair}" for pair in pairs)]
    model = json.loads((folder / "genai_config.json").read_text())["model"]
    assert (model["type"], model["context_length"], model["vocab_size"], model["eos_token_id"]) == ("decoder", 20, 30, 0)
    numbers = {"head_size": 8, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 2}
    assert numbers.items() <= model["decoder"].items()


def test_what_is_next_to_the_weights(tmp_path: Path) -> None:
    """The tokens with a meaning, as transformers writes them; nothing else of those files is taken."""
    source = tmp_path / "checkpoint"
    source.mkdir()
    model = netc.compile_file("specs/text/gpt2.net", model="network", params={"width": 16, "depth": 1, "heads": 2, "vocabulary": 30})
    torch.save(model.module(seed=1).state_dict(), source / "model.pt")
    (source / "config.json").write_text('{"eos_token_id": 7, "bos_token_id": "x", "pad_token_id": 30, "filename": "/etc/passwd"}')
    (source / "generation_config.json").write_text('{"eos_token_id": [5, 6]}')
    model.stream("T").save_for("onnxruntime-genai", tmp_path / "out", source / "model.pt")
    found = json.loads((tmp_path / "out" / "genai_config.json").read_text())["model"]
    assert "pad_token_id" not in found
    assert (found["eos_token_id"], found.get("bos_token_id"), found["decoder"]["filename"]) == ([5, 6], None, "model.onnx")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("specs/text/gpt2.net", "--for", "onnxruntime-genai", "-o", "out"), 2, "is for --stream T"),
        ((*GPT2, "-o", "out.onnx"), 2, "writes several files: give -o FOLDER"),
        ((*GPT2,), 2, "writes several files: give -o FOLDER"),
        ((*GPT2, "--target", "torch", "-o", "out"), 2, "goes without --target torch"),
        ((*GPT2, "--quantize", "int8", "-o", "out"), 2, "it goes without --emit, --stream"),
        (("specs/generative/wavenet.net", *GPT2[-4:], "-o", "out"), 1, "only keys and values of attention"),
        (("specs/generative/wavenet.net", *GPT2[-4:], "-o", "out"), 1, "help: a step without padding remembers this too"),
        (("-e", HEADS, *GPT2[-4:], "-o", "out"), 1, "help: write its queries, keys and values with `dense`, and `attention causal=true`"),
        ((*GPT2, "--dim", "N=1", "-o", "out"), 1, "the first axis of `tokens` must be the batch"),
        ((*GPT2, "-o", "none/out"), 1, "there is no folder"),
    ],
)
def test_refused(words: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    """And nothing is written."""
    placed = [str(tmp_path / word) if before == "-o" else word for before, word in zip(("", *words), words, strict=False)]
    found = run(*placed)
    assert found[0] == code, found
    assert said in found[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = input [T, 8]; q = x -> reshape [N, 1, T, 8]; y = (q, q, q) -> attention causal=true", "its input must be the tokens alone"),
        ("tokens = input [T] int64; y = tokens -> embedding 9 8", "it has no causal attention"),
        (
            "tokens = input [T] int64; x = tokens -> embedding 9 8 -> reshape [N, 1, T, 8]; a = (x, x, x) -> attention causal=true; "
            "w = x -> reshape [N, T, 8] -> reshape [N, 1, T, 8]; b = (w, w, w) -> attention causal=true",
            "its output must be the scores alone",
        ),
        (
            "tokens = input [T] int64; far = table (t, k) [T, T] = k <= t; "
            "x = tokens -> embedding 9 8 -> reshape [N, 1, T, 8]; y = (x, x, x, far) -> attention",
            "with padding, a table cannot have two axes",
        ),
    ],
)
def test_no_decoder(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, netc.CompileError), match=said):
        netc.compile(text).stream("T").save_for("onnxruntime-genai", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_another_runtime(tmp_path: Path) -> None:
    model = netc.compile_file("specs/text/gpt2.net", model="network", params={"width": 16, "depth": 1, "heads": 2, "vocabulary": 30})
    with pytest.raises(ValueError, match="the runtime must be onnxruntime-genai"):
        model.stream("T").save_for("tensorrt", tmp_path / "out")


def test_what_is_there_stays_where_it_fails(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"before")
    code, _ = run(*GPT2, "--weights", tmp_path / "none.pt", "-o", folder)
    assert code == 1
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("model.onnx", b"before")]
