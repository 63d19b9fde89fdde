"""docs/streams.md is true, and the command line and the API do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.compiler.streaming.rule_table import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")
SPECS = Path(__file__).parents[2] / "specs"
LUONG = "specs/sequences/seq2seq.net"
SMALL = ["--model", "luong", "--set", "source=20", "--set", "target=9", "--set", "width=8"]


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, list(words), prog_name="netc")
    return found.exit_code, found.output


def test_the_error_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conv.net").write_text("x = input [3, T]\nx -> conv 8 3 padding=1\n", encoding="utf-8")
    (shown,) = re.findall(r"^\$ netc check conv.net --causal T\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert run("check", "conv.net", "--causal", "T") == (1, shown)


def test_the_lookahead_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, the files and the code of the section, against the whole in PyTorch."""
    monkeypatch.chdir(tmp_path)
    Path("conv.net").write_text("x = input [3, T]\nx -> conv 8 3 padding=1\n", encoding="utf-8")
    (shown,) = re.findall(r"^\$ netc check conv.net --causal T --lookahead\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert run("check", "conv.net", "--causal", "T", "--lookahead") == (0, shown)
    (command,) = re.findall(r"^    netc (compile conv.net --stream T --lookahead .*)$", PAGE, re.MULTILINE)
    code, notes = run(*command.split(), "--seed", "0")
    assert code == 0
    assert "the outputs come 1 position later" in notes
    piece = np.random.default_rng(0).standard_normal((2, 3, 7), dtype=np.float32)
    with torch.no_grad():
        whole = netc.compile_file("conv.net").module(seed=0)(torch.from_numpy(piece)).numpy()
    step, flush = (onnxruntime.InferenceSession(name) for name in ("step.onnx", "step.flush.onnx"))
    past = {i.name: np.zeros([2 if d == "N" else d for d in i.shape], np.float32) for i in step.get_inputs() if i.name != "x"}
    early, *states = step.run(None, {"x": piece, **past})
    names = [o.name.replace("next_", "past_") for o in step.get_outputs()[1:]]
    feeds = dict(zip(names, states, strict=True))
    last = flush.run(None, {"x": np.full((2, 3, 1), 99, np.float32)} | {i.name: feeds[i.name] for i in flush.get_inputs() if i.name != "x"})
    np.testing.assert_allclose(np.concatenate([early[..., 1:], last[0]], 2), whole, atol=1e-6)
    (code_block,) = re.findall(r"```python\n(stream = .*?lookahead=1.*?)```", PAGE, re.DOTALL)
    names_of_block: dict[str, object] = {"netc": netc, "piece": piece}
    exec(code_block, names_of_block)  # the page is ours
    results, rest = names_of_block["results"], names_of_block["rest"]
    assert isinstance(results, dict)
    assert isinstance(rest, dict)
    np.testing.assert_allclose(np.concatenate([results["output"], rest["output"]], 2), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("input [T, 4] -> gru 5", "check --lookahead", "--lookahead is for --causal T"),
        ("input [T, 4] -> gru 5", "compile --lookahead 2", "--lookahead is for --stream T, without --for"),
        ("input [T, 4] -> gru 5", "compile --stream T --lookahead 0", "0 is not in the range"),
        ("input [3, T] -> conv 4 3 padding=1", "compile --stream T --lookahead 1 --target torch", "several files: give the name of one"),
        ("input [3, T] -> conv 4 7 padding=3", "compile --stream T --lookahead 2 --target torch", "further than 2 positions"),
        ("input [4, T] where T % 4 == 0", "compile --stream T --lookahead 2 --target torch", "a multiple of 4"),
    ],
)
def test_a_wrong_lookahead_is_refused(text: str, words: str, message: str) -> None:
    code, shown = run(*words.split(), "-e", text)
    assert code != 0
    assert message in " ".join(shown.split())


@pytest.mark.parametrize("text", ["conv 8 3 padding=1 -> pad [1, -1]", "conv 8 3 padding=2 -> slice 2 stop=T"])
def test_what_is_late_is_causal(text: str) -> None:
    assert f"`{text}`" in PAGE.replace("\n", " ")
    code, shown = run("check", "-e", f"x = input [3, T]; x -> {text}", "--causal", "T")
    assert (code, shown.splitlines()[0]) == (0, "no errors")


def test_a_proof_says_what_is_remembered() -> None:
    code, shown = run("check", "-e", "input [T, 4] -> gru 5", "--causal", "T")
    assert (code, shown) == (0, "no errors\n`net` is causal along `T`: a stream remembers 5 numbers for a sample\n")


MASKED = "x = input [T, 4]; m = table (i, j) [T, T] = (0 if j <= i else {}); p = (x @ transpose(x, 1, 2)) + m -> softmax axis=-1; p @ x"


def test_a_proof_that_depends_on_a_finite_mask_says_so() -> None:
    """With scores of -1e5 in front of it, a key that is hidden by -1e4 is seen. Infinity has no such limit."""
    _, shown = run("check", "-e", MASKED.format("-10000"), "--causal", "T")
    assert "\nnote: its masks hide scores with -10000: this holds as long as no other score is nearly as low" in shown
    for text in (MASKED.format("-inf"), "x = input [T, 4]; (x, x, x) -> attention causal=true", "input [T, 4] -> gru 5"):
        code, shown = run("check", "-e", text, "--causal", "T")
        assert (code, "note:" in shown) == (0, False), shown


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("x = input [T, 4]; (v, i) = x -> cummax 1; out v, i", "cummax"),
        ("x = input [T, 4]; (y, w) = x -> multihead_attention 2 causal=true; out y, w", "multihead_attention"),
    ],
)
def test_a_result_for_each_position_without_a_rule_is_no_look_ahead(text: str, operator: str) -> None:
    """The index of `cummax` and the weights of causal attention depend on no later position: there is no rule for them."""
    code, shown = run("check", "-e", text, "--causal", "T")
    assert code == 1
    assert f"error[not-streamed]: `{operator}` cannot be computed piece by piece along `T`: netc has no rule for this result of it" in shown
    assert (
        "known at the end" in run("check", "-e", "x = input [T, 4]; (y, h) = x -> gru 5; y + (h -> permute [1, 0, 2])", "--causal", "T")[1]
    )


