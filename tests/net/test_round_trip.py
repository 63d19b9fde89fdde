"""Specs as graphs and as text again: operator by operator the same, under the same keys."""

from __future__ import annotations

import pytest
from zoo.small import SMALL

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from tests.net.same import has_scan, same_results, signature

NOT_YET = {"cached": "a list of inputs"}
"""What is refused, and why."""


def assert_same(model: netc.Model, text: str) -> None:
    again = netc.compile(text)
    assert list(again.inputs.items()) == list(model.inputs.items())
    assert list(again.outputs.items()) == list(model.outputs.items())
    assert again.parameters.keys() == model.parameters.keys()
    if has_scan(model):
        assert same_results(model, again)
    else:
        assert signature(again.program) == signature(model.program)
    trained = [m.program.main.training_outputs for m in (model, again)]
    one, other = [None if outputs is None else [v.type for v in outputs] for outputs in trained]
    assert one == other


@pytest.mark.parametrize("name", [name for name in SMALL if name not in NOT_YET])
@pytest.mark.sample(16)
def test_zoo(name: str) -> None:
    model = SMALL[name].compiled()
    text = write_program(model.program)
    assert_same(model, text)
    assert format_source(SourceFile("x.net", text))[0] == text


@pytest.mark.parametrize("name", [name for name in SMALL if name in NOT_YET])
def test_refused(name: str) -> None:
    with pytest.raises(netc.CompileError, match=f"{NOT_YET[name]} cannot be written as a spec"):
        write_program(SMALL[name].compiled().program)


