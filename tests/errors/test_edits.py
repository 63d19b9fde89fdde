"""Every edit that a diagnostic has mends what it is for: of the cases in this folder, and of the syntax errors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from netc.analysis import Analysis, Choice, analyze
from netc.dsl.diagnostics import Diagnostic, apply_edits, select_safe_edits
from netc.dsl.source import SourceFile
from tests.dsl.test_syntax_errors import CASES as SYNTAX
from tests.errors.options import chosen
from tests.errors.test_errors import CASES

TEXTS = {f"{case.parent.name}/{case.stem}": (case, case.read_text(encoding="utf-8")) for case in CASES}
TEXTS |= {case: (Path("a.net"), case.replace("\\n", "\n")) for case in SYNTAX}


@lru_cache(maxsize=32)
def analyzed(path: Path, text: str) -> Analysis:
    """The analysis of a text. The tests ask for the same one several times in a row."""
    return analyze(SourceFile("a.net", text), chosen(text), str(path))


def with_edits(path: Path, text: str) -> list[Diagnostic]:
    return [d for d in analyzed(path, text).diagnostics if d.edits and d.span.file.name == "a.net"]


def check_edits_mend(path: Path, text: str) -> None:
    """Raises an AssertionError if an edit of a diagnostic leaves it as it is. `test_helps` calls this for all texts."""
    for one in with_edits(path, text):
        for edit in one.edits:
            changed = text[: edit.span.start] + edit.text + text[edit.span.end :]
            left = [(d.code, d.message, d.span.start) for d in analyzed(path, changed).diagnostics]
            assert (one.code, one.message, one.span.start) not in left


@pytest.mark.parametrize(
    "name",
    ["habits/channels-last", "habits/keras-names", "files/std-without-ending", "input 3,224,224 -> conv 8 3", "x => dense 2"],
)
def test_there_are_edits(name: str) -> None:
    assert with_edits(*TEXTS[name])


def mended(text: str) -> str:
    """The text after its safe edits, again and again, as errors can hide others."""
    source = SourceFile("a.net", text)
    while edits := select_safe_edits(source, analyze(source, Choice()).diagnostics):
        source = SourceFile("a.net", apply_edits(edits))
    return source.text


MENDED = {
    'input 3 -> dense 2 name="fc" relu': "input 3 -> dense 2 relu as fc",
    'input 3 -> dense(2, name="fc")': "input 3 -> dense(2) as fc",
    'block b(w) { dense w }\ninput 3 -> b 2 name="x"': "block b(w) { dense w }\ninput 3 -> b 2 as x",
    "input 3 -> dense 3 2 relu": "input 3 -> dense 2 relu",
    "input 1x8x8 -> conv(1, 8, 3, padding=1)": "input 1x8x8 -> conv(8, 3, padding=1)",
    "input 3x8x8 -> conv_transpose 3 8 2 stride=2 as up": "input 3x8x8 -> conv_transpose 8 2 stride=2 as up",
    "x = input 3; dense(x, 3, 2)": "x = input 3; dense(x, 2)",
    "a = input 3; b = input 4; (a, b) -> bilinear 3 4 2": "a = input 3; b = input 4; (a, b) -> bilinear 2",
    "input 8 -> layer_norm [8]": "input 8 -> layer_norm",
    "input 3x8x8 -> batch_norm(3)": "input 3x8x8 -> batch_norm()",
    "input 3x8x8 -> batch_norm 3 relu": "input 3x8x8 -> batch_norm relu",
    "input [T, 4] -> lstm 4 8 num_layers=2": "input [T, 4] -> lstm 8 num_layers=2",
    "input [T, 8] -> multihead_attention embed_dim=8 num_heads=2": "input [T, 8] -> multihead_attention num_heads=2",
    "input 3 -> dense(2, in_features=3)": "input 3 -> dense(2)",
    "input 3 -> dense 2 activation=(leaky_relu 0.2) bias=false as d": "input 3 -> dense 2 bias=false (leaky_relu 0.2) as d",
    'input 3 -> Dense(2, activation="relu", use_bias=false)': "input 3 -> dense 2 bias=false relu",
    "input 3x8x8 -> conv 8 3 stride 2 padding 1": "input 3x8x8 -> conv 8 3 stride=2 padding=1",
    "input 3x8x8 -> conv(8, 3, stride, 2)": "input 3x8x8 -> conv(8, 3, stride=2)",
    "input 3x8x8 -> transpose 0 2 3 1": "input 3x8x8 -> permute [0, 2, 3, 1]",
    "input 3x8x8 -> permute 0 (-1) 1 2": "input 3x8x8 -> permute [0, -1, 1, 2]",
    "input 3x8x8 -> reshape (-1)": "input 3x8x8 -> reshape [-1]",
    "input 3x8x8 -> max_pool 2 stride=2 relu -> flatten": "input 3x8x8 -> max_pool 2 stride=2 -> relu -> flatten",
    "input 3 -> dense relu 2 bias=false": "input 3 -> dense 2 bias=false relu",
}


@pytest.mark.parametrize("text", MENDED)
def test_safe_edits(text: str) -> None:
    assert mended(text) == MENDED[text]
    assert not any(d.severity == "error" for d in analyzed(Path("a.net"), MENDED[text]).diagnostics)


@pytest.mark.parametrize("name", ["swiglu", "gated_mlp", "mlp"])
def test_the_edits_of_a_standard_block_bring_it_in(name: str) -> None:
    """By its own name, and by one of another library."""
    (found,) = with_edits(Path("a.net"), f"input [T, 8] -> {name} 16")
    changed = apply_edits(list(found.edits))
    assert changed.startswith('use "std/mlp.net": ')
    assert not any(d.severity == "error" for d in analyzed(Path("a.net"), changed).diagnostics)


@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> conv 8 3 2",  # Keras's stride, or PyTorch's channels of the input?
        "input 3 -> dense 4 2",
        "input 3x8x8 -> max_pool 2 relu as p",  # which of the two has the label?
        "let s = (max_pool 2 relu); input 3x8x8 -> s",
        "input 3 -> dense(units=(1 + 1), activation=relu)",
    ],
)
def test_what_is_not_certain_is_no_safe_edit(text: str) -> None:
    assert mended(text) == text


@pytest.mark.parametrize(
    ("call", "stage"),
    [
        ("x = input 4\nx.relu()", "x = input 4\nx -> relu"),
        ("x = input 4\ny = x.relu() + 1", "x = input 4\ny = (x -> relu) + 1"),
        ("x = input 4\nx.relu() -> dense 2", "x = input 4\nx -> relu -> dense 2"),
        ("x = input 4\nout x.relu(), x", "x = input 4\nout (x -> relu), x"),
    ],
)
def test_a_method_becomes_a_stage(call: str, stage: str) -> None:
    """The edit alone gives a text that means what the author would write."""
    source = SourceFile("a.net", call)
    (problem,) = analyze(source, Choice()).diagnostics
    (edit,) = problem.edits
    assert call[: edit.span.start] + edit.text + call[edit.span.end :] == stage
    assert analyze(SourceFile("a.net", stage), Choice()).diagnostics == ()


def test_a_chain_of_methods_has_no_edit() -> None:
    """An edit of the first call would leave the second one on the name of a stage."""
    (problem,) = analyze(SourceFile("a.net", "x = input 4\nx.relu().tanh()"), Choice()).diagnostics
    assert problem.message == "tensors have no methods"
    assert problem.edits == ()
