"""What is too large ends with one error, not with a heap of them, and not with the memory of the machine."""

from __future__ import annotations

import pytest

import netc


@pytest.mark.slow
def test_two_million_iterations_that_make_nothing() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("input 3 -> repeat i in 0..2000 as _ { repeat j in 0..1000 as _ { in } }")
    (only,) = caught.value.diagnostics
    assert only.code == "too-many-nodes"
    assert "1_000_001 iterations" in only.message