SCAN = "x = input [4, T]; y = input [T, 4]; z = table (n, i) [N, 4] float32 = 0; "
CASES = {
    "a line": "input 3 -> dense 2 sigmoid -> dense 1 sigmoid",
    "numbers before tensors": "x = input 3; 1 - x * 2 -> dense 4",
    "powers and signs": "x = input 3; -(x ** 2) + (-x) ** 2 - (x - (x - 1))",
    "comparison": "x = input 3; y = input 3; (x > y) == (y >= 1)",
    "named tensors": "x = input [T, 8]; m = input [T] bool; x -> multihead_attention 2 key_padding_mask=m",
    "several results": "x = input 4x6; (a, b) = x -> chunk 2 axis=1; out b, a",
    "secondary results": "x = input 4x6; (v, i) = x -> max axis=1; out v, i",
    "main result": "x = input 4x6; x -> max axis=1",
    "shared": "a = input 1x8x8; b = input 1x8x8; shared e = (conv 4 3x3 relu -> flatten -> dense 8); (a -> e, b -> e) -> concat axis=1",
    "tied": "t = input [T] int64; t -> embedding 100 16 as wte -> dense 100 bias=false tie=wte",
    "parameter of a stage": "t = input [T] int64; h = t -> embedding 100 16 as words -> dense 16 relu; h @ transpose(words.weight, 0, 1)",
    "parameter of a stage within arithmetic": (
        "x = input 3; y = x -> dense 4 as d; x @ transpose(d.weight, 0, 1) + (y -> mean axis=1 keepdim=true)"
    ),
    "parameter of a stage whose result is unused": (
        "x = input 3; _y = x -> dense 4 as d -> relu -> mean axis=1; x @ transpose(d.weight, 0, 1)"
    ),
    "an input without a name after another one": ("start = input 4; input [T, 4] -> scan (h = start) axis=1 { h = h + in -> dense 4 }"),
    "labels in a shared sequence": (
        "x = input 4; shared s = (dense 4 as a -> relu -> dense 4 as b); shared t = (dense 4 as c); x -> s -> t -> s -> t"
    ),
    "parameter of a shared stage": "x = input 4; shared d = dense 4; y = x -> d; (y -> relu) + x @ d.weight",
    "parameter within a shared stage that is used before": (
        "x = input 4; block b { dense 4 as n }; shared s = b as a; y = x -> s; (y -> relu) + x @ a.n.weight"
    ),
    "parameters of a shared stage and of one that has its name as its label": (
        "x = input 4; shared s = dense 4 as m.a; y = x -> dense 4 as a; (x -> s) + y + x @ m.a.weight + x @ a.weight"
    ),
    "parameter of a shared stage that is used in another body": (
        "x = input 4; shared s = dense 4 as a; y = x -> (s -> dense 4 as m) as g; y + x @ a.weight"
    ),
    "parameter of a stage in a loop": (
        "x = input 4; y = x -> repeat 2 as l { dense 4 relu }; (y -> relu) + x @ transpose(l.1.0.weight, 0, 1)"
    ),
    "parameter of a stage called by a keyword": "x = input 4; y = x -> (dense 4 as in -> relu) as out; y + x @ out.in.weight",
    "frozen": "input 3x32x32 -> (conv 8 3x3 -> batch_norm relu) trainable=false as features -> global_avg_pool -> dense 10 as head",
    "infinite": "x = input 3; m = input 3 bool; x -> hardtanh min_val=-2 max_val=3",
    "conditions": "x = input 3xHxW where H % 32 == 0, W >= 64; x -> conv 8 32 stride=32",
    "table": "x = input [T, 8]; x + (table (t, k) [T, 8] = where(t % 2 == 0, -sin(t / 10000 ** (k / 8)), 1 - (2 - k)))",
    "buffer": "x = input 3; x + (param [3] init=ones trainable=false as offset) + (table (i) [3] = 2 * i as index)",
    "element types": "x = input [T] int32; y = input [T] float16; (x -> cast float64) + y",
    "no batch": "x = input [2, N, 3] batch=false; x -> relu",
    "two levels": "input 8 -> dense 8 as a.b.0 -> dense 8 as a.b.1 -> dense 8 as a.c",
    "words and strings": 'input 3x32x32 -> pad [1, 1, 1, 1] mode=reflect -> rearrange "n c (h p) w -> n (h c) p w" p=2',
    "weights as inputs": "x = input [T, 8]; c = input 4 batch=false; w = c -> dense 48 -> reshape [6, 8]; x -> dense 6 weight=w relu",
    "initializers": "input 64 -> dense 10 init=orthogonal(gain=2) bias_init=0.5 -> dense 3 init=trunc_normal(0.02)",
    "activation with arguments": "input 3x8x8 -> conv 8 3x3 (leaky_relu 0.2) -> leaky_relu 0.3",
    "scan": "x = input [T, 4]; z = table (n, i) [N, 4] float32 = 0; x -> scan (h = z) axis=1 { h = (in, h) -> gru_cell 4 as cell }",
    "last states": SCAN
    + "(a, b, c) = (x, y) -> scan (h = z, c = z) axis=[2, 1] { (x, y) = in; h = h + x; c = c * y; out h + c }; out a, b, c",
    "scan with shared stages of the body around it": SCAN
    + "shared c = gru_cell 4 as a.c; shared d = dense 4; s = (y -> select 1 0, z) -> c; "
    "y -> scan (h = s) axis=1 { h = (in -> d, h) -> c; h + h -> d }",
    "reversed": SCAN + "x -> scan (h = z) axis=-1 reverse=true { out in + h, h; h = h - in * 2 -> sigmoid }",
    "reversed in some uses": "block f(back) { z = table (n, i) [N, 4] float32 = 0; x = in; "
    "x -> scan (h = z) axis=1 reverse=back { h = (in, h) -> gru_cell 4 as cell } }; "
    "input [T, 4] -> f false -> f true",
    "states of a step": SCAN + "(a, s, t) = x -> scan (h = z, c = z) axis=2 { (h, c) = (in, h, c) -> lstm_cell 4 as one; h * c }; out t, a",
    "state kept": SCAN + "x -> scan (h = z) axis=2 { old = h; h = in -> tanh; old - h }",
    "captured": SCAN + "b = x -> mean axis=2; x -> scan (h = z) axis=2 { h = h + in + b; h -> dense 3 as d }",
    "in a block": "block f(start: [N, 4], x: [N, T, 4]) { x -> scan (h = start) axis=1 { h = h + in -> dense 4 as d } }; "
    "x = input [T, 4]; z = table (n, i) [N, 4] float32 = 0; (z, (z, x) -> f as one) -> f as two",
    "in training": "x = input 3; a = x -> dense 4 as a; b = x -> dense 4 as b; if training { out a, b } else { (a + b) / 2 }",
    "one in training": "x = input 3; a = x -> dense 4; if training { out a } else { out a -> relu, a }",
    "in training, in a sequence": "x = input 3; x -> (if training { dropout 0.3 } -> dense 5 -> relu -> dense 2) as g",
    "in training, between numbers": (
        "x = input 3; x -> (dense 3 -> if training { dropout 0.3 -> dropout 0.2 } -> relu -> dense 5 -> dropout 0.1 -> dense 4) as g"
    ),
    "in evaluation, in a group": "x = input 4xT; x -> relu -> (if not training { sigmoid } -> group_norm 1 as norm) as g",
    "in evaluation, in a sequence": "x = input 4; x -> relu -> (dense 4 -> if not training { tanh -> dense 4 } -> relu -> dense 2) as g",
    "a group in evaluation": "x = input 4; x -> relu -> (if not training { (tanh -> sigmoid) as q } -> dense 3) as g",
    "groups in training": "x = input 4; x -> (if training { (tanh -> sigmoid) as q -> (relu -> tanh) as r } -> dense 3 -> dense 2) as g",
    "modes in modes": "x = input 4; x -> relu -> (if not training { (if training { tanh } -> sigmoid) as q } -> dense 3) as g",
    "a step, in a group": "x = input [T, 4]; x -> relu -> (scan axis=1 { in -> tanh } -> dense 3) as g",
    "names of a step, in a group": "x = input [T, 4]; x -> relu -> (scan axis=1 { a = in -> tanh; b = a * 2; a + b } -> dense 3) as g",
    "an activation as an argument, and a tensor": (
        "block b(n, act) { dense n -> act }; x = input 4; x -> if training { tanh -> tanh } else { tanh -> relu } -> b 8 relu -> b 9 tanh"
    ),
    "groups without labels": (
        "block b(by) { in * by -> tanh }; x = input 7; x -> repeat 2 as l { b 2 -> b 3 } -> repeat 1 { if training { relu } }"
    ),
    "by mode": "x = input 8; h = x -> dense 8; h -> if training { dropout 0.5 } -> dense 2",
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    model = netc.compile(CASES[case])
    assert_same(model, write_program(model.program))


def test_stages_of_evaluation_stay_in_their_group() -> None:
    text = "x = input 4xT\nx -> relu -> (if not training { sigmoid } -> group_norm 1 as norm) as g\n"
    assert write_program(netc.compile(text).program) == text


def test_blocks_take_what_differs() -> None:
    """Equal blocks are one; sizes follow from the input where they always are its sizes; a number that is the same everywhere stays one."""
    spec = """
    block a(width) { in -> conv width 3x3 padding=1 as one -> conv width 1x1 as two }
    input 3x8x8 -> a 4 as x -> a 8 as y -> a 16 as z
    """
    assert write_program(netc.compile(spec).program) == (
        "block a(channels) {\n  in -> conv channels 3x3 padding=1 as one -> conv channels 1x1 as two\n}\n\n"
        "input 3x8x8 -> a 4 as x -> a 8 as y -> a 16 as z\n"
    )


def test_optional_stages() -> None:
    """What only some uses have is in an `if`, and a loop says where it is."""
    spec = """
    block a(short) { in + (in -> if short { conv 4 1x1 as shortcut } -> conv 4 3x3 padding=1 as main -> batch_norm relu) }
    input 4x8x8 -> repeat i in 0..3 as layers { a (i == 0) }
    """
    text = write_program(netc.compile(spec).program)
    assert "if shortcut { conv 4 1x1 as shortcut }" in text
    assert "repeat i in 0..3 as layers { a shortcut=(i == 0) }" in text


def test_no_relation_by_coincidence() -> None:
    """A padding that is the stride everywhere, and widths of one use that are multiples, are numbers."""
    spec = """
    block a(width, kernel) { in -> conv width kernel padding=1 stride=1 as one -> relu -> conv (2 * width) 1x1 as two }
    input 4x8x8 -> a 4 3 as x -> relu -> a 4 3 as y
    """
    text = write_program(netc.compile(spec).program)
    assert "block a {\n  in -> conv 4 3 padding=1 relu as one -> conv 8 1x1 as two\n}" in text


def test_tensors_by_name_are_names_or_arithmetic() -> None:
    """A pipeline cannot be an argument."""
    spec = """\
x = input [T, 8]
bias = input [T, T] batch=false
mask = bias -> relu
more = table (i) [2] = 0.5 * i
more2 = more -> dense 1 as last
x -> multihead_attention 2 attn_mask=mask -> attention k=x v=x mask=(2 * bias + more2)
"""
    assert_same(netc.compile(spec), write_program(netc.compile(spec).program))
