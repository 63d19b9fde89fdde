"""The docstrings of the emitted classes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import netc


def docs(text: str) -> dict[str, str]:
    """The docstring of each class."""
    classes = [n for n in ast.parse(netc.compile(text).source()).body if isinstance(n, ast.ClassDef)]
    return {c.name: ast.get_docstring(c) or "" for c in classes}


SAMPLES = {
    "what differs is a letter, or an argument": (
        "block b(w) { in -> conv w 3 stride=2 -> relu }; input 3x9x9 -> b 4 -> b 5",
        {"B": "x: [N, in_channels, H, W] -> [N, w, (H - 1)//2, (W - 1)//2].", "Net": "input: [N, 3, 9, 9] -> [N, 5, 1, 1]."},
    ),
    "a multiple": (
        "block b(w) { in -> dense (4 * w) -> dense w }; input 8 -> b 8 -> (dense 16 -> b 16)",
        {"B": "x: [N, in_features] -> [N, w].", "Net": "input: [N, 8] -> [N, 16]."},
    ),
    "formulas in the model only": (
        "block b { in -> conv 4 3 -> relu }; input 4xHxW where H > 9 and W > 9 -> b -> max_pool 2 -> conv 4 1 -> is [N, 4, _, _]",
        {"B": "x: [N, 4, H, W] -> [N, 4, H - 2, W - 2].", "Net": "input: [N, 4, H, W] -> [N, 4, H//2 - 1, W//2 - 1]."},
    ),
    "one letter, one axis": (
        "block b { in -> permute [0, 2, 3, 1] -> dense in.channels }; input [5, 5, 7] -> b -> b",
        {"B": "x: [N, 5, H, W] -> [N, H, W, 5].", "Net": "input: [N, 5, 5, 7] -> [N, 7, 5, 5]."},
    ),
    "rounded up": (
        "block b(w, s=1) { in -> conv w 3 stride=s padding=1 -> relu }; input 3xHxW -> b 4 -> b 5 s=2",
        {
            "B": "x: [N, in_channels, H, W] -> [N, w, ceil(H/s), ceil(W/s)].",
            "Net": "input: [N, 3, H, W] -> [N, 5, (H + 1)//2, (W + 1)//2].",
        },
    ),
    "rounded down": (
        "block b { in -> conv in.channels 3 padding=1 -> max_pool 2 -> relu }; input 3xHxW where H > 4, W > 4 -> b -> b",
        {"B": "x: [N, 3, H, W] -> [N, 3, H//2, W//2].", "Net": "input: [N, 3, H, W] -> [N, 3, H//4, W//4]."},
    ),
    "channels that are concatenated": (
        "block b(g) { x = in; (x, x -> conv g 1, x -> conv 7 1) -> concat axis=1 }; input 3x4x4 -> b 5 -> b 6",
        {"B": "x: [N, in_channels, 4, 4] -> [N, g + in_channels + 7, 4, 4].", "Net": "input: [N, 3, 4, 4] -> [N, 28, 4, 4]."},
    ),
    "channels first": (
        "block b { in -> batch_norm -> sin }; input [3, H, 5] -> b -> conv 4 2 -> b",
        {"B": "x: [N, num_features, H, W] -> [N, num_features, H, W].", "Net": "input: [N, 3, H, 5] -> [N, 4, H - 1, 4]."},
    ),
    "channels last": (
        "block b { in -> layer_norm -> sin }; x = input [4, 5, 6]; y = input [5, 4, 7]; out x -> b, y -> b",
        {
            "B": "x: [N, H, W, features] -> [N, H, W, features].",
            "Net": "x: [N, 4, 5, 6], y: [N, 5, 4, 7] -> output1: [N, 4, 5, 6], output2: [N, 5, 4, 7].",
        },
    ),
    "nobody knows": (
        "block b { in -> sin -> cos }; x = input [4, 5, 6]; y = input [5, 4, 7]; out x -> b, y -> b",
        {"B": "x: [N, ...] -> [N, ...].", "Net": "x: [N, 4, 5, 6], y: [N, 5, 4, 7] -> output1: [N, 4, 5, 6], output2: [N, 5, 4, 7]."},
    ),
    "the names of a pattern": (
        "block b(x: [N, rows, _, D], y: [..., S]) { sin(x) + y }; input [4, 5, 6] -> "
        "((in, param [5, 6]) -> b) -> permute [0, 2, 3, 1] -> ((in, param [4]) -> b)",
        {"B": "x: [N, rows, ..., D], y: [..., D] -> [N, rows, ..., D].", "Net": "input: [N, 4, 5, 6] -> [N, 5, 6, 4]."},
    ),
    "names on both sides of the dots of a pattern": (
        "block b(x: [N, first, ..., last]) { sin(x) + 1 }; x = input 5x6x7; y = input 4x6x8; out b(x), b(y)",
        {
            "B": "x: [N, first, H, last] -> [N, first, H, last].",
            "Net": "x: [N, 5, 6, 7], y: [N, 4, 6, 8] -> output1: [N, 5, 6, 7], output2: [N, 4, 6, 8].",
        },
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


@pytest.mark.parametrize(
    ("comment", "remark"),
    [
        ("Doubles the input, with `k`.", ""),
        ("Doubles the input; `k` is unused.", "Doubles the input."),
        ("Doubles the input; `w` is the width; `k` is unused; it is fast.", "Doubles the input; `w` is the width; it is fast."),
        ("Of width `w`. With `k`, slower. Fast.", "Of width `w`. Fast."),
        ("Fast. With `k`, slower. They say. Indeed.", "Fast. Indeed."),
        ("The code `2 * k` is code. The word k is a word.", "The word k is a word."),
        ("Input [N, D]; output [N, w].", ""),
        ("Input [N, D]; output [N, w]: doubles the input.", "Doubles the input."),
        ("Doubles the input; output float32 [N, w].", "Doubles the input."),
        ("Input and output [..., D]: fast. Output [N].", "Fast."),
        ("A list [1, 2] of `x`, as in [3]; no `other`.", "A list [1, 2] of `x`, as in [3]; no `other`."),
    ],
)
def test_a_remark_speaks_of_what_the_class_has(comment: str, remark: str) -> None:
    """`w` sets a size, `k` only decides what is in the class."""
    text = f"let n = 1\n# {comment}\nblock b(w, k) {{ dense w -> if k > 2 {{ relu }} -> dense 3 }}\ninput 3 -> b 4 3 -> b 5 3"
    assert docs(text)["B"].rpartition("\n\n")[0] == remark


OPTIONAL = """let n = 1
# A sum; `other` is added; `third` too. With `third`, slower.
block b(x: [N, D], other?: [N, D], third?: [N, D]) {
  y = if given(other) { x + other } else { x }
  if given(third) { y + third } else { y } -> dense 3
}
"""


def test_a_remark_speaks_of_the_inputs_that_the_class_is_given() -> None:
    found = docs(OPTIONAL + "a = input 3; (a, a) -> b")
    assert found["B"].rpartition("\n\n")[0] == "A sum; `other` is added."
    assert docs(OPTIONAL + "input 3 -> b")["B"].rpartition("\n\n")[0] == "A sum."
    everything = docs(OPTIONAL + "a = input 3; (a, a, a) -> b")
    assert everything["B"].rpartition("\n\n")[0] == "A sum; `other` is added; `third` too. With `third`, slower."


def test_long_remarks_are_wrapped() -> None:
    text = f"let k = 1\n# {'some words ' * 30}\nblock b {{ dense 3 -> relu -> dense 3 }}\ninput 3 -> b -> relu"
    assert max(map(len, netc.compile(text).source().splitlines())) <= 119


def test_a_result_has_the_size_of_an_argument() -> None:
    """The first stage makes 12 channels of 8, and the second one 12 of 12: the result has `width` channels."""
    text = (Path(__file__).parents[2] / "specs/generative/ddpm.net").read_text(encoding="utf-8").partition("model ddpm_cifar10")[0]
    source = netc.compile(f"{text}\nmodel small = network [8, 12, 12, 12] [1] groups=4", model="small").source()
    stages = [line.strip() for line in source.splitlines() if "in_channels, H, W], skips" in line]
    assert stages == ['"""x: [N, in_channels, H, W], skips: tuple, time: [N, 32] -> [N, width, H/2, W/2], tuple."""']
