"""Each rule by itself, in pieces against the whole, with hard numbers where they could matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import netc
from tests.streams.pieces import same_in_pieces

SCAN = "zeros = table (n, i) [N, 4] float32 = 0"
RULES = {
    "a weight inside of a shared stage": "x = input [T, 4]; shared c = (dense 3 tanh -> dense 4 as last); (x -> c) * c.last.bias",
    "gru": "x = input [T, 4]; x -> gru 5 layers=2 -> dense 3",
    "lstm": "x = input [T, 4]; x -> lstm 5 proj_size=3",
    "rnn": "x = input [T, 4]; x -> rnn 5 nonlinearity=relu",
    "gru_from_a_state": "x = input [T, 4]; s = input [3]; h = s -> dense 5 -> unsqueeze 0; (x, h) -> gru 5",
    "gru_from_a_parameter": "x = input [T, 4]; h = param [1, 1, 5] init=ones as h; (x, h -> expand [1, N, 5]) -> gru 5",
    "last_state": "x = input [T, 4]; (y, h) = x -> gru 5; out y, h",
    "conv": "x = input [3, T]; x -> pad [2, 0] -> conv 4 3 relu -> pad [4, 0] -> conv 5 3 dilation=2",
    "conv_two_axes": "x = input 3xTx5; x -> pad [1, 1, 2, 0] -> conv 4 3x3",
    "conv_of_samples": "x = input [T, 3, 8] batch=false; x -> conv 4 3 padding=1 relu -> conv_transpose 2 3 stride=2",
    "conv_along_another_axis": "x = input 3xTx5; x -> conv 4 1x3 padding=0x1",
    "padding_through_a_bias": "x = input [T, 3]; x -> pad [0, 0, 3, 0] -> dense 4 relu -> transpose 1 2 -> conv 5 2 -> conv 4 3",
    "cut_in_front_of_padding": "x = input [T, 3]; x -> pad [0, 0, 2, 0] value=1 -> pad [0, 0, 2, 0] value=3 -> slice 1 start=1 -> "
    "transpose 1 2 -> conv 5 4",
    "cut_in_front_of_a_bias": "x = input [T, 3]; x -> pad [0, 0, 4, 0] value=2 -> dense 2 -> pad [0, 0, -1, 0] -> "
    "transpose 1 2 -> conv 5 4",
    "cut_in_front_of_two_paddings": "x = input [T, 3]; x -> pad [0, 0, 2, 0] -> dense 2 -> pad [0, 0, 2, 0] value=3 -> slice 1 start=3 -> "
    "transpose 1 2 -> conv 5 2",
    "padding_of_another_axis": "x = input [T, 3]; x -> pad [1, 2] value=2 -> dense 4",
    "padding_with_a_number": "x = input [T, 3]; x -> pad [0, 0, 2, 0] value=0.5 -> transpose 1 2 -> conv 5 2 -> conv 4 2",
    "padding_twice": "x = input [3, T]; x -> pad [1, 0] value=2 -> conv 4 1 -> pad [2, 0] value=-3 -> conv 4 4",
    "shift": "x = input [T, 3]; x + (x -> pad [0, 0, 1, -1])",
    "shift_of_tokens": "x = input [T] int64; x -> pad [1, -1] value=3 -> embedding 8 4 -> gru 5",
    "late_is_not_ahead": "x = input [3, T]; x -> conv 3 3 padding=1 -> pad [1, -1]",
    "cut_behind": "x = input [3, T]; x -> conv 3 3 padding=2 -> slice 2 stop=T -> conv 4 2 padding=1 -> slice 2 stop=T",
    "cut_by_padding": "x = input [3, T]; x -> pad [2, 2] -> conv 3 3 -> pad [0, -2]",
    "one_padded_tensor_read_twice": "x = input [3, T]; p = x -> pad [4, 0]; y = p -> conv 3 3; (y -> slice 2 start=2) + (p -> conv 3 5)",
    "first_positions_missing": "x = input [3, T] where T >= 3; x -> conv 3 3 -> pad [2, 0] value=7",
    "first_positions_missing_then_summed": "x = input [3, T] where T >= 3; x -> conv 3 3 -> cumsum axis=2 -> pad [2, 0]",
    "replicated_in_front": "x = input [3, T]; x -> pad [2, 0] mode=replicate -> conv 4 3 -> tanh -> pad [3, 0] mode=replicate -> conv 4 4",
    "replicated_in_front_of_a_sum": "x = input [T, 3]; x -> pad [0, 0, 2, 0] mode=replicate -> cumsum axis=1 -> slice 1 stop=T",
    "repeat_interleave": "x = input [T, 3]; x -> pad [0, 0, 2, 0] value=1 -> repeat_interleave 3 axis=1 -> transpose 1 2 "
    "-> conv 4 4 -> slice 2 stop=(T * 3)",
    "upsample": "x = input [3, T]; x -> pad [1, 0] -> conv 4 2 -> upsample scale=2 -> pad [3, 0] -> conv 2 4",
    "upsample_to_the_exact_neighbor": "x = input [3, T]; x -> upsample scale=3 mode=nearest_exact -> pad [1, -1] -> tanh",
    "upsample_by_much": "x = input [3, T]; x -> upsample scale=41 mode=nearest_exact",
    "upsample_of_an_image": "x = input 3xTx4; x -> upsample scale=3x2",
    "tril": "x = input [T, 4]; w = x @ (x -> transpose 1 2) -> tril; w @ x",
    "tril_below": "x = input [T, 4]; w = x @ (x -> transpose 1 2) -> tril (-2); w @ x",
    "triu_of_turned_scores": "x = input [T, 4]; w = x @ (x -> transpose 1 2) -> transpose 1 2 -> triu -> transpose 1 2; w @ x",
    "triu_of_hidden_scores": "x = input [T, 4]; m = table (i, j) [T, T] = j > i; "
    "s = (x @ (x -> transpose 1 2), m) -> masked_fill value=-inf; w = s -> triu (-3) -> softmax; w @ x",
    "tril_of_features": "x = input [T, 8]; x -> tril 1",
    "triu_of_channels": "x = input [8, T]; x -> pad [2, 0] value=1 -> triu -> conv 3 3",
    "tril_of_others": "x = input [T, 3, 4]; x -> tril",
    "diff": "x = input [T, 3]; x -> pad [0, 0, 1, 0] -> diff axis=1",
    "max_pool": "x = input [3, T]; x -> pad [2, 0] value=-100 -> max_pool 3 stride=1",
    "max_pool_padded": "x = input [3, T]; x -> max_pool 3 stride=1 padding=1 -> pad [1, -1]",
    "avg_pool": "x = input [3, T]; x -> pad [3, 0] -> avg_pool 4 stride=1",
    "lp_pool": "x = input [3, T]; x -> pad [1, 0] -> lp_pool 2 stride=1",
    "sliding_window": "x = input [3, T]; x -> pad [3, 0] -> sliding_window 2 4 -> dense 2 tanh",
    "sliding_window_after_padding": "x = input [T, 3]; x -> pad [0, 0, 4, 0] value=2 -> dense 2 -> sliding_window 1 3 -> slice 1 start=2",
    "sliding_window_along_another_axis": "x = input [T, 6]; x -> sliding_window 2 4 2 -> mean axis=3",
    "concat_in_front": "x = input [T, 3]; s = param [1, 1, 3] as s; (s -> expand [N, 1, 3], x) -> concat axis=1 -> slice 1 stop=T",
    "concat_of_features": "x = input [T, 3]; y = input [T, 2]; (x, y, x) -> concat axis=2",
    "fixed_for_all_positions": "x = input [T, 3]; y = input [3]; x * (y -> unsqueeze 1)",
    "fixed_computed_once": "x = input [T, 3]; y = input [5]; x * (y -> dense 3 tanh -> unsqueeze 1)",
    "cumsum": "x = input [T, 3]; x -> cumsum axis=1",
    "cumsum_after_padding": "x = input [T, 3]; x -> pad [0, 0, 2, 0] value=1 -> cumsum axis=1 -> slice 1 stop=T",
    "cumprod": "x = input [T, 3]; x -> cumprod axis=1",
    "logcumsumexp": "x = input [T, 3]; x -> logcumsumexp axis=1",
    "cummax": "x = input [T, 3]; x -> cummax axis=1",
    "cummin": "x = input [T, 3]; x -> cummin axis=1",
    "table_with_an_index_that_it_uses_twice": "block scaled { (in -> cast float32 -> unsqueeze (-1)) * "
    "(table (i) [4] float32 = 0.3 ** i * (1 - 0.3 ** i)) }; x = input [T] int64; x -> scaled",
    "scan": f"x = input [T, 4]; {SCAN}; x -> scan (h = zeros) axis=1 {{ h = tanh(h + in); out h }}",
    "scan_with_parameters": f"x = input [T, 4]; {SCAN}; x -> scan (h = zeros) axis=1 {{ h = (h -> dense 4 tanh as u) + in; out h }}",
    "scan_from_an_input": "x = input [T, 4]; s = input [4]; x -> scan (h = s) axis=1 { h = h * 0.5 + in; out h }",
    "table_of_positions": "x = input [T, 4]; p = table (t, k) [T, 4] = sin(t / 100 ** (k / 4)); x + p",
    "table_longer_than_the_stream": "x = input [4, T]; p = table (k, t) [4, T + 2] = cos(t + k); (x -> pad [2, 0]) + p -> conv 3 3",
    "rows_of_a_parameter": "x = input [T, 4] where T <= 32; p = param [32, 4] init=normal(1) as p; x + (p -> slice 0 stop=T)",
    "rotary": "x = input 2xTx8; x -> rotary",
    "rotary_of_positions": "x = input 2xTx8; p = input [T] int64; (x, p) -> rotary dims=4",
    "rotary_after_padding": "x = input 2xTx8; x -> pad [0, 0, 2, 0] value=1 -> rotary -> slice 2 stop=T",
    "attention": "x = input [T, 8]; (x, x, x) -> attention causal=true",
    "attention_shared_heads": "q = input 4xTx8; k = input 2xTx8; v = input 2xTx6; (q, k, v) -> attention causal=true",
    "attention_window": "x = input 2xTx8; q = x -> rotary; (q, q, x) -> attention causal=true window=4",
    "attention_window_of_one": "x = input 2xTx8; (x, x, x) -> attention causal=true window=1",
    "attention_mask": "x = input [T, 8]; m = table (q, k) [T, T] = k <= q and k > q - 5; (x, x, x, m) -> attention",
    "cast_scores": "x = input [T, 8]; m = table (i, j) [T, T] int64 = 0 if j <= i else -10_000; "
    "s = (x @ (x -> transpose 1 2)) + (m -> cast float32); (s -> softmax) @ x",
    "attention_scores": "x = input [T, 8]; m = table (q, k) [T, T] = where(q < k, -1e9, (k - q) * 0.1); (x, x, x, m) -> attention",
    "attention_with_slopes": "x = input 2xTx4; s = table (h, i, j) [2, 1, 1] = 2 ** (-2 * (h + 1)); "
    "m = table (i, j) [T, T] = j - i if j <= i else -inf; (x, x, x, s * m) -> attention",
    "attention_with_slopes_in_the_table": "x = input 2xTx4; "
    "m = table (h, i, j) [2, T, T] = exp(-h) * (j - i if j <= i else -1e9) * 0.5; (x, x, x, m) -> attention",
    "attention_with_learned_distances": "x = input 2xTx4; d = table (i, j) [T, T] = min(max(i - j, 0), 5); "
    'b = d -> embedding 6 2 as far -> rearrange "i j h -> 1 h i j"; hide = table (i, j) [T, T] = 0.0 if j <= i else -inf; '
    "(x, x, x, b + hide) -> attention",
    "attention_to_memory": "x = input [T, 8]; m = input [S, 8]; (x, m, m) -> attention",
    "attention_to_memory_masked": "x = input [T, 8]; m = input [S, 8]; seen = input [T, S] bool; (x, m, m, seen) -> attention",
    "attention_by_hand": "q = input 2xTx4; k = input 2xTx4; v = input 2xTx3; m = table (i, j) [T, T] = -inf if j > i else 0; "
    "w = (q @ (k -> transpose 2 3)) / 2 + m -> softmax -> dropout 0.1; w @ v",
    "attention_by_hand_filled": "x = input [T, 4]; m = table (i, j) [T, T] = j > i; s = x @ (x -> permute [0, 2, 1]); "
    "w = (s, m) -> masked_fill value=-inf -> softmax; w @ x",
    "attention_by_hand_in_a_window": "x = input [T, 4]; later = table (i, j) [T, T] = j > i; s = x @ (x -> permute [0, 2, 1]); "
    "far = table (i, j) [T, T] = i - j > 2; w = (s, (far, later) -> logical_or) -> masked_fill value=-1e9 -> softmax; w @ x",
    "attention_by_hand_chosen": "x = input [T, 4]; m = table (i, j) [T, T] = j <= i; s = x @ (x -> permute [0, 2, 1]); "
    "w = (m, s) -> where (-1e9) -> softmax; w @ x",
    "attention_by_hand_normalized": "x = input [T, 4]; m = table (i, j) [T, T] = j > i; "
    "s = (x @ (x -> transpose 1 2), m) -> masked_fill value=-inf; "
    "e = exp(s - max(s, axis=-1, keepdim=true)); (e / (sum(e, axis=-1, keepdim=true) + 1)) @ x",
    "attention_that_decays": "x = input 2xTx4; d = table (h, i, j) [2, T, T] = where(j > i, 0, (1 - 2 ** (-3 - h)) ** (i - j)); "
    "((x @ (x -> transpose 2 3)) * d) @ x",
    "attention_with_a_new_axis": "x = input [T, 4]; m = table (i, j) [T, T] = j > i; s = x @ (x -> transpose 1 2) -> unsqueeze 1; "
    "w = (s, m) -> masked_fill value=-inf -> softmax; w @ (x -> unsqueeze 1)",
    "attention_with_turned_scores": "x = input [T, 4]; m = table (i, j) [T, T] = j > i; s = x @ (x -> transpose 1 2) -> unsqueeze 2; "
    "w = (s -> transpose 1 2, m) -> masked_fill value=-inf -> softmax; w @ (x -> unsqueeze 1)",
    "attention_without_softmax": "x = input [T, 4]; m = table (i, j) [T, T] = j <= i; s = x @ (x -> transpose 1 2) -> relu; "
    "(s * (m -> cast float32)) @ x",
    "decay_by_position": "x = input [T, 4]; g = x -> dense 1 sigmoid; a = log(g) -> cumsum axis=1; m = table (i, j) [T, T] = j <= i; "
    "e = (m, a - (a -> transpose 1 2)) -> where (-inf) -> exp; ((x @ (x -> transpose 1 2)) * e) @ x",
    "attention_over_features": "x = input [T, 3, 8]; (x, x, x) -> attention",
    "multihead_attention": "x = input [T, 8]; x -> multihead_attention 2 causal=true add_bias_kv=true",
    "multihead_attention_to_memory": "x = input [T, 8]; m = input [S, 6]; (x, m) -> multihead_attention 2",
    "multihead_attention_to_masked_memory": "x = input [T, 8]; m = input [S, 6]; seen = input [S] bool; "
    "first = table (s) [S] = s == 0; hidden = (seen, first) -> logical_or -> logical_not; "
    "(y, w) = x -> pad [0, 0, 1, 0] -> multihead_attention 2 key=m key_padding_mask=hidden; out y -> slice 1 stop=T, w -> slice 1 stop=T",
    "heads": 'x = input [T, 12]; q = x -> rearrange "n t (h d) -> n h t d" h=3; (q, q, q) -> attention causal=true -> permute [0, 2, 1, 3]',
    "unflatten": "x = input [T, 12]; x -> unflatten 2 [3, 4] -> sum axis=2 -> reshape [N, T, 2, 2] -> flatten 2",
    "expand": "x = input [T, 1, 3]; y = x -> expand [N, T, 5, 3]; z = param [3] init=ones as z; y * (z -> expand [1, T, 1, 3])",
    "matmul": "x = input [T, 3]; w = param [3, 5] as w; x @ w -> softmax",
    "einsum": 'x = input [T, 3]; y = input [T, 3]; (x, y) -> einsum "nti,ntj->ntij"',
    "norms": "x = input [T, 6]; x -> layer_norm -> rms_norm -> transpose 1 2 -> batch_norm -> transpose 1 2 -> normalize axis=2",
    "split": "x = input [T, 6]; (a, b) = x -> chunk 2 axis=-1; a * sigmoid(b) -> sort axis=2",
    "argument_in_a_formula": "block biased(slope) { m = table (q, k) [in.shape[1], in.shape[1]] = where(k > q, -1e9, (k - q) / slope); "
    "(in, in, in, m) -> attention }\nx = input [T, 4]; x -> biased 4",
    "argument_in_a_state": "block summed(heads) { let d = in.features // heads; "
    'zeros = table (n, h, i) [N, heads, d] float32 = 0; y = in -> rearrange "n t (h d) -> n t h d" h=heads; '
    "y -> scan (s = zeros) axis=1 { s = s * 0.5 + in } }\nx = input [T, 6]; x -> summed 2",
    "table_in_a_block": "block waves { y = in -> dense 4; w = table (i) [4] = sin(i); y * w }\nx = input [T, 4]; x -> waves -> waves",
    "positions_first": "x = input [T, 4] batch=false; x -> gru 3 -> dense 2",
}  # fmt: skip


@pytest.mark.share(2)
@pytest.mark.parametrize("name", RULES)
def test_pieces_give_what_the_whole_gives(name: str) -> None:
    same_in_pieces(netc.compile(RULES[name]), targets=("module",))


@pytest.mark.long
@pytest.mark.parametrize("name", RULES)
def test_the_same_in_onnx_runtime(name: str) -> None:
    same_in_pieces(netc.compile(RULES[name]), targets=("session",))


@pytest.mark.parametrize("number", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("name", ["cummax", "logcumsumexp", "max_pool_padded", "padding_through_a_bias"])
def test_constants(name: str, number: float) -> None:
    def constant(given: dict[str, Any]) -> None:
        for value in given.values():
            value.fill_(number)

    same_in_pieces(netc.compile(RULES[name]), change=constant, targets=("module",))


@pytest.mark.parametrize("hard", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("name", ["shift", "cummax", "conv", "scan", "first_positions_missing"])
def test_a_hard_number_reaches_later_positions_only(name: str, hard: float) -> None:
    """What comes in at a position leaves all results before it as they were."""

    def place(given: dict[str, Any]) -> None:
        x = next(iter(given.values()))
        x.select(1 if x.shape[1] == 19 else 2, 11).fill_(hard)

    same_in_pieces(netc.compile(RULES[name]), change=place, targets=("module",))


@pytest.mark.parametrize("name", ["gru", "attention", "conv", "table_of_positions"])
def test_a_sequence_of_one_position(name: str) -> None:
    same_in_pieces(netc.compile(RULES[name]), total=1)


def test_a_state_can_be_continued_twice() -> None:
    run = netc.compile(RULES["gru"]).stream("T").module(seed=0)
    x = torch.randn(1, 6, 4)
    _, after = run(run.begin(), x=x[:, :4])
    first, _ = run(after, x=x[:, 4:])
    second, _ = run(after, x=x[:, 4:])
    torch.testing.assert_close(first["output"], second["output"], rtol=0, atol=0)


@pytest.mark.parametrize(
    "after",
    [
        *(f's -> einsum "{equation}"' for equation in ("ntt->nt", "ntt->n", "nts->nst")),
        "(s -> transpose 1 2) @ x",
        "s @ s",
        "(x -> transpose 1 2) @ s",
        "(s -> unsqueeze 3) @ (param [1, 3] as w)",
    ],
)
def test_two_axes_of_positions_are_refused(after: str) -> None:
    """A piece has more keys than queries, so that a diagonal of its scores means nothing."""
    model = netc.compile(f"x = input [T, 4]\ns = x @ (x -> transpose 1 2)\n{after}")
    with pytest.raises(netc.CompileError, match="two axes of its input are positions"):
        model.stream("T")


@pytest.mark.parametrize(
    "stage",
    [
        "w = input [T, 4, 3] batch=false; x -> conv T 3 padding=1 weight=w",
        "w = input [T, 4, 3] batch=false; b = input [T] batch=false; x -> conv T 3 padding=1 weight=w bias=b",
        "w = input [4, T, 1] batch=false; x -> conv_transpose T 1 weight=w",
    ],
)
def test_a_weight_that_changes_with_the_position_is_refused(stage: str) -> None:
    model = netc.compile(f"x = input [4, T]; {stage}")
    with pytest.raises(netc.CompileError, match="a parameter of it changes with the position"):
        model.stream("T")


@pytest.mark.parametrize("target", ["module", "session"])
def test_a_piece_without_positions_is_refused(target: str) -> None:
    """Also if the whole may be empty: the advice to state `where T >= 0` would be followed already."""
    run = getattr(netc.compile("x = input [T, 3] where T >= 0; x -> cumsum axis=1").stream("T"), target)(seed=0)
    with pytest.raises(ValueError, match="a piece must have at least 1 position along `T`, found 0"):
        run(run.begin(), x=torch.zeros(2, 0, 3) if target == "module" else np.zeros((2, 0, 3), np.float32))


@pytest.mark.parametrize("factor", [*range(1, 64), 82, 83, 94, 97])
def test_a_factor_that_pytorch_rounds_is_refused(factor: int) -> None:
    """PyTorch multiplies an index by 1 / 41 in float32, and so repeats some positions 40 or 42 times, depending on where they are."""
    x = torch.arange(300.0).reshape(1, 1, -1)
    even = torch.equal(torch.nn.functional.interpolate(x, scale_factor=float(factor)), x.repeat_interleave(factor, 2))
    model = netc.compile(f"x = input [3, T]; x -> upsample scale={factor}")
    if even:
        model.stream("T")
        return
    with pytest.raises(netc.CompileError, match="repeats some positions once more than others"):
        model.stream("T")
