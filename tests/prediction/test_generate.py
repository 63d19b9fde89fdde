"""Generated text. The judges are PyTorch's module on the complete text, transformers' samplers, and the package tokenizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

import netc
from netc.cli import cli
from netc.errors import CompileError
from netc.prediction.decoder_steps import NoGenerator
from netc.prediction.load_generator import make_generator
from netc.prediction.token_sampling import Sampling, choose_token, compute_probabilities
from netc.tokenizing.text_tokenizer import BYTES, FileTokenizer, read_tokenizer

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SIZE, LIMIT = 290, 24
TEXT = "Once upon a time, a cat sat on a mat in Köln 🙂. The cat was a good cat.\n" * 30
SPEC = f"""tokens = input [T] int64 where T <= {LIMIT}
x = tokens -> embedding {SIZE} 16
scores = x -> repeat 2 {{ in + (in -> layer_norm -> multihead_attention 4 causal=true) }} -> layer_norm -> dense {SIZE}

train {{
  next = input [T] int64
  loss = (scores -> transpose 1 2, next) -> cross_entropy
  data text "story.txt" tokenizer="tokenizer.json" length=8
  optimizer adamw lr=1e-2
  steps 20
  batch 16
}}
"""
BYTE_DECODER = "tokens = input [T] int64\ntokens -> embedding 256 16 -> {body} -> dense 256"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run."""
    path = tmp_path_factory.mktemp("generate")
    (path / "story.txt").write_text(TEXT, encoding="utf-8")
    assert run_cli("tokenizer", str(path / "story.txt"), "--size", str(SIZE), "-o", str(path / "tokenizer.json")).exit_code == 0
    (path / "story.net").write_text(SPEC, encoding="utf-8")
    netc.train(path / "story.net", output=path / "run")
    return path


def run_cli(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="netc")


def continue_by_hand(module: Any, numbers: list[int], count: int, limit: int = 10**6) -> list[int]:
    """The best tokens, each computed from the complete text before it; beyond the limit, from a window that begins anew at its half."""
    begin, result = 0, list(numbers)
    for _ in range(count):
        if len(result) - begin > limit:
            begin = len(result) - limit // 2
        with torch.no_grad():
            scores = module(torch.tensor([result[begin:]]))
        result.append(int(scores[0, -1].argmax()))
    return result[len(numbers) :]


def test_the_best_tokens(folder: Path) -> None:
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    module = netc.compile_file(folder / "story.net").module(weights=folder / "run").eval()
    prompt = "The cat"
    expected = continue_by_hand(module, reference.encode(prompt).ids, 12)
    assert len(set(expected)) > 3
    found = list(netc.load(folder / "run").generate(prompt, tokens=12, temperature=0))
    assert [token.number for token in found] == expected
    assert "".join(map(str, found)) == reference.decode(expected)
    (weights,) = [str(path) for path in (folder / "run").glob("last.safetensors")]
    by_spec = [str(folder / "story.net"), "--weights", weights, "--tokenizer", str(folder / "tokenizer.json")]
    for words in ([str(folder / "run")], [str(folder / "run"), "--runtime", "pytorch"], by_spec):
        result = run_cli("generate", *words, "--prompt", prompt, "--tokens", "12", "--temperature", "0")
        assert result.stdout == prompt + reference.decode(expected) + "\n", result.stderr
        assert result.stderr.startswith("12 tokens, ")


@pytest.mark.parametrize("length", [5, LIMIT, LIMIT + 9])
def test_texts_longer_than_the_model_takes(folder: Path, length: int) -> None:
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    module = netc.compile_file(folder / "story.net").module(weights=folder / "run").eval()
    numbers = reference.encode(TEXT).ids[:length]
    notes: list[str] = []
    generator = netc.load(folder / "run")._generator
    found = [token.number for token in generator.generate(numbers, tokens=50, temperature=0, note=notes.append)]
    assert found == continue_by_hand(module, numbers, 50, LIMIT)[: len(found)]
    assert len(found) == 50 or found[-1] == 0
    assert notes == [f"the model takes {LIMIT} tokens: a longer text continues from its last {LIMIT // 2}"]