def test_two_files(tmp_path: Path) -> None:
    step, start = tmp_path / "step.onnx", tmp_path / "step.start.onnx"
    code, shown = run("compile", LUONG, *SMALL, "--stream", "T", "--seed", "0", "-o", str(step))
    assert code == 0, shown
    assert f"`{start}` computes" in shown
    first, second = onnxruntime.InferenceSession(str(start)), onnxruntime.InferenceSession(str(step))
    fixed = dict(zip([o.name for o in first.get_outputs()], first.run(None, {"text": np.array([[1, 2, 3]])}), strict=True))
    given = {i.name: fixed[i.name] for i in second.get_inputs() if i.name in fixed}
    given |= {"translation": np.array([[4, 5]]), "past_pad1_inputs": np.zeros((1, 1), np.int64)}
    found = dict(zip([o.name for o in second.get_outputs()], second.run(None, given), strict=True))
    model = netc.compile_file(LUONG, model="luong", params={"source": 20, "target": 9, "width": 8})
    whole = model.session(seed=0)(text=[[1, 2, 3]], translation=[[4, 5]])
    np.testing.assert_allclose(found["scores"], whole, atol=1e-6)


def test_source_of_a_step() -> None:
    code, shown = run("compile", "-e", "input [T, 4] -> gru 5", "--stream", "T", "--target", "torch")
    assert code == 0
    assert "past_gru1_hidden" in shown or "past_gru_hidden" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream", "T", "--emit", "graph"], "--stream is for a file or a text of a target"),
        (["--stream", "T", "--target", "train"], "--stream is for a file or a text of a target"),
    ],
)
def test_options_that_exclude_each_other(words: list[str], message: str) -> None:
    code, shown = run("compile", "-e", "input [T, 4] -> gru 5", *words)
    assert code == 2
    assert message in shown


def test_a_stream_that_is_two_files_needs_a_name() -> None:
    code, shown = run("compile", LUONG, *SMALL, "--stream", "T", "--target", "torch")
    assert code == 1
    assert "several files" in shown


def test_nothing_is_written_for_what_looks_ahead(tmp_path: Path) -> None:
    code, shown = run("compile", "-e", "input [T, 4] -> flip axis=1", "--stream", "T", "-o", str(tmp_path / "step.onnx"))
    assert code == 1
    assert "looks-ahead" in shown
    assert list(tmp_path.iterdir()) == []


def test_wrong_inputs_are_named() -> None:
    run_ = netc.compile("x = input [T, 4]; y = input [3]; x * (y -> dense 4 -> unsqueeze 1)").stream("T").module(seed=0)
    with pytest.raises(ValueError, match="the start of the stream lacks `y`"):
        run_.begin()
    state = run_.begin(y=torch.zeros(1, 3))
    with pytest.raises(ValueError, match="a piece lacks `x`"):
        run_(state)
    with pytest.raises(ValueError, match="a piece takes no `y`"):
        run_(state, x=torch.zeros(1, 2, 4), y=torch.zeros(1, 3))


@pytest.mark.parametrize("dimension", [None, 3])
def test_a_dimension_is_a_name(dimension: object) -> None:
    with pytest.raises(TypeError):
        netc.compile("input [T, 4] -> gru 5").stream(dimension)  # type: ignore[arg-type]


def test_a_limit_of_the_whole_holds_for_all_pieces() -> None:
    run_ = netc.compile("x = input [T, 4] where T <= 6; (x, x, x) -> attention causal=true").stream("T").session(seed=0)
    _, state = run_(run_.begin(), x=np.zeros((1, 4, 4), np.float32))
    _, after = run_(state, x=np.zeros((1, 2, 4), np.float32))
    with pytest.raises(ValueError, match="T <= 6"):
        run_(after, x=np.zeros((1, 1, 4), np.float32))


def test_memory() -> None:
    assert netc.compile("input [T, 4] -> gru 5").stream("T").memory() == "5"
    assert netc.compile("x = input [T, 4]; (x, x, x) -> attention causal=true").stream("T").memory() == "8*P"


def test_rules_are_of_operators() -> None:
    assert all(issubclass(cls, netc.compiler.ops.operator.Operator) for cls in RULES)


def test_the_loop_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """States that stay values give the tokens that `stream.session` does."""
    monkeypatch.chdir(tmp_path)
    (loop,) = (code for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "OrtValueVector" in code)
    params = {"width": 32, "depth": 2, "heads": 2, "shared_heads": 1, "hidden": 48, "vocabulary": 60}
    stream = netc.compile_file(SPECS / "text" / "llama.net", model="network", params=params).stream("T")
    stream.save("step.onnx", seed=5)
    prompt = np.array([[7, 3, 11]])
    run, found, wanted = stream.session(seed=5), [], []
    state, piece = run.begin(), prompt
    for _ in range(12):
        results, state = run(state, tokens=piece)
        piece = results["logits"][:, -1:].argmax(-1)
        wanted.append(int(piece[0, 0]))
    noted = loop.replace("# the next token", "; found.append(int(tokens[0, 0]))")
    exec(noted, {"onnxruntime": onnxruntime, "numpy": np, "prompt": prompt, "count": 12, "found": found})
    assert found == wanted
