"""The text of `forward`: which expressions share a line, and the names of variables."""

from __future__ import annotations

from math import inf
from textwrap import dedent

import numpy as np
import pytest
import torch

import netc
from tests.parity import agree


def forward(text: str) -> str:
    """The body of the last `forward`."""
    return dedent(netc.compile(text).source().rsplit("def forward", 1)[1].split("\n", 1)[1]).strip()


SAMPLES = {
    "layer, normalization and activation": (
        "x = input 3x8x8; x -> conv 4 3 as conv -> batch_norm relu as bn -> max_pool 2 -> conv 8 1 as last -> flatten -> dense 2 as head",
        """
        x = F.relu(self.bn(self.conv(x)))
        x = F.max_pool2d(x, 2)
        x = self.last(x).flatten(1)
        return self.head(x)
        """,
    ),
    "equal layers each have a line": (
        "x = input 4; x -> dense 4 as a -> dense 4 as b -> dense 4 relu as c",
        """
        x = self.a(x)
        x = self.b(x)
        return F.relu(self.c(x))
        """,
    ),
    "a residual": (
        "x = input [T, 4]; x + (x -> layer_norm as norm -> dense 4 gelu as up -> dropout 0.1 as drop)",
        """
        y = F.gelu(self.up(self.norm(x)))
        return x + self.drop(y)
        """,
    ),
    "names of the spec": (
        "image = input 4; main = image -> dense 4 tanh as a -> dense 4 as b; skip = image -> dense 4 as c; main + skip -> relu",
        """
        main = torch.tanh(self.a(image))
        main = self.b(main)
        skip = self.c(image)
        return F.relu(main + skip)
        """,
    ),
    "an input that is still needed is not overwritten": (
        "x = input 4; y = x -> dense 4 tanh as a -> dense 4 tanh as b -> dense 4 as c; y * x",
        """
        y = torch.tanh(self.a(x))
        y = torch.tanh(self.b(y))
        y = self.c(y)
        return y * x
        """,
    ),
    "words of Python": (
        "lambda = input 4; print = lambda -> dense 4 as a; self_ = print -> sin; print * self_ + lambda",
        """
        print_ = self.a(lambda_)
        self_ = torch.sin(print_)
        return print_ * self_ + lambda_
        """,
    ),
    "results that are taken apart": (
        "x = input [T, 8]; (a, b) = x -> chunk 2 axis=-1; a * (b -> sigmoid)",
        """
        a, b = x.chunk(2, dim=-1)
        return a * torch.sigmoid(b)
        """,
    ),
    "results that are passed on whole": (
        "x = input [T, 8]; x -> chunk 2 axis=-1 -> concat axis=1",
        """
        return torch.cat(x.chunk(2, dim=-1), dim=1)
        """,
    ),
    "results of which one is not used": (
        "x = input [T, 8]; (a, b) = x -> chunk 2 axis=-1; a -> dense 2 as a",
        """
        a, _ = x.chunk(2, dim=-1)
        return self.a(a)
        """,
    ),
    "equal statements": (
        "shared f = dense 4; x = input 4; x -> f -> f -> f -> f",
        """
        for _ in range(3):
            x = self.f(x)
        return self.f(x)
        """,
    ),
    "what nothing comes of": (
        "x = input 4; y = x -> dense 3 as unused; z = x -> dense 2 as used; z",
        """
        return self.used(x)
        """,
    ),
    "parameters stand for themselves": (
        "x = input [T, 4]; p = param [4] init=ones as scale; q = param [4] as shift; x * p + q",
        """
        return x * self.scale + self.shift
        """,
    ),
    "statements before an expression": (
        "x = input [T, 4]; i = x -> sum axis=-1; p = table (i, k) [T, 4] = i * 4.5 + k; x + p + (i -> unsqueeze axis=-1)",
        """
        T = x.shape[1]
        i = x.sum(dim=-1)
        i2 = torch.arange(T, dtype=torch.float64, device=x.device)[:, None]
        k = torch.arange(4, dtype=torch.float64, device=x.device)
        p = (i2 * 4.5 + k).to(x.dtype)
        return x + p + i.unsqueeze(-1)
        """,
    ),
    "several results": (
        "x = input 4; h = x -> dense 4 relu as h; out h, (h -> dense 2 as last)",
        """
        h = F.relu(self.h(x))
        return h, self.last(h)
        """,
    ),
    "what is computed twice": (
        "x = input [T, 4]; a = (x -> sin) + 1; b = (x -> sin) + 1; c = a * b -> dense 4 as c; c + (x -> sin)",
        """
        x = torch.sin(x)
        a = x + 1
        c = self.c(a * a)
        return c + x
        """,
    ),
    "rotary angles for two": (
        "x = input [T, 4]; q = x -> dense 4 as q_proj -> rotary; k = x -> dense 4 as k_proj -> rotary; q * k",
        """
        T = x.shape[1]
        cos, sin = self.rotary(torch.arange(T, device=x.device), x.dtype)
        q = apply_rotary(self.q_proj(x), cos, sin)
        k = apply_rotary(self.k_proj(x), cos, sin)
        return q * k
        """,
    ),
    "modules are run as often as the spec has them": (
        "x = input 4; shared f = (dense 4 -> dropout 0.5); (x -> f) * (x -> f) + (x -> dropout 0.5 as d) / (x -> dropout 0.5 as e)",
        """
        y = self.d(x) / self.e(x)
        return self.f(x) * self.f(x) + y
        """,
    ),
    "side by side": (
        "x = input [T, 4]; (x -> dense 4 as query, x -> dense 4 as key -> tanh, x -> dense 4 as value) -> attention -> dense 2 as out",
        """
        query = self.query(x)
        key = torch.tanh(self.key(x))
        value = self.value(x)
        x = F.scaled_dot_product_attention(query, key, value)
        return self.out(x)
        """,
    ),
    "side by side, activated": (
        "x = input [T, 4]; (x -> dense 4 as expand1x1_of_the_two -> relu, x -> dense 4 as expand3x3_of_the_two -> relu) -> concat axis=-1",
        """
        expand1x1_of_the_two = F.relu(self.expand1x1_of_the_two(x))
        expand3x3_of_the_two = F.relu(self.expand3x3_of_the_two(x))
        return torch.cat((expand1x1_of_the_two, expand3x3_of_the_two), dim=-1)
        """,
    ),
    "another form of the same": (
        "x = input [T, 12]; (q, k, v) = x -> chunk 3 axis=-1; h = k; "
        "(q -> unflatten (-1) [2, 2] -> transpose 1 2, h -> unflatten (-1) [2, 2] -> transpose 1 2, "
        "v -> unflatten (-1) [2, 2] -> transpose 1 2) -> attention -> transpose 1 2 -> flatten 2 -> dense 2 as out",
        """
        q, k, v = x.chunk(3, dim=-1)
        q = q.unflatten(-1, (2, 2)).transpose(1, 2)
        k = k.unflatten(-1, (2, 2)).transpose(1, 2)
        v = v.unflatten(-1, (2, 2)).transpose(1, 2)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return self.out(x.flatten(2))
        """,
    ),
    "state that nothing takes": (
        "x = input [T, 4]; (y, h, c) = x -> lstm 3 as lstm; y -> dense 2 as out",
        """
        y, _ = self.lstm(x)
        return self.out(y)
        """,
    ),
    "branches of a function": (
        "x = input 4; (x -> (dense 2) as a, x -> (dense 3) as b) -> concat axis=1 -> relu",
        """
        return F.relu(torch.cat((self.a(x), self.b(x)), dim=1))
        """,
    ),
}


