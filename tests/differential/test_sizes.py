"""Every operator with a symbolic axis at sizes of 0, 1, below its window, equal to it, and primes: see sizes.py."""

from __future__ import annotations

import re

import pytest
from case_ids import case_id

from netc.compiler.ops import Operator
from tests.differential.sizes import check_sizes_of, has_sizes
from tests.differential.test_operators import CASES, EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore")
TEXTS = [text for _, text in (*EXAMPLES, *CASES) if has_sizes(text)]


def _first_of(name: str) -> str | None:
    return next((text for text in TEXTS if re.search(rf"\b{name}\b", text)), None)


FIRST = {name: text for name in sorted(Operator.registry) if (text := _first_of(name)) is not None}
OTHERS = [text for text in dict.fromkeys(TEXTS) if text not in FIRST.values()]


@pytest.mark.share(4)
@pytest.mark.parametrize("text", FIRST.values(), ids=FIRST.keys())
def test_first_case(text: str) -> None:
    check_sizes_of(text, (0, 1, 2, 3, 5))


@pytest.mark.long
@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in (*FIRST.values(), *OTHERS)])
def test_case(text: str) -> None:
    check_sizes_of(text)


NEEDS_ELEMENTS = [
    *(f"input [T, 4] where T >= 0 -> {stage}" for stage in ("rnn 3", "gru 3", "lstm 3 bidirectional=true")),
    *(f"input [T, 4] where T >= 0 -> {name} axis=1" for name in ("min", "max", "argmin", "argmax", "max keepdim=true")),
    *(f"input [T, 4] where T >= 0 -> {name}" for name in ("min", "max", "argmin", "argmax")),
    *(f"input 3xT where T >= 0 -> {pool}" for pool in ("adaptive_avg_pool 4", "adaptive_max_pool 4", "max_pool 2 padding=1")),
    *(f"input 3xTx4 where T >= 0 -> {pool}" for pool in ("adaptive_avg_pool 2x2", "global_max_pool", "avg_pool 2x2 padding=1")),
    "input [4, T] where T >= 0 -> rfft",
    "input [4, T] where T >= 0 -> conv_transpose 4 3",
    "input [4, T] where T >= 0 -> pad [1, 1] mode=replicate",
]


@pytest.mark.parametrize("text", NEEDS_ELEMENTS)
def test_an_empty_axis_is_refused_with_the_same_words(text: str) -> None:
    """Where PyTorch refuses it, although a `where` allows 0. ONNX Runtime computes some of these, and has words of its own for others."""
    check_sizes_of(text, (0, 1, 2))


WINDOWS = [
    "input 2xT -> {} 6",
    "input 2xT -> {} 3 stride=2",
    "input 2xHxW -> {} 3x5",
]


@pytest.mark.parametrize("text", WINDOWS)
@pytest.mark.parametrize("pool", ["max_pool", "avg_pool", "lp_pool"])
def test_pools(text: str, pool: str) -> None:
    check_sizes_of(text.format(pool))


SHORT = [
    "input [T, T] -> diagonal 6 axis1=-2 axis2=-1",
    "input [T, S] -> diagonal (-3) axis1=-2 axis2=-1",
    "input [T] -> diff 4",
    "input 2xT -> conv 3 5",
    "input 2xT -> conv_transpose 3 3 stride=2 padding=3",
    "input [T] -> sliding_window axis=1 size=6",
    "input 2xT -> upsample scale=0.3",
    "input 2xT -> pad [-2, -3]",
    "input [T, 4] -> slice 1 2 (-2)",
    "input 2xHxW -> unfold 3",
    "input [T] -> rfft -> irfft",
    "block b { in -> max_pool 3 stride=1 }; input 2xT -> repeat 3 { b }",
]


@pytest.mark.parametrize("text", SHORT)
def test_axes_that_are_too_short(text: str) -> None:
    check_sizes_of(text)
