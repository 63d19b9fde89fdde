"""Results that are taken together, in their order, need no names: they are passed on whole."""

from __future__ import annotations

from textwrap import dedent

import pytest

import netc
from tests.parity import agree

BLOCKS = """
block two(p: [N, 3], q: [N, 3]) { (p -> dense 3) - q }
block three(p: [N, 3], q: [N, 3], r: [N, 4]) { (p -> dense 3) - q - (r -> dense 3) }
block make { y = in -> dense 6; (a, b) = y -> split 3 axis=1; out a, b }
block turned(p: [N, 3], q: [N, 3]) { out q, p }
x = input 4
"""
SAMPLES = {
    "x -> make as make -> two as last": "parts = self.make(x)\nreturn self.last(*parts)",
    "(x -> make as make, x) -> three as last": "parts = self.make(x)\nreturn self.last(*parts, x)",
    "x -> make as make -> turned as turned -> two as last": """
        parts = self.make(x)
        parts = self.turned(*parts)
        return self.last(*parts)
        """,
    "(a, b) = x -> make as make; (b, a) -> two as last": "a, b = self.make(x)\nreturn self.last(b, a)",
    "(a, b) = x -> make as make; (a, a) -> two as last": "a, _ = self.make(x)\nreturn self.last(a, a)",
    "x -> split 2 axis=1 -> concat axis=1": "return torch.cat(x.split(2, dim=1), dim=1)",
    "x -> make as make -> maximum": "parts = self.make(x)\nreturn torch.maximum(*parts)",
    "x -> make as make": "return self.make(x)",
    "x -> dense 4 as a -> each i in 0..3 as heads { dense 2 }": "x = self.a(x)\nreturn tuple([head(x) for head in self.heads])",
}


@pytest.mark.parametrize("text", SAMPLES)
def test_forward(text: str) -> None:
    model = netc.compile(BLOCKS + text)
    body = model.source().rsplit("def forward", 1)[1].split("\n", 1)[1]
    assert dedent(body).strip() == dedent(SAMPLES[text]).strip()
    agree(model)
