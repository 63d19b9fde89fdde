"""Parameters of other stages in a stream: in blocks, of shared stages, and where the stage itself is in no step."""

from __future__ import annotations

import pytest

import netc
from tests.streams.pieces import same_in_pieces

STATE = "z = table (n, i) [N, 4] float32 = 0; "
CASES = {
    "in a block": "block b { h = in -> dense 4 as d; h @ d.weight }\nx = input [T, 4]\nx -> b as q -> b as r",
    "of a shared stage": "x = input [T, 4]\nshared s = dense 4 as d\nh = x -> s -> s\nh @ d.weight",
    "of a shared stage in a block": (
        "block b { shared s = dense 4 as d; h = in -> s; h -> s -> matmul other=d.weight }\nx = input [T, 4]\nx -> b as q -> b as r"
    ),
    "of a stage that nothing needs": "x = input [T, 4]\n_y = x -> dense 4 as d -> relu\n((x @ d.weight) -> relu) @ d.weight + d.bias",
    "of a stage before the stream": "c = input 4\nx = input [T, 4]\nk = c -> dense 4 as d\nx @ d.weight + (k -> unsqueeze 1)",
    "before the stream, of a stage in it": "c = input 4\nx = input [T, 4]\nk = x -> dense 4 as d\nk + (c @ d.weight -> unsqueeze 1)",
    "in a loop": "x = input [T, 4]\n" + STATE + "x -> scan (h = z) axis=1 { g = h -> dense 4 as d; h = in + g @ d.weight }",
    "in a loop, of a stage that nothing needs": (
        "x = input [T, 4]\n" + STATE + "_k = x -> dense 4 as d\nx -> scan (h = z) axis=1 { h = h * 0.5 + in @ d.weight }"
    ),
    "in a loop in a block": (
        f"block b {{ {STATE}k = in -> dense 4 as d; k -> scan (h = z) axis=1 {{ h = h * 0.1 + in @ d.weight }} }}\n"
        "x = input [T, 4]\nx -> b as q -> b as r"
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_pieces_give_what_the_whole_gives(case: str) -> None:
    same_in_pieces(netc.compile(CASES[case]), total=7)


def test_an_unused_stage_is_no_reason_to_refuse() -> None:
    """`x / T` depends on the length of the whole, but no output does."""
    same_in_pieces(netc.compile("x = input [T, 4]\ny = x / T\nx -> dense 4"), total=5)


@pytest.mark.parametrize("number", ["0.5", "(0.5 if 1 < 2 else 3)", "max(0.5, 0.25)", "[3, 0.5][1]", "1 / 2"])
def test_a_number_is_one_however_it_is_written(number: str) -> None:
    """A state that starts with one number has it in place of a count of positions."""
    stream = same_in_pieces(
        netc.compile(f"x = input [T, 4]\nz = table (n, i) [N, 4] float32 = {number}\nx -> scan (h = z) axis=1 {{ h = h + in }}")
    )
    assert [state.start for state in stream.stream.states] == [0.5]
