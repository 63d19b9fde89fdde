"""Costs: by stage and in total, for one sample."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.analysis.model_cost import ModelCost, StageCost, summarize_costs
from netc.compiler.dims import format_dim


def cost(text: str) -> ModelCost:
    return summarize_costs(netc.compile(text).program)


def shape(row: StageCost) -> tuple[object, ...]:
    return (row.label, row.name, row.times, *map(shape, row.detail))


def test_rows_nest_as_blocks_do_and_equal_ones_are_one() -> None:
    found = cost("block b { dense 4 relu }\ninput 4 -> repeat 12 as layers { b } -> dense 2 as head")
    inside = ("0", "b", 12, ("dense1", "dense", 1), ("relu1", "relu", 1))
    assert [shape(row) for row in found.rows] == [("layers", "sequence", 1, inside), ("head", "dense", 1)]


def test_numbers_of_a_row_are_those_of_one() -> None:
    found = cost("input 4 -> repeat 12 as layers { dense 4 } -> dense 2 as head")
    (layer,) = found.rows[0].detail
    assert (layer.times, layer.parameters, layer.flops, layer.activation_bytes) == (12, 20, 36, 16)
    assert found.rows[0].parameters == 12 * 20
    assert found.totals.parameters == 12 * 20 + 10
    assert found.totals.flops == 12 * 36 + 2 * 9
    assert found.totals.activation_bytes == 12 * 16 + 8


def test_unequal_neighbors_stay_apart() -> None:
    found = cost("input 4 -> dense 4 -> dense 4 -> dense 5 -> dense 5")
    assert [(row.label, row.times) for row in found.rows] == [("dense1", 2), ("dense3", 1), ("dense4", 1)]


def test_other_dimensions_stay_symbolic() -> None:
    totals = cost("input [T, 8] -> dense 4 bias=false").totals
    assert format_dim(totals.flops) == "64*T"
    assert format_dim(totals.activation_bytes) == "16*T"


def test_buffers_and_bytes() -> None:
    totals = cost("input 4 -> batch_norm").totals
    assert (totals.parameters, totals.trainable, totals.buffers) == (8, 8, 9)
    assert totals.parameter_bytes == 16 * 4 + 8


def test_all_results_of_an_operator_are_kept() -> None:
    """A float32 and an int64 for each of 4 elements; 3 steps of 5 numbers, and the hidden and cell states of each of 2 layers."""
    assert cost("(v, i) = input 4 -> sort; out v, i").totals.activation_bytes == 4 * 4 + 4 * 8
    assert cost("(y, h, c) = input [3, 4] -> lstm 5 layers=2; out y, h, c").totals.activation_bytes == 4 * (3 * 5 + 2 * 5 + 2 * 5)


def test_shared_and_tied_parameters_count_once() -> None:
    text = "shared enc = dense 4; x = input 4; a = x -> enc; b = a -> enc; out b -> dense 4 bias=false tie=enc"
    found = cost(text)
    assert found.totals.parameters == 20
    assert [row.parameters for row in found.rows if row.name == "dense"] == [20, 0, 0]


def test_a_shared_stage_that_is_used_inside_counts_at_its_first_use() -> None:
    found = cost("shared enc = dense 4\ninput 4 -> repeat 3 as layers { enc -> dense 4 as own } -> enc")
    assert sum(row.parameters * row.times for row in found.rows) == found.totals.parameters == 4 * 20


@pytest.mark.long
def test_many_repeats_are_counted_at_once() -> None:
    found = cost("input 4 -> repeat 50_000 as layers { dense 4 relu }")
    assert found.totals.parameters == 50_000 * 20
    assert [row.times for row in found.rows[0].detail] == [50_000]
