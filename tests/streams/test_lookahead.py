"""Streams that look a little ahead: the smallest look-ahead, and pieces with a flush against the whole."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.streaming import measure_lookahead
from tests.streams.pieces import same_in_pieces
from tests.streams.random_models import looking_a_little_ahead

AHEAD = {
    "conv": ("x = input [3, T]; x -> conv 4 3 padding=1", 1),
    "two_convs": ("x = input [3, T]; x -> conv 4 3 padding=1 relu -> conv 5 5 padding=2", 3),
    "dilated": ("x = input [3, T]; x -> conv 4 3 padding=4 dilation=4 tanh -> conv 3 3 padding=1", 5),
    "even_window_same": ("x = input [3, T]; x -> conv 4 4 padding=same", 2),
    "residual": ("x = input [3, T]; y = x -> conv 3 3 padding=1; z = y -> gelu -> conv 3 3 padding=1; x + y * z", 2),
    "two_windows_of_one_tensor": ("x = input [3, T]; y = x -> dense_of; (y -> conv 3 3 padding=1) + (y -> conv 3 5 padding=2)", 2),
    "two_paddings_of_one_tensor": ("x = input [3, T]; (x -> max_pool 3 stride=1 padding=1) + (x -> conv 3 3 padding=1)", 1),
    "max_pool": ("x = input [3, T]; x -> conv 3 3 padding=1 -> max_pool 3 stride=1 padding=1", 2),
    "avg_pool": ("x = input [3, T]; x -> avg_pool 5 stride=1 padding=2", 2),
    "pad_with_a_number": ("x = input [3, T]; x -> conv 3 1 -> pad [1, 2] value=0.5 -> conv 4 4", 2),
    "padded_twice": ("x = input [3, T]; x -> pad [0, 1] value=2 -> pad [1, 2] value=-3 -> conv 4 5", 3),
    "a_padded_tensor_and_its_own": ("x = input [3, T]; p = x -> pad [0, 2]; (p -> conv 3 3) + (x -> conv 3 3 padding=1)", 2),
    "bias_after_the_end": (
        "x = input [T, 3]; x -> dense 4 -> transpose 1 2 -> conv 4 3 padding=1 -> transpose 1 2 -> dense 4 -> "
        "transpose 1 2 -> conv 4 3 padding=1",
        2,
    ),
    "shift_back": ("x = input [3, T] where T >= 3; x -> pad [-2, 2] value=5", 2),
    "next_difference": ("x = input [3, T]; x -> pad [0, 1] -> diff axis=2", 1),
    "cut_at_both_ends": ("x = input [3, T]; x -> conv 3 3 padding=2 -> pad [-1, -1]", 1),
    "causal_afterwards": ("x = input [3, T]; x -> conv 4 3 padding=1 -> pad [2, 0] -> conv 5 3", 1),
    "sum_afterwards": ("x = input [3, T]; x -> conv 4 3 padding=1 -> cumsum axis=2", 1),
    "maximum_afterwards": ("x = input [3, T]; x -> conv 4 3 padding=1 -> cummax axis=2", 1),
    "positions_afterwards": (
        "x = input [4, T]; p = table (k, t) [4, T] = cos(t + k); (x -> conv 4 3 padding=1) + p -> conv 4 3 padding=1",
        2,
    ),
    "tokens": ("x = input [T] int64; x -> embedding 8 4 -> transpose 1 2 -> conv 3 3 padding=1", 1),
    "gru_afterwards": ("x = input [3, T]; x -> conv 4 5 padding=2 -> transpose 1 2 -> gru 5 layers=2 -> dense 3", 2),
    "lstm_from_a_state": (
        "x = input [3, T]; s = input [5]; h = s -> dense 5 -> unsqueeze 0; (x -> conv 4 7 padding=3 -> transpose 1 2, h, h) -> lstm 5 "
        "-> transpose 1 2 -> conv 2 3 padding=1",
        4,
    ),
    "reflected_in_front": ("x = input [3, T] where T >= 8; x -> pad [2, 0] mode=reflect -> conv 4 3", 2),
    "reflected": ("x = input [3, T] where T >= 8; x -> pad [3, 3] mode=reflect -> conv 4 7", 3),
    "reflected_at_the_end": ("x = input [3, T] where T >= 8; x -> pad [0, 3] mode=reflect -> conv 4 4", 3),
    "replicated": ("x = input [3, T]; x -> conv 4 5 padding=2 padding_mode=replicate", 2),
    "replicated_in_front": ("x = input [T, 3]; x -> pad [0, 0, 3, 0] mode=replicate -> gru 4", 3),
    "reflected_late": ("x = input [3, T] where T >= 8; x -> conv 3 3 padding=1 -> conv 4 5 padding=2 padding_mode=reflect", 3),
    "replicated_late": ("x = input [3, T] where T >= 8; x -> conv 3 3 padding=1 -> conv 4 5 padding=2 padding_mode=replicate", 5),
    "reflected_and_not": (
        "x = input [3, T] where T >= 8; p = x -> pad [0, 2] mode=reflect; (p -> conv 3 3) + (x -> conv 3 3 padding=1)",
        2,
    ),
    "reflected_twice": (
        "x = input [3, T] where T >= 8; x -> conv 3 3 padding=1 padding_mode=reflect -> tanh -> conv 3 3 padding=1 padding_mode=reflect",
        2,
    ),
    "longer_than_the_stream": ("x = input [3, T]; x -> conv 4 4 padding=3", 3),
    "two_outputs": ("x = input [3, T]; y = x -> conv 3 3 padding=1; out y, x -> conv 2 7 padding=3 as z", 3),
    "two_inputs": ("x = input [3, T]; y = input [3, T]; (x -> conv 3 3 padding=1) * y", 1),
    "another_input": ("x = input [3, T]; y = input [3]; (x -> conv 3 3 padding=1) * (y -> dense 3 -> unsqueeze 2)", 1),
}
"""By name: a model and the smallest look-ahead, counted by hand."""


@pytest.mark.share(3)
@pytest.mark.parametrize("name", AHEAD)
def test_the_smallest_lookahead_suffices(name: str) -> None:
    text, smallest = AHEAD[name]
    text = text.replace("dense_of", "transpose 1 2 -> dense 3 -> transpose 1 2")
    model = netc.compile(text)
    assert measure_lookahead(model.program, "T").positions == smallest
    same_in_pieces(model, lookahead=smallest)
    same_in_pieces(model, lookahead=smallest + 3, targets=("module",))
    for shorter in range(smallest):
        with pytest.raises(netc.CompileError) as caught:
            model.stream("T", shorter)
        # Without any look-ahead, an output that exceeds the stream is refused for that.
        assert caught.value.diagnostics[0].code in (("looks-ahead",) if shorter else ("looks-ahead", "streamed-output"))


STRIDES = {
    "spectrogram": ("x = input [T] where T % 4 == 0, T >= 16; x -> stft 16 hop_length=4", 4, 12),
    "spectrogram_padded_with_zeros": ("x = input [T] where T % 4 == 0, T >= 16; x -> stft 16 hop_length=4 pad_mode=constant", 4, 8),
    "spectrogram_of_a_window": (
        "x = input [2, T] batch=false where T % 4 == 0, T >= 16; w = param [8] init=normal(1) as w; (x, w) -> stft 8 4 -> norm axis=-1",
        4,
        8,
    ),
    "frames": ("x = input [T] where T % 4 == 0, T >= 16; x -> pad [12, 0] -> stft 16 hop_length=4 center=false", 4, 0),
    "down_and_up": (
        "x = input [3, T] where T % 2 == 0; x -> conv 4 4 stride=2 padding=1 relu -> conv_transpose 5 4 stride=2 padding=1",
        2,
        4,
    ),
    "up": ("x = input [3, T]; x -> conv 3 3 padding=1 -> conv_transpose 4 4 stride=2 padding=1 -> conv 2 7 padding=3", 1, 3),
}
"""By name: a model, the multiple of its pieces, and the smallest look-ahead."""


@pytest.mark.parametrize("name", STRIDES)
def test_a_lookahead_with_strides_is_a_multiple(name: str) -> None:
    text, every, smallest = STRIDES[name]
    model = netc.compile(text)
    assert measure_lookahead(model.program, "T").positions == smallest
    same_in_pieces(model, lookahead=smallest, every=every, total=9 * every)


CHUNKED = {
    "chunks": ("x = input [T, 8] where T % 4 == 0; m = table (t, s) [T, T] bool = s // 4 <= t // 4; (x, x, x, m) -> attention", 4, 0),
    "own_chunk": ("x = input [T, 8] where T % 4 == 0; m = table (t, s) [T, T] bool = s // 4 == t // 4; (x, x, x, m) -> attention", 4, 0),
    "two_chunks_back": (
        "x = input 2xTx8 where T % 4 == 0; m = table (t, s) [T, T] bool = s // 4 <= t // 4 and s // 4 >= t // 4 - 2; "
        "q = x -> rotary; (q, q, x, m) -> attention",
        4,
        0,
    ),
    "scores": (
        "x = input [T, 8] where T % 4 == 0; "
        "m = table (t, s) [T, T] = where(s // 4 <= t // 4 and s // 4 >= t // 4 - 1, (s - t) * 0.1, -1e9); "
        "(x, x, x, m) -> attention",
        4,
        0,
    ),
    "scores_of_heads": (
        "x = input 2xTx8 where T % 4 == 0; "
        "m = table (h, t, s) [2, T, T] = -inf if s // 4 > t // 4 or s // 4 < t // 4 - 1 else h * (s - t) * 0.1; "
        "(x, x, x, m) -> attention",
        4,
        0,
    ),
    "by_hand": (
        "x = input [T, 4] where T % 4 == 0; m = table (i, j) [T, T] = j // 4 > i // 4; s = x @ (x -> transpose 1 2); "
        "w = (s, m) -> masked_fill value=-inf -> softmax; w @ x",
        4,
        0,
    ),
    "after_strides": (
        "x = input [3, T] where T % 8 == 0; y = x -> pad [1, 0] -> conv 8 3 stride=2 -> transpose 1 2; "
        "m = table (t, s) [T // 2, T // 2] bool = s // 4 <= t // 4 and s // 4 >= t // 4 - 1; (y, y, y, m) -> attention",
        8,
        0,
    ),
    "window_of_a_mask": ("x = input [T, 8]; m = table (q, k) [T, T] bool = k <= q and k > q - 5; (x, x, x, m) -> attention", 1, 0),
    "two_keys_ahead": ("x = input [T, 8]; m = table (q, k) [T, T] bool = k <= q + 2 and k > q - 5; (x, x, x, m) -> attention", 1, 2),
    "two_keys_ahead_of_all": (
        "x = input [T, 8]; m = table (q, k) [T, T] = -inf if k > q + 2 else 0.1 * (k - q); (x, x, x, m) -> attention",
        1,
        2,
    ),
    "one_chunk_ahead": (
        "x = input [T, 8] where T % 4 == 0; "
        "m = table (t, s) [T, T] bool = s // 4 <= t // 4 + 1 and s // 4 >= t // 4 - 1; (x, x, x, m) -> attention",
        4,
        4,
    ),
    "twice": (
        "x = input [T, 8]; m = table (q, k) [T, T] bool = k <= q + 1 and k > q - 4; y = (x, x, x, m) -> attention; z = x + y -> dense 8; "
        "z + ((z, z, z, m) -> attention)",
        1,
        2,
    ),
    "causal_after_a_conv": ("x = input [8, T]; y = x -> conv 8 3 padding=1 -> transpose 1 2; (y, y, y) -> attention causal=true", 1, 1),
    "window_after_a_conv": (
        "x = input [8, T]; y = x -> conv 8 5 padding=2 -> transpose 1 2; (y, y, y) -> attention causal=true window=3",
        1,
        2,
    ),
    "late_queries": (
        "x = input [8, T]; y = x -> conv 8 5 padding=2 -> transpose 1 2; z = x -> transpose 1 2; (y, z, z) -> attention causal=true",
        1,
        2,
    ),
    "late_keys": (
        "x = input [8, T]; y = x -> conv 8 5 padding=2 -> transpose 1 2; z = x -> transpose 1 2; (z, y, y) -> attention causal=true",
        1,
        2,
    ),
    "late_values": (
        "x = input [8, T]; y = x -> conv 8 3 padding=1 -> transpose 1 2; z = x -> transpose 1 2; "
        "(z, z, y) -> attention causal=true window=4",
        1,
        1,
    ),
    "chunks_after_a_conv": (
        "x = input [8, T] where T % 4 == 0; y = x -> conv 8 3 padding=1 -> transpose 1 2; "
        "m = table (t, s) [T, T] bool = s // 4 <= t // 4 and s // 4 >= t // 4 - 1; "
        "(y, y, y, m) -> attention -> transpose 1 2 -> conv 4 3 padding=1",
        4,
        8,
    ),
    "nan_before_attention": (
        "x = input [8, T]; c = x -> conv 8 3 padding=1 bias=false; y = (c / abs(c)) -> transpose 1 2; (y, y, y) -> attention causal=true",
        1,
        1,
    ),
}
"""By name: a model, the multiple of its pieces, and the smallest look-ahead."""


@pytest.mark.share(3)
@pytest.mark.parametrize("name", CHUNKED)
def test_attention_waits_for_the_keys_that_it_sees(name: str) -> None:
    text, every, smallest = CHUNKED[name]
    model = netc.compile(text)
    assert measure_lookahead(model.program, "T").positions == smallest
    total = 7 * every if every > 1 else 19
    same_in_pieces(model, lookahead=smallest, every=every, total=total)
    same_in_pieces(model, lookahead=smallest + every, every=every, total=total, targets=("module",))


SHORTER = {
    "slice": "x = input [4, T] where T >= 2; x -> slice 2 start=1",
    "cut end": "x = input [4, T] where T >= 2; x -> conv 4 3 padding=1 -> pad [0, -1]",
    "moved": "x = input [4, T] where T >= 3; x -> pad [1, -2]",
    "no padding": "x = input [4, T] where T >= 3; x -> conv 4 3",
    "transposed": "x = input [4, T] where T >= 3; x -> conv_transpose 4 2 -> slice 2 stop=-2",
    "sum": "x = input [4, T] where T >= 2; x -> cumsum axis=2 -> pad [0, -1]",
    "strides": "x = input [4, T] where T % 4 == 0; x -> conv_transpose 4 4 -> pad [0, -4]",
    "two outputs": "x = input [4, T] where T >= 3; out x -> conv 4 3 as y, x -> conv 4 3 padding=1 as z",
}


@pytest.mark.parametrize("name", SHORTER)
@pytest.mark.parametrize("lookahead", [1, 2, 3, 8])
def test_an_output_that_is_shorter_than_the_stream(name: str, lookahead: int) -> None:
    """Its first element comes later, also if the pieces are short."""
    model = netc.compile(SHORTER[name])
    lookahead *= 4 if name == "strides" else 1
    if lookahead < (measure_lookahead(model.program, "T").positions or 0):
        pytest.skip("the model looks further ahead")
    same_in_pieces(model, lookahead=lookahead, total=24, targets=("module",), every=4 if name == "strides" else 1)


def test_the_note_counts_the_outputs_to_drop() -> None:
    """By hand: a window of three has two elements less than its input, and all come a position later."""
    stream = netc.compile(SHORTER["no padding"]).stream("T", lookahead=1)
    assert any("of `output`, drop the first 3, because it has another length" in note for note in stream.notes(["a", "b"]))


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_sequence_may_be_shorter_than_the_lookahead(total: int) -> None:
    text = "x = input [3, T]; x -> conv 4 5 padding=2 -> transpose 1 2 -> gru 5 -> transpose 1 2 -> conv 2 3 padding=1"
    same_in_pieces(netc.compile(text), lookahead=4, total=total)


@pytest.mark.parametrize(
    ("mask", "keys"),
    [
        ("(j - i) * 0.5 if j <= i else -inf", "P"),  # ALiBi's penalty grows, and hides nothing
        ("0 if j <= i and j > i - 5 else -1e9", "P"),  # finite: hidden next to most scores, but not forgotten
        ("0 if j <= i and j > i - 5 else -inf", "4"),
    ],
)
def test_only_keys_that_are_surely_hidden_are_forgotten(mask: str, keys: str) -> None:
    stream = netc.compile(f"x = input [T, 8]; m = table (i, j) [T, T] = {mask}; (x, x, x, m) -> attention").stream("T")
    assert [str(state.type.shape[1]) for state in stream.states if state.what == "key"] == [keys]


def test_a_finite_mask_that_is_waited_for_is_noted() -> None:
    model = netc.compile("x = input [T, 8]; m = table (i, j) [T, T] = 0.0 if j <= i + 1 else -20000.0; (x, x, x, m) -> attention")
    assert model.stream("T", 1).stream.finite_mask == -20000


NO_KEY = {
    "added": "s = x @ (x -> transpose 1 2); p = s + (table (i, j) [T, T] float32 = 0 if j < i else -1e4) -> softmax axis=2; p @ x",
    "filled": "m = table (i, j) [T, T] bool = j >= i; p = (x @ (x -> transpose 1 2), m) -> masked_fill (-65504) -> softmax axis=2; p @ x",
    "triangle": "s = x @ (x -> transpose 1 2); m = table (i, j) [T, T] float32 = -1e9; p = s + (m -> triu) -> softmax axis=2; p @ x",
    "largest": "s = x @ (x -> transpose 1 2); t = s + (table (i, j) [T, T] float32 = 0 if j < i else -1e4); t -> max axis=2",
    "attention": "(x, x, x, table (i, j) [T, T] float32 = 0 if j < i else -3e38) -> attention",
}


@pytest.mark.parametrize("name", NO_KEY)
def test_a_query_without_a_key_sees_the_later_ones(name: str) -> None:
    """If a finite number hides all keys, a softmax is over all of them. A key of its own hides the later ones."""
    model = netc.compile("x = input [T, 4]; " + NO_KEY[name])
    module, x = model.module(seed=0).eval(), torch.randn(1, 6, 4)
    changed = torch.cat([x[:, :4], -x[:, 4:]], 1)
    assert not torch.allclose(module(x)[:, 0], module(changed)[:, 0])
    with pytest.raises(netc.CompileError) as refused:
        model.stream("T")
    assert "of the first query are all about" in refused.value.diagnostics[0].notes[0]
    own = NO_KEY[name].replace("j < i", "j <= i").replace("j >= i", "j > i").replace("triu", "triu 1")
    same_in_pieces(netc.compile("x = input [T, 4]; " + own))


@pytest.mark.parametrize(
    "mask", ["0 if j <= i + 2 and j != i else -1e9", "0 if j <= i + 2 else -1e4", "-5e4 if j == i else 0 if j < i else -1e9"]
)
def test_a_query_that_sees_another_key_or_hides_its_own_less(mask: str) -> None:
    model = netc.compile(f"x = input [T, 4]; m = table (i, j) [T, T] float32 = {mask}; (x, x, x, m) -> attention")
    same_in_pieces(model, lookahead=2)


def test_a_flush_needs_a_lookahead_and_a_piece() -> None:
    x = torch.zeros(1, 3, 4)
    causal = netc.compile("x = input [3, T]; x -> cumsum axis=2").stream("T").module(seed=0)
    _, state = causal(causal.begin(), x=x)
    with pytest.raises(ValueError, match="no look-ahead"):
        causal.flush(state)
    late = netc.compile("x = input [3, T]; x -> conv 3 3 padding=1").stream("T", 1).module(seed=0)
    with pytest.raises(ValueError, match="first piece"):
        late.flush(late.begin())


@pytest.mark.parametrize("wrong", [-1, 2**31])
def test_a_wrong_number_of_positions_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="from 0 to"):
        netc.compile("x = input [3, T]; x -> conv 3 3 padding=1").stream("T", wrong)


def test_a_state_that_is_returned_too_late_is_refused() -> None:
    """After the end, a recurrent layer has seen the positions of the flush, so its last state is no output."""
    model = netc.compile("x = input [3, T]; (y, h) = x -> conv 4 3 padding=1 -> transpose 1 2 -> gru 5; out y, h")
    with pytest.raises(netc.CompileError, match="known at the end of the stream only"):
        model.stream("T", 1)


RANDOM, QUICK = 300, 6


@pytest.mark.parametrize(
    "seed", [n if n < QUICK else pytest.param(n, marks=[pytest.mark.long, pytest.mark.thorough(3)]) for n in range(RANDOM)]
)
def test_random_models_that_look_a_little_ahead(seed: int) -> None:
    text, every = looking_a_little_ahead(seed)
    model = netc.compile(text)
    smallest = measure_lookahead(model.program, "T").positions
    same_in_pieces(model, lookahead=smallest, total=every * (5 + seed % 9), seed=seed, every=every)
