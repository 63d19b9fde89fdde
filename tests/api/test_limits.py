"""What is too large ends with one error, not with a heap of them, and not with the memory of the machine."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

import netc
from netc.compiler.elaborate import resource_limits
from netc.dsl.grammar import load_tables
from netc.files import spec_loader


@pytest.mark.parametrize(
    ("value", "fits"),
    [("2 ** 2048", True), ("2 ** 2049", False), ("2 ** 2048 * 2 ** 2047", True), ("2 ** 2048 * 2 ** 2048", False)],
)
def test_numbers_have_at_most_4096_bits(value: str, fits: bool) -> None:
    """A power whatever it is, if that many bits for each factor would be more."""
    text = f"let k = {value}\ninput 3 -> dropout (k * 0)"
    if fits:
        netc.compile(text)
        return
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    assert [d.code for d in caught.value.diagnostics] == ["no-value"]


WORK = {
    "iterations that make nothing": ("input 3 -> repeat i in 0..200 as _ { repeat j in 0..100 as _ { in } }", "iterations"),
    "equal iterations": ("input 3 -> repeat 1000001 { relu }", "iterations"),
    "items of comprehensions": ("let n = 400\nlet many = [[i * j for i in n] for j in n]\ninput 3 -> dense (len(many))", "iterations"),
    "iterations that differ": ("input 3 -> repeat i in 1000 { dense (3 + i % 2) }", "different stages"),
    "stages of blocks": ("block b(w) { dense w relu }\ninput 3 -> " + " -> ".join(f"b {n}" for n in range(3, 303)), "different stages"),
    "blocks inside themselves": (
        "block tree(n, depth) { if depth > 0 { tree (2 * n) (depth - 1) -> tree (2 * n + 1) (depth - 1) } }\ninput 3 -> tree 1 40",
        "inside itself more than 60 times",
    ),
    "long names": (f"input 3 -> repeat 600 as {'long' * 10} {{ dense 3 }}", "characters in the names of its parameters"),
}


@pytest.mark.parametrize(("text", "what"), WORK.values(), ids=WORK.keys())
def test_work_is_limited(text: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_limits.ITERATIONS, "limit", 5_000)
    monkeypatch.setattr(resource_limits.STAGES, "limit", 500)
    monkeypatch.setattr(resource_limits.RECURSIONS, "limit", 60)
    monkeypatch.setattr(resource_limits.LETTERS, "limit", 15_000)
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    found = [d for d in caught.value.diagnostics if d.severity == "error"]
    assert [d.code for d in found] == ["too-many-nodes"]
    assert what in found[0].message


def test_nothing_is_checked_after_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_limits.RECURSIONS, "limit", 60)
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f"{WORK['blocks inside themselves'][0]}\nlater = input 3 -> desne 3")
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == ["too-many-nodes"]


def test_what_is_written_once_has_no_other_limit_than_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_limits.STAGES, "limit", 500)
    netc.compile("input 3" + " -> dense 3" * 1000)


def test_equal_layers_are_one_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_limits.STAGES, "limit", 500)
    netc.compile("block b(w) { dense w relu }\ninput 3 -> repeat 3000 as layers { b 3 }")


def test_what_follows_from_conditions_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conditions are short, and no expression computes what follows from them."""
    monkeypatch.setattr(resource_limits.TERMS, "limit", 400)
    names = [f"D{i}" for i in range(12)]
    conditions = [f"{a} + 2*{b} <= 3*{c} + {d}" for a, b, c, d in zip(names, names[1:], names[2:], names[3:], strict=False)]
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f"input [{', '.join(names)}] where {' and '.join(conditions)}")
    assert [d.code for d in caught.value.diagnostics] == ["too-large"]


MILLION = "".join(f"let a{i} = 0..1000000\n" for i in range(20))
WHOLES = {
    "lists": MILLION + "input 3 -> dense (" + " + ".join(f"a{i}[1]" for i in range(20)) + ")",
    "products": "".join(f"let a{i} = [0] * 1000000\n" for i in range(20))
    + "".join(f"expect a{i}[0] == 0\n" for i in range(20))
    + "input 3",
    "comparisons": "let a = 0..1000000\nlet b = 0..1000000\n" + "expect a == b\n" * 20 + "input 3",
    "sums": "let a = 0..1000000\n" + "expect sum(a) > 1\n" * 20 + "input 3",
    "lists in a list": "let a = [([0] * 999)[0] for i in 0..100000]\ninput 3 -> dense (len(a))",
    "parts of a shape": "input 3" + "x3" * 100,
    "words": "let a = 1;" * 250_000 + "input 3",
    "values in a string": f'let a = "{"{1}" * 200_000}"\ninput 3',
    "values in labels": "input 3" + " -> relu as a{1}{1}{1}{1}{1}{1}{1}{1}" * 20_000,
    "words in a string": f'block b(s) {{ in }}\ninput 3 -> b "{{{"1 + " * 600_000}1}}"',
}


@pytest.mark.parametrize("name", WHOLES)
@pytest.mark.sample(2)
def test_limits_on_the_whole(name: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(WHOLES[name])
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == ["too-many-nodes"]


@pytest.mark.parametrize("text", ["1" + "x1" * 200_000, "1" + "_1" * 200_000, "1" + "a." * 200_000, "as a" + ".a" * 200_000])
def test_a_word_takes_the_memory_of_its_text(text: str) -> None:
    """A regular expression that could go back would remember each of its repetitions."""
    pattern = load_tables().pattern
    tracemalloc.start()
    match = pattern.match(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert match is not None
    assert match.end() == len(text)
    assert peak < 2 * len(text)


def test_a_hundred_diagnostics_are_printed() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("".join(f"let unused{i} = 1\n" for i in range(150)) + "input 3 -> dens 2\n" + "input 3 -> dense zz=1\n" * 149)
    text = str(caught.value)
    assert text.count("error[") + text.count("warning[") == 100
    assert "more diagnostics are not shown" in text
    assert "error[unknown-operator]" in text


@pytest.mark.parametrize("text", ['input 3 -> einsum "{0}"', 'use "{0}.net"\ninput 3', "input 3 -> {0}", 'input 3 -> is ["{0}"]'])
def test_a_diagnostic_quotes_no_more_than_a_screen(text: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text.format("a" * 100_000))
    assert len(str(caught.value)) < 5_000


def test_no_further_errors_are_looked_for() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("let a = 1\n" * 1200 + "input 3 -> dens 2")
    assert [d.code for d in caught.value.diagnostics] == ["bound-twice"] * 1001


def test_files_are_limited_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_loader, "MAX_USED_CHARACTERS", 1 << 20)
    for name in "abc":
        (tmp_path / f"{name}.net").write_text(f"block {name}(w) {{ in -> dense w }}  # {'x' * 400_000}")
    (tmp_path / "main.net").write_text('use "a.net"\nuse "a.net"\nuse "b.net"\nuse "c.net"\ninput 3 -> a 2 -> b 2')
    with pytest.raises(netc.CompileError) as caught:
        netc.compile_file(tmp_path / "main.net")
    assert [(d.code, d.span.text) for d in caught.value.diagnostics] == [("cannot-use", '"c.net"')]
    assert "larger than 1 MiB together" in str(caught.value)


def test_many_inputs() -> None:
    model = netc.compile("input 3\n" * 3000)
    assert list(model.inputs)[-1] == "input3000"


def test_one_tensor_as_many_outputs() -> None:
    model = netc.compile("x = input 3\nout " + ", ".join(["x"] * 2000))
    assert [*model.outputs][:3] == ["x_", "x_2", "x_3"]
    assert max(map(len, model.outputs)) < 10
