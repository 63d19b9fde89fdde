"""Sizes that are known at run time: read off what comes in, or passed by the caller."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netc
from tests.parity import agree

SAMPLES = {
    "read": "x = input [T, 4]; x + (table (t, k) [T, 4] = t * 0.5 + k)",
    "two of one tensor": "x = input [T, S]; x + (table (t, s) [T, S] = t * 0.5 + s)",
    "a line of a symbol": "x = input [T, 4] where T >= 4; y = x -> slice axis=1 start=2; y + (table (t, k) [T - 2, 4] = t * 0.5 + k)",
    "read inside, through a line": "x = input [T, 4] where T >= 4; "
    "x -> slice axis=1 start=2 -> (add 1 -> slice axis=1 stop=(T - 3) -> dense 4) as inner",
    "a multiple": "x = input [T, 4] where T % 2 == 0; x -> slice axis=1 stop=(T / 2) -> dense 2",
    "a part of an axis": "block third { in -> slice axis=2 stop=(in.shape[2] / 3) -> conv 2 1 }; "
    "input 2xHxW where H % 36 == 0, W % 4 == 0 -> avg_pool 2 -> third -> avg_pool 2 -> third",
    "a multiple of an axis": "block places { in -> dense 3 -> unsqueeze 2 -> expand [-1, -1, 2 * in.shape[1], -1] }; "
    "input [T, 4] where T % 2 == 0 -> slice axis=1 stop=(T / 2) -> places",
    "passed": "x = input [T, S]; x -> flatten -> (reshape [N, T, S] -> relu -> mean axis=2) as inner",
    "passed through a list": "x = input [T, S]; x -> flatten -> repeat 3 as layers { reshape [N, T, S] -> softmax axis=-1 -> flatten }",
    "passed through two": "x = input [T, S]; x -> flatten -> (relu -> (reshape [N, T, S] -> softmax axis=-1 -> flatten) as b -> relu) as a",
    "one block, two symbols": "block b() { in + (table (t, k) [in.shape[1], 4] = t * 0.5 + k) }; x = input [T, 4]; y = input [S, 4]; "
    "(x -> b -> sum axis=1) + (y -> b -> sum axis=1)",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_agrees(text: str) -> None:
    agree(netc.compile(text))


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        ("read", "T = x.shape[1]"),
        ("two of one tensor", "T, S = x.shape[-2:]"),
        ("read inside, through a line", "T = x.shape[1] + 2"),
        ("a part of an axis", "height = x.shape[2]"),
        ("a part of an axis", "return self.conv1(x[:, :, : height // 3])"),
        ("a multiple of an axis", "T_2 = x.shape[1]"),
        ("passed", "def forward(self, x: Tensor, T: int) -> Tensor:"),
        ("passed", "return self.inner(x.flatten(1), T)"),
        ("passed through a list", "x = layer(x, T)"),
        ("passed through two", "return F.relu(self.b(x, T))"),
    ],
)
def test_line(sample: str, line: str) -> None:
    assert line in [found.strip() for found in netc.compile(SAMPLES[sample]).source().splitlines()]


def test_one_class_for_two_symbols() -> None:
    assert netc.compile(SAMPLES["one block, two symbols"]).source().count("class B") == 1


def test_one_class_for_two_resolutions() -> None:
    assert netc.compile(SAMPLES["a part of an axis"]).source().count("class Third") == 1


def test_docstrings() -> None:
    text = netc.compile("block b(w) { in -> conv w 3 stride=2 padding=1 }; input 3xHxW where H % 4 == 0, W % 4 == 0 -> b 4 -> b 8").source()
    assert '"""x: [N, in_channels, H, W] -> [N, w, H/2, W/2]."""' in text
    assert '"""input: [N, 3, H, W] -> [N, 8, H/4, W/4]."""' in text
    long = (
        "; ".join(f"a_long_name_{i} = input [T, 64]" for i in range(4)) + "; a_long_name_0 + a_long_name_1 + a_long_name_2 + a_long_name_3"
    )
    assert max(map(len, netc.compile(long).source().splitlines())) <= 119
    assert "tokens: int64 [N, T] ->" in netc.compile("tokens = input [T] int64; tokens -> embedding 5 4").source()


def test_sizes_of_pieces() -> None:
    """Of a list of sizes, each is what the spec computes it from; of equal pieces, their number stays."""
    text = (
        "block b(w, k) { (a, b) = in -> dense (2 * w) -> split w axis=-1; (c, d) = a -> split [k, w - k] axis=-1; "
        "out concat(c, d, axis=-1) + b }"
    )
    model = netc.compile(f"{text}; x = input 4 -> b 6 2 -> b 8 3")
    source = model.source()
    assert ".split(self.w, dim=-1)" in source
    assert ".split((self.k, self.w - self.k), dim=-1)" in source
    scope: dict[str, Any] = {}
    exec(source, scope)
    judge = netc.compile(f"{text}; x = input 5 -> b 9 4 as b").module(seed=1).eval()
    module = scope["B"](5, 9, k=4)
    module.load_state_dict({key.removeprefix("b."): value for key, value in judge.state_dict().items()})
    x = torch.randn(3, 5)
    torch.testing.assert_close(module(x), judge(x), rtol=0, atol=0)


ATTENTION = (
    'block attend(heads) { q = in -> dense in.features as q -> rearrange "... t (h d) -> ... h t d" h=heads; '
    '(q, q, q) -> attention -> rearrange "... h t d -> ... t (h d)" -> dense (2 * in.features) as o }'
)


def test_products_of_exact_quotients() -> None:
    """Heads divide the features, so that all heads together have the features of the input."""
    source = netc.compile(f"{ATTENTION}; x = input [T, 8]; x -> attend 2 -> attend 4").source()
    assert "self.o = nn.Linear(features, 2 * features)" in source
    halves = "block half(k) { y = in -> dense (in.features // k) as a; (y, y) -> concat axis=-1 -> dense (k * (in.features // k)) as b }"
    source = netc.compile(f"{halves}; input 9 -> half 2 -> half 4").source()
    assert "(in_features // k)" in source, "nothing says that it is exact"


def test_a_class_with_heads_that_do_not_divide() -> None:
    source = netc.compile(f"{ATTENTION}; x = input [T, 8]; x -> attend 2 -> attend 4").source()
    scope: dict[str, Any] = {}
    exec(source, scope)
    made = scope["Attend"](6, 3)
    assert made(torch.randn(2, 5, 6)).shape == (2, 5, 12)
    with pytest.raises(RuntimeError):
        scope["Attend"](6, 4)(torch.randn(2, 5, 6))
