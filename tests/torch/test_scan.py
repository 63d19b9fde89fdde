"""`scan` in the emitted source: a `for` that a person would write."""

from __future__ import annotations

from textwrap import dedent

import pytest
import torch

import netc
from tests.parity import agree

BEFORE = "x = input [T, 4]\nz = input 4\n"
SAMPLES = {
    "x -> scan (h = z) axis=1 { h = (in, h) -> gru_cell 4 as cell }": """
        h = z
        outputs = []
        for x_t in x.unbind(1):
            h = self.cell(x_t, h)
            outputs.append(h)
        return torch.stack(outputs, dim=1)
        """,
    "(_, last) = x -> scan (h = z) axis=1 { h = h + in }\nlast": """
        h = z
        for x_t in x.unbind(1):
            h = h + x_t
        return h
        """,
    "(_, last) = x -> scan (h = z) axis=1 reverse=true { h = h + in }\nlast": """
        h = z
        for x_t in reversed(x.unbind(1)):
            h = h + x_t
        return h
        """,
    "(x, x * 2) -> scan (a = z, b = z) axis=1 { (p, q) = in; old = a; a = b * p; b = old + q; out old * 2 }": """
        y = x * 2
        a, b = z, z
        outputs = []
        for p, q in zip(x.unbind(1), y.unbind(1)):
            a2 = b * p
            b = a + q
            outputs.append(a * 2)
            a = a2
        return torch.stack(outputs, dim=1)
        """,
    "(x -> dense 4 as one) -> scan (x = z) axis=1 { x = in + x }": """
        x = self.one(x)
        x2 = z
        outputs = []
        for x_t in x.unbind(1):
            x = x_t + x2
            outputs.append(x)
            x2 = x
        return torch.stack(outputs, dim=1)
        """,
    "a = x -> scan axis=1 { dense 4 as one }\na + (x -> scan (h = z) axis=1 reverse=true { h = h * in })": """
        outputs = []
        for x_t in x.unbind(1):
            outputs.append(self.one(x_t))
        a = torch.stack(outputs, dim=1)
        h = z
        outputs = []
        for x_t in reversed(x.unbind(1)):
            h = h * x_t
            outputs.append(h)
        x = torch.stack(outputs[::-1], dim=1)
        return a + x
        """,
}


@pytest.mark.parametrize("text", SAMPLES)
def test_forward(text: str) -> None:
    model = netc.compile(BEFORE + text)
    body = model.source().rsplit("def forward", 1)[1].split("\n", 1)[1]
    assert dedent(body).strip() == dedent(SAMPLES[text]).strip()
    agree(model)


def test_training() -> None:
    """What a step does in training only is in an `if` of the loop, and what it gives is not."""
    model = netc.compile(BEFORE + "x -> scan (h = z) axis=1 { h = h + in -> if training { dense 4 as a } else { tanh } }")
    body = model.source().rsplit("def forward", 1)[1].split("\n", 1)[1]
    wanted = """
        h = z
        outputs = []
        for x_t in x.unbind(1):
            h = h + x_t
            if self.training:
                h2 = self.a(h)
            else:
                h2 = torch.tanh(h)
            outputs.append(h2)
            h = h2
        return torch.stack(outputs, dim=1)
        """
    assert dedent(body).strip() == dedent(wanted).strip()
    agree(model)
    module = model.module(seed=0).train()
    x, z = torch.randn(2, 5, 4), torch.randn(2, 4)
    found, wanted_steps, h = module(x, z), [], z
    for t in range(5):
        h = module.a(h + x[:, t])
        wanted_steps.append(h)
    torch.testing.assert_close(found, torch.stack(wanted_steps, 1))


def test_one_class() -> None:
    """Uses of a block with a loop are instances of one class."""
    model = netc.compile(
        "block rnn(width) {\n  z = table (n, i) [N, width] float32 = 0\n"
        "  in -> scan (h = z) axis=1 { h = (in, h) -> rnn_cell width as cell -> dense width as out }\n}\n"
        "input [T, 4] -> rnn 5 -> rnn 6"
    )
    assert model.source().count("class ") == 2
    agree(model)


def test_dead_stages() -> None:
    """What nothing takes is not computed."""
    model = netc.compile(BEFORE + "x -> scan (h = z) axis=1 { _unused = in -> relu; h = h + in }")
    assert "relu" not in model.source()
    agree(model)


def test_variants() -> None:
    """Uses of a block with a loop that an `if` makes different: in the step, around it, and of the loop itself."""
    block = (
        "block b(z: [N, D], x: [N, T, D], deep) {\n"
        "  y = x -> if deep { dense D as around } -> scan (h = z) axis=1 { h = h + in -> if deep { dense D as inside } }\n"
        "  y -> if deep { scan (h = z) axis=1 reverse=true { h = h * in } }\n}\n"
    )
    model = netc.compile(block + BEFORE + "y = (z, x) -> b true\n(z, y) -> b false")
    agree(model)
