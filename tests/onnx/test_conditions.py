"""A session takes exactly the sizes that every `where` of the spec allows, and `T + 1` is one more than `T`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

import netc

CONDITIONS = [
    "S == T",
    "S == T + 1",
    "S == 2 * T",
    "T == S - 2",
    "S == T + 1, S % 3 == 0",
    "S == 2 * T, S > 7",
    "S == T + 1, S * T == 12",
    "S % T == 0",
    "S % T == 2",
    "T % 2 == 1, S != T",
    "S > T, S <= 3 * T",
    "T == 3",
    "(S + T) % 5 == 0",
    "S % (T - 3) == 0",
]


@pytest.mark.parametrize("where", CONDITIONS)
def test_exactly_what_is_allowed(where: str) -> None:
    run = netc.compile(f"a = input [T] where {where}; b = input [S]; (a -> sum) + (b -> sum)").session()
    for t, s in product(range(1, 8), range(1, 9)):
        arrays = np.ones((1, t), np.float32), np.ones((1, s), np.float32)
        if _allowed(where, t, s):
            assert run(*arrays) == t + s
        else:
            with pytest.raises(ValueError, match=r"does not hold|is float32|in the input"):
                run(*arrays)


def _allowed(where: str, t: int, s: int) -> bool:
    try:
        return all(eval(part, {"T": t, "S": s}) for part in where.split(","))
    except ZeroDivisionError:
        return False


@pytest.mark.parametrize(("shape", "size"), [("T + 1", lambda t: t + 1), ("2 * T", lambda t: 2 * t), ("T // 2 + 1", lambda t: t // 2 + 1)])
def test_a_size_of_others(shape: str, size: Callable[[int], int]) -> None:
    run = netc.compile(f"a = input [T]; b = input [{shape}]; (a -> sum) + (b -> sum)").session()
    for t, s in product(range(1, 6), range(1, 11)):
        arrays = np.ones((1, t), np.float32), np.ones((1, s), np.float32)
        if s == size(t):
            assert run(*arrays) == t + s
        else:
            with pytest.raises(ValueError, match=rf"axis 1 must be .*, which is {size(t)}, found {s}"):
                run(*arrays)


def test_a_name_that_another_one_gives() -> None:
    run = netc.compile("a = input [T]; b = input [S + 1] where S == 2 * T, S % 8 == 0; (a -> sum) + (b -> sum)").session()
    for t, s in product(range(1, 10), range(1, 20)):
        arrays = np.ones((1, t), np.float32), np.ones((1, s), np.float32)
        if t % 4 == 0 and s == 2 * t + 1:
            assert run(*arrays) == t + s
        else:
            with pytest.raises(ValueError, match=r"does not hold|axis 1"):
                run(*arrays)


def test_a_name_that_is_no_axis_of_its_own() -> None:
    run = netc.compile("a = input [2 * S] where S % 3 == 0; a -> relu").session()
    assert run(np.ones((1, 6), np.float32)).shape == (1, 6)  # type: ignore[union-attr]
    for size in (4, 7, 8):
        with pytest.raises(ValueError, match=r"S % 3 == 0|axis 1"):
            run(np.ones((1, size), np.float32))
