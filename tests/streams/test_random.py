"""Random causal models in pieces, and random models that look ahead at one stage, which is found."""

from __future__ import annotations

import pytest

import netc
from tests.streams.pieces import same_in_pieces
from tests.streams.random_models import causal, looking_ahead

CAUSAL, AHEAD = 500, 200
QUICK = 10
"""The number of each that is not long."""


def _some(count: int) -> list[object]:
    return [seed if seed < QUICK else pytest.param(seed, marks=pytest.mark.long) for seed in range(count)]


@pytest.mark.thorough(2)
@pytest.mark.parametrize("seed", _some(CAUSAL))
def test_pieces_give_what_the_whole_gives(seed: int) -> None:
    text, every = causal(seed)
    same_in_pieces(netc.compile(text), total=every * (5 + seed % 9), seed=seed, every=every)


@pytest.mark.parametrize("seed", _some(AHEAD))
def test_the_stage_that_looks_ahead_is_found(seed: int) -> None:
    text, line = looking_ahead(seed)
    model = netc.compile(text)
    with pytest.raises(netc.CompileError) as caught:
        model.stream("T")
    (found,) = caught.value.diagnostics
    position = text[: found.span.start].count("\n") + 1
    assert (found.code, position) == ("looks-ahead", line), text + str(caught.value)
