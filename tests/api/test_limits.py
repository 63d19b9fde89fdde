"""What is too large ends with one error, not with a heap of them, and not with the memory of the machine."""

from __future__ import annotations

import pytest

import netc


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


@pytest.mark.slow
def test_two_million_iterations_that_make_nothing() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("input 3 -> repeat i in 0..2000 as _ { repeat j in 0..1000 as _ { in } }")
    (only,) = caught.value.diagnostics
    assert only.code == "too-many-nodes"
    assert "1_000_001 iterations" in only.message


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
    "words in a string": f'block b(s) {{ in }}\ninput 3 -> b "{{{"1 + " * 600_000}1}}"',
}


@pytest.mark.parametrize("name", WHOLES)
def test_limits_on_the_whole(name: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(WHOLES[name])
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == ["too-many-nodes"]


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
