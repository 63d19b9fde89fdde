"""Streams of assignments: all rows and columns of a matrix are needed for each pair."""

from __future__ import annotations

from ...ops.assignment import Match
from ...ops.operator import OpInputs
from ..rule_table import mixes_axes


@mixes_axes(Match)
def mix_matrix(op: Match, inputs: OpInputs, index: int) -> frozenset[int]:
    rank = inputs.types[index].rank
    return frozenset({rank - 2, rank - 1})
