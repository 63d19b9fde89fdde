"""Running contradicts no claim about random specs."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.position_proofs import check


@pytest.mark.parametrize("count", [15, pytest.param(150, marks=pytest.mark.long)])
def test_running_contradicts_no_proof(count: int) -> None:
    found = [check(Random(f"proofs {number}"), "") for number in range(count)]
    assert [one for one in found if one.what] == []
    kinds = [one.kind for one in found]
    # Both verdicts occur often, or the texts test nothing.
    assert min(kinds.count("proved"), kinds.count("leak shown")) > count // 5