def test_the_run_keeps_the_tokenizer(folder: Path, tmp_path: Path) -> None:
    content = (folder / "tokenizer.json").read_bytes()
    run = tmp_path / "run"
    run.mkdir()
    for file in (folder / "run").iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    assert (run / "tokenizer.json").read_bytes() == content
    signature = json.loads((run / "config.json").read_text())["signature"]
    assert signature["tokenizer"] == FileTokenizer(content, tokenizers.Tokenizer.from_buffer(content)).digest
    assert "tokenizer" not in signature["options"]
    result = run_cli("generate", str(run), "--tokenizer", str(folder / "tokenizer.json"))
    assert "the run has the tokenizer that it was trained with" in result.stderr
    (run / "tokenizer.json").write_bytes(content.replace(b"\n", b" \n", 1))
    for words in (["generate", str(run)], ["predict", str(run), "--data", str(folder / "story.txt")]):
        result = run_cli(*words)
        assert result.exit_code == 1
        assert "its `tokenizer.json` is not the one that it was trained with" in result.stderr


def test_predictions_read_text_as_the_training_did(folder: Path) -> None:
    (output,) = netc.load(folder / "run")(folder / "story.txt").outputs.values()
    numbers = [*tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids, 0]
    module = netc.compile_file(folder / "story.net").module(weights=folder / "run").eval()
    rows = torch.tensor([numbers[i : i + 8] for i in range(0, len(numbers) - 8, 8)])
    with torch.no_grad():
        np.testing.assert_allclose(output, module(rows).numpy(), atol=1e-4)
    netc.compile_file(folder / "story.net").save(folder / "story.onnx", weights=folder / "run")
    with pytest.raises(ValueError, match="reads text by a tokenizer, which an ONNX file does not have"):
        netc.load(folder / "story.onnx")(folder / "story.txt")
    with pytest.raises(NoGenerator, match="an ONNX file generates no text"):
        netc.load(folder / "story.onnx").generate("Once")


def test_a_run_with_a_fixed_length(tmp_path: Path) -> None:
    """The length of the samples is no limit of the text."""
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8")
    text = BYTE_DECODER.format(body="multihead_attention 4 causal=true").replace("\ntokens", "\nscores = tokens")
    loss = "loss = (scores -> transpose 1 2, next) -> cross_entropy"
    (tmp_path / "bytes.net").write_text(f'{text}\ntrain {{\nnext = input [T] int64\n{loss}\ndata text "story.txt"\nsteps 2\n}}\n')
    netc.train(tmp_path / "bytes.net", output=tmp_path / "run", dims={"T": 6})
    module = netc.compile(text).module(weights=tmp_path / "run").eval()
    found = [token.number for token in netc.load(tmp_path / "run").generate("Köln", tokens=9, temperature=0)]
    assert found == continue_by_hand(module, list("Köln".encode()), 9)


@pytest.mark.parametrize("runtime", ["onnxruntime", "pytorch"])
def test_operators_without_a_stream(runtime: str) -> None:
    """`einsum` has no rule for streams, so that each token computes the complete text, and a note says so."""
    text = """tokens = input [T] int64
x = tokens -> embedding 256 16
y = (x, x) -> einsum "btd, bsd -> bts"
mask = table (i, j) [T, T] = 0.0 if j <= i else -inf
(y + mask -> softmax) @ x -> dense 256"""
    model = netc.compile(text)
    notes: list[str] = []
    generator = make_generator(model, None, 0, runtime=runtime)
    found = [token.number for token in generator.generate("Once", tokens=6, temperature=0, note=notes.append)]
    assert found == continue_by_hand(model.module(seed=0).eval(), list(b"Once"), 6)
    assert notes[0].startswith("the model has no stream, so each token computes the complete text again: ")
    assert "einsum" in notes[0]


def test_the_end_token_ends_the_text(folder: Path) -> None:
    model = netc.compile(f"tokens = input [T] int64\ntokens -> embedding {SIZE} 2 as e -> dense {SIZE} as head")
    bias = np.zeros(SIZE, np.float32)
    bias[0] = 1
    weights = {"e.weight": np.zeros((SIZE, 2), np.float32), "head.weight": np.zeros((SIZE, 2), np.float32), "head.bias": bias}
    generator = make_generator(model, weights, None, str(folder / "tokenizer.json"))
    assert [(token.number, str(token)) for token in generator.generate("Once", temperature=0)] == [(0, "")]
    assert len(list(generator.generate("", tokens=0))) == 0


