"""Each rule on a small text: what is proved, and what leaks, with the stage. Running is the judge of both."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.ops import Operator
from netc.compiler.ops.loss import Loss
from netc.compiler.proofs import Claim, derive_claim
from netc.compiler.proofs.position_relations import Hidden
from netc.dsl.record import replace
from netc.proving.change_hidden import Confirmation, change_hidden_values

MASKED = "x = input [T, 4]; mask = input [T] bool; "
PAIRS = MASKED + "s = x @ (x -> transpose 1 2); q = mask -> unsqueeze 2; k = mask -> unsqueeze 1; "
TOKEN = MASKED + "c = param [1, 1, 4] init=normal(1) as c; one = table (n, t) [N, 1] bool = n >= 0; m = (one, mask) -> concat axis=1; "
AFTER = TOKEN + "n = (mask, one) -> concat axis=1 -> unsqueeze 2; "
CLASS = TOKEN + "y = (c -> expand [N, 1, 4], x) -> concat axis=1; z = (y, y, y, m -> unsqueeze 1) -> attention; "
GROUPED = "x = input [T, 4]; d = input [T] int64; s = x @ (x -> transpose 1 2); same = (d -> unsqueeze 2) == (d -> unsqueeze 1); "
LOSSES = [operator for operator in Operator.registry.values() if issubclass(operator, Loss)]
HIDES, DOCUMENTS, SAMPLES = Claim("ignores", "mask"), Claim("separates", "d"), Claim("separates", "N")

PROVED = (
    (HIDES, MASKED + "x -> gelu -> layer_norm -> dense 3 -> log_softmax"),
    (HIDES, MASKED + "(x, mask -> logical_not -> unsqueeze 2) -> masked_fill 2 -> cumsum axis=1"),
    (HIDES, MASKED + "y = x * (mask -> unsqueeze 2 -> cast float32); y -> max axis=1"),
    (HIDES, MASKED + "x -> reshape [N * T, 2, 2] -> transpose 1 2 -> reshape [N, T, 4]"),
    (HIDES, MASKED + 'x -> rearrange "n t (h e) -> (n h) t e" h=2 -> relu -> rearrange "(n h) t e -> n t (e h)" h=2'),
    (HIDES, MASKED + "(x -> slice 1 stop=(T - 1)) * (mask -> slice 1 stop=(T - 1) -> unsqueeze 2 -> cast float32) -> sum axis=1"),
    (HIDES, MASKED + "x -> dense 4 -> select 1 0"),
    (HIDES, MASKED + "x -> reshape [N, T * 4] -> slice 1 start=1 stop=4"),
    (HIDES, MASKED + "x -> reshape [N, T * 4] -> slice 1 stop=4 step=2"),
    (HIDES, PAIRS + "w = (s, (q, k) -> logical_and -> logical_not) -> masked_fill (-inf) -> softmax; w @ x"),
    (HIDES, PAIRS + "((s, (q == k) -> logical_not) -> masked_fill (-inf) -> softmax) @ x"),
    (HIDES, PAIRS + "(s + ((k -> cast float32) - 1) * 20000 -> softmax) @ x"),
    (HIDES, PAIRS + "((k, s * 0.5) -> where other=(-20000) -> softmax) @ x"),
    (HIDES, PAIRS + "(s, k -> logical_not) -> masked_fill (-20000) -> logsumexp axis=2"),
    (HIDES, PAIRS + "exp(s) * (k -> cast float32) -> sum axis=2 keepdim=true -> log"),
    (HIDES, PAIRS + "exp(s) * (k -> cast float32) -> logsumexp axis=2"),
    (HIDES, MASKED + "i = input [T, 4] int64; (table (n, t, d) [N, T, 4] = t + d, i % 2) -> gather axis=1"),
    (HIDES, "x = input [8, 4]; mask = input [8] bool; (x, x, x, mask -> unsqueeze 1) -> attention"),
    (HIDES, "x = input [8, 8]; mask = input [8] bool; (x, x, x, mask -> unsqueeze 1) -> attention"),
    (HIDES, "x = input [T, 4]; mask = input [T] int64; x * (mask -> cast float32 -> unsqueeze 2) -> sum axis=1"),
    (HIDES, "x = input [T, 4]; y = input [S, 4]; mask = input [S] bool; (x, y, y, mask -> unsqueeze 1) -> attention"),
    (HIDES, "x = input [H, W, 2]; mask = input [H, W] bool; (mask -> unsqueeze 3, x) -> where other=0 -> sum axis=[1, 2]"),
    (HIDES, "x = input [T, 4]; mask = input [T] bool batch=false; (mask -> unsqueeze 1, x) -> where other=0 -> sum axis=[0, 1]"),
    (HIDES, CLASS + "z -> select 1 0"),
    (HIDES, CLASS + "(z -> slice 1 start=1) * (mask -> unsqueeze 2 -> cast float32) -> sum axis=1"),
    (HIDES, CLASS + "z"),
    (HIDES, MASKED + "y = (x, x -> tanh) -> concat axis=1; k = (mask, mask) -> concat axis=1; (x, y, y, k -> unsqueeze 1) -> attention"),
    (HIDES, AFTER + "y = (x, c -> expand [N, 1, 4]) -> concat axis=1; (n, y) -> where other=0 -> sum axis=1"),
    (DOCUMENTS, GROUPED + "((same, s) -> where other=(-inf) -> softmax) @ x"),
    (DOCUMENTS, GROUPED + "((same, (d != 0) -> unsqueeze 1) -> logical_and -> cast float32) @ x"),
    (DOCUMENTS, GROUPED + "(s * (same -> cast float32)) @ x"),
    (SAMPLES, "x = input 3x8x8; x -> conv 4 3 padding=1 -> max_pool 2 -> conv_transpose 2 2 stride=2 -> group_norm 2 -> global_avg_pool"),
    (SAMPLES, "x = input [T, 4]; x -> gru 3 bidirectional=true -> dense 2"),
    (SAMPLES, "x = input [T, 4]; (x, x) -> cdist"),
    (SAMPLES, "x = input [T, 4]; (x, x * 2, x -> tanh) -> concat axis=0 -> softmax"),
    (SAMPLES, "x = input 4; y = x -> dense 8 tanh -> dense 1; g = gradient(y, x); gradient(g -> square, x)"),
    (DOCUMENTS, GROUPED + "y = ((same, s) -> where other=(-inf) -> softmax) @ x; gradient(y -> square, x)"),
    (SAMPLES, "x = input [T, 4]; (x, x -> flip 1) -> cdist -> match"),
    *((SAMPLES, f"{text.partition(' reduction=')[0]} reduction=none") for loss in LOSSES for text in loss.examples),
)
LEAKS = (
    (HIDES, MASKED + "x -> log_softmax axis=1", "log_softmax"),
    (HIDES, MASKED + "x -> reshape [N, 4, T] -> transpose 1 2", "reshape"),
    (HIDES, MASKED + "x -> transpose 1 2 -> reshape [N, T, 4]", "reshape"),
    (HIDES, MASKED + "(x -> flip axis=1) * (mask -> unsqueeze 2 -> cast float32)", "flip"),
    (HIDES, MASKED + "(x -> slice 1 start=1) + (x -> slice 1 stop=(T - 1))", "slice"),
    (HIDES, CLASS + "z -> select 1 1", "select"),
    (HIDES, "x = input [T, 4] where T >= 2; mask = input [T] bool; x -> reshape [N, T * 4] -> slice 1 start=3 stop=5", "slice"),
    (HIDES, "x = input [T, 4] where T >= 4; mask = input [T] bool; x -> reshape [N, T * 4] -> slice 1 stop=13 step=4", "slice"),
    # The token is in front of the tensor, and at the end of the mask.
    (
        HIDES,
        TOKEN + "y = (c -> expand [N, 1, 4], x) -> concat axis=1; ((mask, one) -> concat axis=1 -> unsqueeze 2, y) -> where other=0",
        "where",
    ),
    (HIDES, CLASS + "z -> mean axis=1", "mean"),
    (HIDES, MASKED + "x -> slice 1 start=(-1) -> squeeze axis=1", "slice"),
    (HIDES, PAIRS + "((s, q -> logical_not) -> masked_fill (-inf) -> softmax axis=1) @ x", "matmul"),
    (HIDES, PAIRS + "(s + ((k -> cast float32) - 1) * 3 -> softmax) @ x", "softmax"),
    # The numbers cancel, so nothing is hidden.
    (HIDES, PAIRS + "(s + ((k -> cast float32) - 1) * 10000 + (1 - (k -> cast float32)) * 9999 -> softmax) @ x", "softmax"),
    (HIDES, PAIRS + "((s, (q, k) -> logical_or -> logical_not) -> masked_fill (-inf) -> softmax) @ x", "softmax"),
    # 0 - 1 is 255 in this type, so hidden positions are shown.
    (HIDES, "x = input [T, 4]; mask = input [T] uint8; m = (mask - 1) >= 0; (m -> unsqueeze 2, x) -> where other=0 -> sum axis=1", "sum"),
    (HIDES, "x = input [H, W, 2]; mask = input [H, W] bool; x -> select 1 0 -> select 1 0", "select"),
    (DOCUMENTS, GROUPED + "((same -> logical_not, s) -> where other=(-inf) -> softmax) @ x", "softmax"),
    (HIDES, MASKED + "i = input [T, 4] int64; (x, i % 2) -> gather axis=1", "gather"),
    (DOCUMENTS, GROUPED + "x -> mean axis=1", "mean"),
    (DOCUMENTS, GROUPED + "s * 2", "matmul"),
    (SAMPLES, "x = input 4; x - (x -> mean axis=0 keepdim=true)", "mean"),
    (SAMPLES, "x = input 4; x -> sort axis=0", "sort"),
    (SAMPLES, "x = input [T, 4]; (x, x -> flip axis=0) -> concat axis=0", "flip"),
    (SAMPLES, "x = input 4; y = x -> softmax axis=0; gradient(y -> square, x)", "softmax"),
    (SAMPLES, "x = input 4; y = x -> square -> sum -> square; gradient(y, x)", "sum"),
    (SAMPLES, "x = input 4; w = param [4] init=normal(1) as w; gradient(x * w -> square, w)", "gradient"),
    # A hidden element of `y` depends on visible positions, so their gradient depends on it.
    (HIDES, MASKED + "y = (mask -> unsqueeze 2, x, x -> mean axis=1 keepdim=true) -> where; gradient(y -> square, x)", "gradient"),
)


CONV = MASKED + "c = x -> transpose 1 2; "
SHIFTED = MASKED + "c = param [1, 1, 4] init=normal(1) as c; before = (c -> expand [N, 1, 4], x -> slice 1 stop=(T - 1)) -> concat axis=1; "
LAST = MASKED + "y = (x, x, x) -> attention causal=true; n = (mask -> cast int64 -> sum axis=1) - 1; "
ROWS = LAST + "rows = table (i) [N] = i * T; "
PADDED_AT_THE_END = (
    (MASKED + "(x, x, x) -> attention causal=true", "attention"),
    (MASKED + "(x, x, x) -> attention causal=true window=3", "attention"),
    (MASKED + "y = (x, x, x, mask -> unsqueeze 1) -> attention; (y, y, y) -> attention causal=true", "attention"),
    (MASKED + "x -> multihead_attention 2 causal=true", "multihead_attention"),
    (MASKED + "(y, _, _) = x -> lstm 4 layers=2; y", "lstm"),
    (MASKED + "(y, _) = x -> scan (h = (table (n, i) [N, 4] = 0.0)) axis=1 { h = h * 0.5 + in; out h }; y", "scan"),
    (CONV + "c -> pad [3, 0] -> conv 8 4", "pad"),
    (CONV + "c -> conv 8 4 padding=3 -> slice 2 stop=T", "conv"),
    (CONV + "c -> pad [2, 0] -> max_pool 3 stride=1", "pad"),
    (CONV + "c -> avg_pool 2 stride=1 padding=1 count_include_pad=false -> slice 2 stop=T", "avg_pool"),
    (CONV + "c + (c -> pad [4, 0] -> conv 4 3 dilation=2) -> pad [2, 0] -> conv 4 3", "pad"),
    (MASKED + "x + (x -> pad [0, 0, 1, -1])", "pad"),
    (LAST + "(y, n -> reshape [N, 1, 1] -> expand [N, 1, 4]) -> gather axis=1 -> squeeze 1", "attention"),
    (LAST + "(y, n % T -> unsqueeze 1 -> unsqueeze 2 -> expand [N, 2, 4]) -> gather axis=1", "attention"),
    (ROWS + "(y -> flatten 0 1, rows + n) -> index_select axis=0", "attention"),
    (ROWS + "(x -> flatten 0 1, rows + n % T) -> index_select axis=0", "index_select"),
    (SHIFTED + "x * 0.5 + before * 0.5", "concat"),
    (CONV + "c -> pad [3, 0] mode=replicate -> conv 8 4", "pad"),
    (SHIFTED + "y = (c -> expand [N, 1, 4], x) -> concat axis=1; (y, y, y) -> attention causal=true", "attention"),
    (MASKED + "(values, indices) = x -> cummax axis=1; out values, indices", "cummax"),
    (MASKED + "s = x @ (x -> transpose 1 2) -> tril; s @ x", "matmul"),
    (MASKED + "(table (i, j) [T, T] = where(j <= i, 0.5 ** (i - j), 0.0)) @ x", "matmul"),
    (MASKED + "s = x @ (x -> transpose 1 2) + (table (i, j) [T, T] = where(j > i, -inf, 0.0)); (s -> softmax) @ x", "softmax"),
)
"""Texts that are proved if the hidden positions are the last ones, and the stage that leaks otherwise."""
LOOKING_AHEAD = (
    (MASKED + "(x, x, x, table (i, j) [T, T] bool = j // 2 <= i // 2) -> attention", "attention"),
    (MASKED + "(x, x, x, table (i, j) [T, T] bool = j >= i) -> attention", "attention"),
    (MASKED + "(_, h, _) = x -> lstm 4; h", "lstm"),
    (MASKED + "x -> gru 4 bidirectional=true", "gru"),
    (CONV + "c -> conv 8 3 padding=1", "conv"),
    # One position too far; the positions of another sample; and an index of two samples.
    (LAST + "(x, (n + 1) % T -> reshape [N, 1, 1] -> expand [N, 1, 4]) -> gather axis=1", "gather"),
    (LAST + "(x, n -> flip 0 -> reshape [N, 1, 1] -> expand [N, 1, 4]) -> gather axis=1", "gather"),
    (
        LAST + "o = mask -> slice 1 stop=1 -> cast int64 -> mul 0; i = o + (n -> flip 0 -> unsqueeze 1); "
        "(x, i -> unsqueeze 2 -> expand [N, 1, 4]) -> gather axis=1",
        "gather",
    ),
    (ROWS + "(x -> flatten 0 1, (rows -> flip 0) + n) -> index_select axis=0", "index_select"),
    (ROWS + "(x -> transpose 0 1 -> flatten 0 1, rows + n) -> index_select axis=0", "index_select"),
    (LAST + "(x, (mask -> cast int64 -> sum axis=0 -> max) - 1 -> reshape [1, 1, 1] -> expand [N, 1, 4]) -> gather axis=1", "gather"),
    (CONV + "c -> max_pool 3 stride=1 padding=1", "max_pool"),
    ("x = input [T, 4] where T >= 2; mask = input [T] bool; x -> transpose 1 2 -> pad [1, 0] -> avg_pool 2", "pad"),
    (CONV + "c -> conv 8 4 padding=3", "conv"),  # the elements after the last position are no positions
    (CONV + "c -> conv 4 3 padding=2 padding_mode=circular -> slice 2 stop=T", "conv"),
    ("x = input [T, 4] where T >= 2; mask = input [T] bool; x -> transpose 1 2 -> pad [2, 0] mode=circular -> conv 4 3", "pad"),
    (MASKED + "x -> pad [0, 0, -1, 1]", "pad"),
    (SHIFTED + "y = (x, c -> expand [N, 1, 4]) -> concat axis=1; (y, y, y) -> attention causal=true", "attention"),
    (MASKED + "s = x @ (x -> transpose 1 2) -> tril 1; s @ x", "matmul"),
    (MASKED + "x -> flip axis=1 -> cumsum axis=1", "flip"),
    (MASKED + "x - (x -> mean axis=0 keepdim=true) -> cumsum axis=1", "mean"),
    # Each step takes the mean over the samples, which may be of other lengths.
    (MASKED + "x -> scan (h = (table (n, i) [N, 4] = 0.0)) axis=1 { h = h - (in -> mean axis=0 keepdim=true); out h }", "scan"),
    (MASKED + "x -> scan (h = (table (n, i) [N, 4] = 0.0)) axis=1 reverse=true { h = h * 0.5 + in; out h }", "scan"),
    # Of fixed sizes, an axis of features may have the size of the positions by chance.
    (
        "x = input [8, 8]; mask = input [8] bool; y = x -> mean axis=1 keepdim=true -> expand [N, 8, 8]; "
        "(table (i, j) [8, 8] = where(j <= i, 1.0, 0.0)) @ y",
        "mean",
    ),
)


def judged(claim: Claim, text: str) -> tuple[dict[str, str | None], Confirmation]:
    """The operator that leaks for each output, and what running says."""
    model = netc.compile(text)
    derivation = derive_claim(model.program, claim)
    operators = {name: None if cause is None else cause.operator for name, cause in derivation.causes.items()}
    return operators, change_hidden_values(model, derivation, runtimes=("PyTorch",))


@pytest.mark.parametrize(("claim", "text"), PROVED)
def test_what_is_proved_is_true(claim: Claim, text: str) -> None:
    operators, confirmation = judged(claim, text)
    assert set(operators.values()) == {None}
    assert (confirmation.differences, confirmation.failures) == ({}, ())


@pytest.mark.parametrize(("claim", "text", "operator"), LEAKS)
def test_what_leaks_is_refused_at_its_stage(claim: Claim, text: str, operator: str) -> None:
    operators, confirmation = judged(claim, text)
    assert operators == {"output": operator}
    assert set(confirmation.differences) == {"output"}


@pytest.mark.parametrize(("text", "operator"), PADDED_AT_THE_END)
def test_earlier_positions_are_visible_if_padding_is_at_the_end(text: str, operator: str) -> None:
    model = netc.compile(text)
    derivation = derive_claim(model.program, HIDES)
    assert derivation.is_proved
    assert f"With other padding, `{operator}` would let hidden positions through" in derivation.assumptions[0]
    confirmation = change_hidden_values(model, derivation, runtimes=("PyTorch",))
    assert (confirmation.differences, confirmation.failures) == ({}, ())


@pytest.mark.parametrize(("text", "operator"), LOOKING_AHEAD)
def test_later_positions_leak_though_padding_is_at_the_end(text: str, operator: str) -> None:
    model = netc.compile(text)
    derivation = derive_claim(model.program, HIDES)
    assert {None if cause is None else cause.operator for cause in derivation.causes.values()} == {operator}
    setting = replace(derivation.setting, relation=Hidden(ordered=True))
    confirmation = change_hidden_values(model, replace(derivation, setting=setting), runtimes=("PyTorch",))
    assert set(confirmation.differences) == set(derivation.causes)


def test_a_claim_in_training_names_the_stage_that_mixes_samples() -> None:
    program = netc.compile("input 4 -> dense 3 -> batch_norm").program
    causes = [derive_claim(program, SAMPLES, training=training).causes["output"] for training in (False, True)]
    assert causes[0] is None
    assert causes[1] is not None
    assert causes[1].operator == "batch_norm"


def test_rows_without_a_key_are_reported() -> None:
    risky = PAIRS + "w = (s, (q, k) -> logical_and -> logical_not) -> masked_fill (-inf) -> softmax; w @ x"
    safe = MASKED + "(x, x, x, (mask -> unsqueeze 1, mask -> unsqueeze 2) -> logical_and) -> attention"
    pooled = MASKED + "s = (x -> dense 1 -> squeeze axis=2, mask -> logical_not) -> masked_fill (-inf) -> softmax; s -> unsqueeze 1"
    notes = [derive_claim(netc.compile(text).program, HIDES).risks for text in (risky, safe, pooled)]
    hidden = "`softmax` gives NaN at hidden positions, where it hides all keys"
    assert notes == [(hidden,), (), ("`softmax` gives NaN for a sample without a visible position",)]


MANY = "x = input [T]; y = x -> reshape [N, T, 1, 1, 1, 1, 1, 1, 1]; " + " + ".join(f"(y -> transpose 1 {axis})" for axis in range(2, 9))


@pytest.mark.parametrize("text", ["x = input [T, T, T, T, T, T, T, T, T]; x -> relu", MANY])
def test_elements_of_many_positions_are_refused_at_once(text: str) -> None:
    derivation = derive_claim(netc.compile(text).program, Claim("separates", "T"))
    assert not derivation.is_proved
    assert len(derivation.outputs["output"].facts) == 1


@pytest.mark.parametrize("stage", ["softmax axis=0", "sum axis=0", "max axis=0", "cumsum axis=0", "logsumexp axis=0", "flip axis=0"])
def test_a_number_without_axes_has_the_axis_0(stage: str) -> None:
    for text in (MASKED + f"x -> sum -> {stage}", MASKED + f"(mask -> cast int64 -> sum) -> cast float32 -> {stage}"):
        causes = derive_claim(netc.compile(text).program, HIDES).causes.values()
        assert {cause and cause.operator for cause in causes} <= {None, "sum"}


@pytest.mark.parametrize("stage", ["gather axis=0", "index_select axis=0"])
def test_look_ups_in_a_number_without_axes(stage: str) -> None:
    text = f"x = input [T]; mask = input [T] bool; n = (mask -> cast int64 -> sum axis=1) - 1; (x -> sum, n -> sum -> mul 0) -> {stage}"
    assert derive_claim(netc.compile(text).program, HIDES).causes["output"] is not None
