"""Sizes as numbers at run time: what ONNX Runtime and PyTorch compute from the shapes of the inputs is what Python computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import netc

SIZES = [(1, 1), (2, 7), (5, 3), (8, 4), (9, 2)]
TEXTS = [
    "T",
    "5 - T",
    "T - H",
    "2 * T - 3 * H",
    # Rounded down, also below zero: PyTorch and Python agree, ONNX's own division does not.
    "(5 - T) // 2",
    "(T - 5) // 2",
    "(T - H) // 3",
    "(3 - T) // H",
    "(T - 4) // H",
    "(T + 5) // 4",
    "(H * T) // (H + 1)",
    "(T - 9) * (H - 8) // 5",
    "(3 - T) * H // 4",
    "(T - 3) * (T - 3) // 2",
    "((T - 9) // 2 + 3) // 2",
    "(T - 4) % 3",
    "(4 - T) % H",
    # Bounds of sums, products, greatest and least: one that is too high would choose ONNX's own division.
    "(T - 2 + H - 2) // 2",
    "max(T - 6, H - 6) // 2",
    "max(T - 9, -3) // 2",
    "max(T - 9, 0) // 2",
    "min(T, 4 - H) // 2",
    "min(T, H) // 2",
    "min(3 - T, 2) // 2",
    "(min(T, 3) - 5) // 2",
    "(max(T, 3) - 5) // 2",
]


@pytest.mark.parametrize("text", TEXTS)
def test_as_python_has_it(text: str) -> None:
    model = netc.compile(f"x = input [T, H] int64 batch=false; x + ({text})")
    module, session = model.module(), model.session()
    for rows, columns in SIZES:
        x = np.arange(rows * columns).reshape(rows, columns)
        expected = x + eval(text, {"T": rows, "H": columns})
        assert session(x).tolist() == expected.tolist(), (rows, columns)  # type: ignore[union-attr]
        assert module(torch.from_numpy(x)).tolist() == expected.tolist(), (rows, columns)


def test_a_session_refuses_what_a_where_excludes() -> None:
    """A condition on one of several sizes, on two of them, on all."""
    conditions = "H % 4 == 0, W > H, T <= W + H"
    run = netc.compile(f"x = input [H, W, T] where {conditions}; x -> relu").session()
    for sizes, text in [((6, 7, 2), "H % 4 == 0"), ((8, 8, 2), "W > H"), ((4, 5, 10), "T <= W + H")]:
        with pytest.raises(ValueError, match="does not hold") as caught:
            run(np.ones((1, *sizes), np.float32))
        assert f"`where {text}` does not hold" in str(caught.value)
    assert run(np.ones((1, 4, 5, 9), np.float32)).shape == (1, 4, 5, 9)  # type: ignore[union-attr]


def test_constants_of_the_same_bytes_keep_their_types() -> None:
    """Zero of float64 and of int64, one of int32 and the least float32 that is not zero."""
    text = "a = input 1 float64; b = input 1 int64; c = input 1 int32; d = input 1; out a * 0, b * 0, c + 1, d * 1.401298464324817e-45"
    found = netc.compile(text).session()(
        np.full((1, 1), 3.0), np.full((1, 1), 3), np.full((1, 1), 3, np.int32), np.ones((1, 1), np.float32)
    )
    assert isinstance(found, dict)
    assert [array.dtype.name for array in found.values()] == ["float64", "int64", "int32", "float32"]
    assert [array.item() for array in found.values()][:3] == [0, 0, 4]