def test_an_empty_prompt_begins_a_text(folder: Path) -> None:
    predictor = netc.load(folder / "run")
    for prompt, numbers in (("", [0]), ("Once", read_tokenizer(str(folder / "tokenizer.json")).encode("Once").tolist())):
        assert [*predictor.generate(prompt, tokens=5)] == [*predictor.generate(numbers, tokens=5)]


# --- what cannot generate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tokens = input 8 int64\ntokens -> embedding 256 4 -> dense 256", "whose length cannot grow by one token"),
        ("x = input [T, 3]\nx -> dense 256", "tokens are integers `[N, T]`"),
        ("a = input [T] int64; b = input [T] int64; (a + b) -> embedding 256 256", "this one has `a`, `b`"),
        ("tokens = input [T] int64\ntokens -> embedding 256 4 -> mean axis=1 -> dense 256", "one output must be scores"),
        ("tokens = input [T] int64\nx = tokens -> embedding 256 256; (x, x * 2)", "one output must be scores"),
        ("tokens = input [T] int64\ntokens -> embedding 300 4 -> dense 300", "the tokenizer is not known, and 300 tokens"),
    ],
)
def test_models_that_generate_no_text(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NoGenerator) as raised:
        make_generator(netc.compile(text), None, 0)
    assert message in str(raised.value)
    result = run_cli("generate", "-e", text)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not result.stdout


def test_a_model_that_looks_ahead() -> None:
    text = BYTE_DECODER.format(body="multihead_attention 4")
    with pytest.raises(CompileError, match="`multihead_attention` looks ahead along `T`"):
        make_generator(netc.compile(text), None, 0)
    assert "error[looks-ahead]: `multihead_attention` looks ahead along `T`" in run_cli("generate", "-e", text).stderr


def test_a_tokenizer_of_another_model(folder: Path) -> None:
    with pytest.raises(NoGenerator, match=f"the tokenizer has {SIZE} tokens, and the model scores of 256"):
        make_generator(netc.compile(BYTE_DECODER.format(body="gru 16")), None, 0, str(folder / "tokenizer.json"))
    with pytest.raises(NoGenerator, match=r"cannot read `none.json`: no such file"):
        make_generator(netc.compile(BYTE_DECODER.format(body="gru 16")), None, 0, "none.json")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite(tmp_path: Path, value: float) -> None:
    text = "tokens = input [T] int64\ntokens -> embedding 256 2 as e -> dense 256 as head"
    bias = np.zeros(256, np.float32)
    bias[7] = value
    weights = {"e.weight": np.zeros((256, 2), np.float32), "head.weight": np.zeros((256, 2), np.float32), "head.bias": bias}
    save_file(weights, tmp_path / "w.safetensors")
    (tmp_path / "m.net").write_text(text)
    for temperature in ("0", "1"):
        result = run_cli("generate", str(tmp_path / "m.net"), "--weights", str(tmp_path / "w.safetensors"), "--temperature", temperature)
        assert result.exit_code == 1
        assert f"the score of the token 7 is {value}" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "0", "--top-k", "3"], "top_k and top_p have no effect"),
        (["--temperature", "nan"], "temperature"),
        (["--temperature", "inf"], "temperature"),
        (["--runtime", "pytorch", "--device", "cuda"], "PyTorch generates on the CPU alone"),
        (["--top-p", "0"], "is not in the range"),
        (["--top-k", "0"], "is not in the range"),
        (["--tokens", "-1"], "is not in the range"),
        (["run", "it's", "so"], "the prompt is an option: `--prompt 'it'\"'\"'s so'`"),
    ],
)
def test_refused_options(words: list[str], message: str) -> None:
    result = run_cli("generate", "-e", BYTE_DECODER.format(body="gru 16"), *words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr


def test_refused_prompts() -> None:
    generator = make_generator(netc.compile(BYTE_DECODER.format(body="gru 16")), None, 0)
    for prompt, message in (([256], "the token 256"), ([-1], "the token -1"), ([], "no tokens")):
        with pytest.raises(ValueError, match=message):
            generator.generate(prompt)


@pytest.mark.parametrize("prompt", ["\udcff", "Once \ud800"])
def test_a_prompt_that_is_no_text(folder: Path, prompt: str) -> None:
    """Python's form of bytes that are not UTF-8, and half of a surrogate pair."""
    result = run_cli("generate", str(folder / "run"), "--prompt", prompt)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "error: the prompt is not Unicode text, which the tokenizer needs")
    generator = make_generator(netc.compile(BYTE_DECODER.format(body="gru 16")), None, 0)
    if prompt == "\udcff":  # a tokenizer of bytes takes any byte
        assert [*generator.generate(prompt, tokens=3)] == [*generator.generate([255], tokens=3)]
    else:
        with pytest.raises(ValueError, match="not Unicode text"):
            generator.generate(prompt)


