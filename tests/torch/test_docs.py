"""The docstrings of the emitted classes."""

from __future__ import annotations

import ast

import pytest

import netc


def docs(text: str) -> dict[str, str]:
    """The docstring of each class."""
    classes = [n for n in ast.parse(netc.compile(text).source()).body if isinstance(n, ast.ClassDef)]
    return {c.name: ast.get_docstring(c) or "" for c in classes}


SAMPLES = {
    "what differs is a letter, or an argument": (
        "block b(w) { in -> conv w 3 stride=2 -> relu }; input 3x9x9 -> b 4 -> b 5",
        {"B": "x: [N, in_channels, H, W] -> [N, w, H2, W2].", "Net": "x: [N, 3, 9, 9] -> [N, 5, 1, 1]."},
    ),
    "a multiple": (
        "block b(w) { in -> dense (4 * w) -> dense w }; input 8 -> b 8 -> (dense 16 -> b 16)",
        {"B": "x: [N, in_features] -> [N, w].", "Net": "x: [N, 8] -> [N, 16]."},
    ),
    "formulas in the model only": (
        "block b { in -> conv 4 3 -> relu }; input 4xHxW where H > 9 and W > 9 -> b -> max_pool 2 -> conv 4 1 -> is [N, 4, _, _]",
        {"B": "x: [N, 4, H, W] -> [N, 4, H2, W2].", "Net": "x: [N, 4, H, W] -> [N, 4, H//2 - 1, W//2 - 1]."},
    ),
    "one letter, one axis": (
        "block b { in -> permute [0, 2, 3, 1] -> dense in.channels }; input [5, 5, 7] -> b -> b",
        {"B": "x: [N, 5, H, W] -> [N, H, W, 5].", "Net": "x: [N, 5, 5, 7] -> [N, 7, 5, 5]."},
    ),
}


@pytest.mark.parametrize(("text", "expected"), SAMPLES.values(), ids=SAMPLES.keys())
def test_shapes(text: str, expected: dict[str, str]) -> None:
    assert docs(text) == expected


REMARK = "Doubles the input."


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        (f"let k = 1\n# {REMARK}\nblock b {{ dense 3 -> relu -> dense 3 }}\ninput 3 -> b -> relu", REMARK),
        ("let k = 1\n# Doubles\n# the input.\nblock b { dense 3 -> relu -> dense 3 }\ninput 3 -> b -> relu", REMARK),
        (f"let k = 1\n# {REMARK}\n\nblock b {{ dense 3 -> relu -> dense 3 }}\ninput 3 -> b -> relu", ""),
        (f"# {REMARK}\nblock b {{ dense 3 -> relu -> dense 3 }}\ninput 3 -> b -> relu", ""),
        (f"let k = 1\n# {REMARK}\ninput 3 -> (in + in) -> sin", ""),
        ('let k = 1\n# "Quoted" """twice""" \\n\nblock b { dense 3 -> relu -> dense 3 }\ninput 3 -> b -> relu', '"Quoted" """twice""" \\n'),
    ],
)
def test_remarks(text: str, remark: str) -> None:
    found = next(iter(docs(text).values()))
    assert found.rpartition("\n\n")[0] == remark
    netc.compile(text).module()


def test_long_remarks_are_wrapped() -> None:
    text = f"let k = 1\n# {'some words ' * 30}\nblock b {{ dense 3 -> relu -> dense 3 }}\ninput 3 -> b -> relu"
    assert max(map(len, netc.compile(text).source().splitlines())) <= 100