@pytest.mark.parametrize(("text", "expected"), SAMPLES.values(), ids=SAMPLES.keys())
def test_forward(text: str, expected: str) -> None:
    assert forward(text) == dedent(expected).strip()
    agree(netc.compile(text))


def test_a_list_starts_from_a_variable_of_its_own() -> None:
    text = "x = input 4; m = input 4; y = x -> repeat 4 as layers { in * m -> dense 4 }; x + y"
    assert forward(text) == "y = x\nfor layer in self.layers:\n    y = layer(y, m)\nreturn x + y"


def test_long_sums_are_broken() -> None:
    names = [f"a_rather_long_name_{i}" for i in range(8)]
    text = "; ".join(f"{n} = input 2" for n in names) + "; " + " + ".join(names)
    lines = netc.compile(text).source().splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-9].strip() == names[0]
    assert lines[-8].strip() == f"+ {names[1]}"
    agree(netc.compile(text))


def test_both_zeros() -> None:
    """0.0 and -0.0 are equal and divide differently: neither steps, nor uses of a block, nor its classes are merged over them."""
    text = (
        "block f(k) { 1 / (in * k) }; x = input 1; a = x -> f 0.0; b = x -> f (-0.0); c = 1 / (x * 0.0); d = 1 / (x * -0.0); out a, b, c, d"
    )
    model = netc.compile(text)
    ones = np.ones((1, 1), np.float32)
    assert [float(y) for y in model.module()(torch.from_numpy(ones))] == [inf, -inf, inf, -inf]
    assert [float(y.item()) for y in model.session()(x=ones).values()] == [inf, -inf, inf, -inf]


def test_two_numbers_are_chosen_from_in_the_type_of_the_table() -> None:
    """PyTorch makes float32 of two floats: nothing is computed in float64, and converted."""
    mask = "x = input [T, T] batch=false; m = table (i, j) [T, T] = where(j > i, -1e9, 0); x + m"
    assert "m = torch.where(j > i, -1e9, 0.0)" in netc.compile(mask).source()
    agree(netc.compile(mask))
    sizes = "x = input [T, S] batch=false; m = table (i, j) [T, S] float32 = where(j > i / 2, T, S); x + m"
    agree(netc.compile(sizes))