# --- sampling --------------------------------------------------------------------------------------------------------------

SCORES = np.random.default_rng(0).normal(0, 4, 40).astype(np.float32)
SCORES[3] = SCORES[5]  # two equal ones
SCORES[9] = -np.inf


@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.5])
@pytest.mark.parametrize(("top_k", "top_p"), [(None, None), (5, None), (None, 0.9), (None, 0.01), (3, 0.6), (100, 1.0), (1, None)])
def test_probabilities(temperature: float, top_k: int | None, top_p: float | None) -> None:
    from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    expected = TemperatureLogitsWarper(temperature)(None, torch.from_numpy(SCORES)[None].double())
    if top_k is not None:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p is not None:
        expected = TopPLogitsWarper(top_p)(None, expected)
    found = compute_probabilities(SCORES, Sampling(temperature, top_k, top_p))
    np.testing.assert_allclose(found, expected.softmax(1)[0].numpy(), atol=1e-12)


class Even:
    """Random numbers that are as even as can be."""

    def __init__(self, count: int) -> None:
        self.numbers = iter((np.arange(count) + 0.5) / count)

    def random(self) -> float:
        return float(next(self.numbers))


def test_tokens_are_drawn_by_their_probabilities() -> None:
    sampling, count = Sampling(0.8, top_k=10), 4000
    generator: Any = Even(count)
    drawn = np.bincount([choose_token(SCORES, sampling, generator) for _ in range(count)], minlength=len(SCORES))
    np.testing.assert_allclose(drawn / count, compute_probabilities(SCORES, sampling), atol=1.01 / count)


@pytest.mark.parametrize("temperature", [1e-300, 1e-12])
def test_a_low_temperature_takes_the_best(temperature: float) -> None:
    generator = np.random.default_rng(0)
    assert {choose_token(SCORES, Sampling(temperature), generator) for _ in range(9)} == {int(SCORES.argmax())}


def test_a_seed_draws_the_same_text(folder: Path) -> None:
    predictor = netc.load(folder / "run")
    texts = ["".join(map(str, predictor.generate("Once", tokens=9, seed=seed))) for seed in (0, 0, 1, 2)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


# --- text of tokens --------------------------------------------------------------------------------------------------------


def test_text_of_bytes() -> None:
    decoder = BYTES.make_decoder()
    content = "Grüße 🙂".encode()
    assert "".join(decoder.decode(byte) for byte in content) == "Grüße 🙂"
    assert [decoder.decode(token) for token in (0xF0, 0x9F)] == ["", ""]
    assert decoder.finish() == "\ufffd"
    assert BYTES.make_decoder().decode(300) == "\ufffd"


def test_text_of_tokens(folder: Path) -> None:
    tokenizer, reference = read_tokenizer(str(folder / "tokenizer.json")), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    generator = np.random.default_rng(0)
    for numbers in (tokenizer.encode("Köln 🙂🙂!"), *(generator.integers(0, SIZE, 30) for _ in range(20))):
        decoder = tokenizer.make_decoder()
        text = "".join(decoder.decode(int(number)) for number in numbers) + decoder.finish()
        assert text == reference.decode(numbers.tolist())


def test_a_note_is_never_in_the_middle_of_the_text(folder: Path) -> None:
    """The text becomes longer than the model takes while it is printed, without a line break at its end."""
    done = run_cli("generate", str(folder / "run"), "--prompt", "Once upon", "--tokens", "60", "--temperature", "0")
    (text, _) = done.output.split("\nnote: ")
    assert text.startswith(done.stdout.rstrip("\n"))
    assert f"the model takes {LIMIT} tokens" in done.stderr
