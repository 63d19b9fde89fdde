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
