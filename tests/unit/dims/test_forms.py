"""Canonical forms: what is equal, how it is shown, and what a dimension refuses."""

from __future__ import annotations

import copy
import pickle

import pytest

from netc.compiler.dims import (
    Dim,
    SymDim,
    dim_max,
    dim_min,
    dim_to_python,
    evaluate_dim,
    format_dim,
    make_symbol,
    substitute_symbols,
    text_size,
)
from tests.unit.dims.programs import NOTHING, is_multiple, where

H, T, W, S, K, D = (make_symbol(name) for name in ("H", "T", "W", "S", "K", "D"))


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        ((4 * T + 3) // 4, "T"),
        ((2 * H + 1) // 2, "H"),
        ((H - 1) // 2 + 1, "(H + 1)//2"),
        ((H + 1) // 2, "(H + 1)//2"),
        ((H + 2 * 3 - 7) // 2 + 1, "(H + 1)//2"),
        ((H // 2) // 2, "H//4"),
        (((H + 1) // 2 + 1) // 2, "(H + 3)//4"),
        ((H * W) // W, "H"),
        ((H * W * T) // (W * T), "H"),
        ((4 * H * W) // (2 * W), "2*H"),
        ((H * T + W * T) // (H + W), "T"),
        (2 * H // (4 * W), "H//(2*W)"),
        ((T - 1) // T, "0"),
        (T // (T + 1), "0"),
        (-3 // T + 3 // T, "-3//T + 3//T"),
        (H % 2 + 2 * (H // 2), "H"),
        (H % 1, "0"),
        (T - T, "0"),
        (T + 1, "T + 1"),
        (2 * T, "2*T"),
        (5 - T, "5 - T"),
        (-T, "-T"),
        (3 * W * H, "3*H*W"),
        (T * T, "T*T"),
        (W + H * W + 7 + H, "H*W + H + W + 7"),
        (2 * (H // 2), "2*(H//2)"),
        (W * (H // 2) + 1, "W*(H//2) + 1"),
        (5 - H // 2, "5 - H//2"),
        (-(H // 2), "-(H//2)"),
        (-H // 2, "-((H + 1)//2)"),
        (-(-H // 7), "(H + 6)//7"),
        ((-H - W) // 3 + (H + W + 2) // 3, "0"),
        (H % 7, "H % 7"),
        (-H % 7, "-H % 7"),
        (H + -H % 7, "7*((H + 6)//7)"),
        (2 * (H % 7), "2*(H % 7)"),
        (2 * (-H % 7) + 2, "2*(-H % 7) + 2"),
        ((H + 3) % 7 + 1, "(H + 3) % 7 + 1"),
        (5 - H % 7, "5 - H % 7"),
        (-(H % 7), "-(H % 7)"),
        (-(-H % 7), "-(-H % 7)"),
        (W * (H % 7), "W*(H % 7)"),
        (T % W, "T % W"),
        ((H - W) % 7, "(H - W) % 7"),
        ((H * T + W) % 5, "(H*T + W) % 5"),
        ((H % 7) // 2, "(H % 7)//2"),
        ((H % 7) % 3, "(H % 7) % 3"),
        ((H // 3) % 7, "H//3 % 7"),
        (dim_max(H % 7, 1), "max(H % 7, 1)"),
        (3 * H // 2, "3*H//2"),
        (H // W, "H//W"),
        ((H + W) // (T + 1), "(H + W)//(T + 1)"),
        (dim_max(T, 5), "max(T, 5)"),
        (dim_max(T + 1, 6), "max(T, 5) + 1"),
        (dim_max(T, 1), "T"),
        (dim_max(T, T + 3, 2), "T + 3"),
        (dim_min(H, W), "min(H, W)"),
        (dim_min(W, H), "min(H, W)"),
        (dim_max(dim_max(H, W), T), "max(H, T, W)"),
        (dim_max(2 * H, 2 * W), "2*max(H, W)"),
        (dim_max(H + T, W + T), "T + max(H, W)"),
        (dim_max(3, 4), "4"),
        (dim_min(3, 4), "3"),
        (make_symbol("B", lower=4, upper=4), "4"),
        (make_symbol("B", upper=7) // 8, "0"),
    ],
)
def test_normal_form(dim: Dim, text: str) -> None:
    assert format_dim(dim) == text
    if isinstance(dim, SymDim):
        assert repr(dim) == text


def test_equality_is_by_normal_form() -> None:
    assert (H - 1) // 2 + 1 == (H + 1) // 2
    assert hash(H + W) == hash(W + H)
    assert H + W == W + H
    assert H != W
    assert H != 3
    assert H != "H"
    assert len({H, make_symbol("H"), H + 0, H * 1, 2 * H - H}) == 1


def test_constants_are_ints() -> None:
    for zero in (H - H, H * 0, (H + 3) % 1, 0 * H):
        assert type(zero) is int
        assert zero == 0
    assert type(H - H + 5) is int


def test_there_is_no_order_and_no_truth() -> None:
    with pytest.raises(TypeError, match="Facts"):
        _ = H < 3
    with pytest.raises(TypeError, match="Facts"):
        _ = max(H, W)
    with pytest.raises(TypeError, match="Facts"):
        bool(H)
    with pytest.raises(ZeroDivisionError):
        _ = H // 0


def test_copies_are_equal() -> None:
    dims = where(is_multiple(H, 32), is_multiple(T, K)).dims
    for d in (H * W + 3, dim_max(H // 2, W) % 7, dims["H"] // 4, dims["T"]):
        assert pickle.loads(pickle.dumps(d)) == d
        assert copy.deepcopy(d) == d


@pytest.mark.long
def test_long_chains() -> None:
    h: Dim = H
    for _ in range(1000):
        h = (h - 1) // 2 + 1
    assert evaluate_dim(h, {"H": 2**1000 * 5}) == 5
    nested: Dim = H
    for _ in range(1000):
        nested = (3 * nested + 1) // 2
    value = 7
    for _ in range(1000):
        value = (3 * value + 1) // 2
    assert evaluate_dim(nested, {"H": 7}) == value
    assert "..." in format_dim(nested)
    assert NOTHING.are_equal(nested, nested + 1) is False
    assert substitute_symbols(nested, {"H": 7}) == value
    halved: Dim = H
    for _ in range(1000):
        halved = halved + halved // 2
    assert "..." in format_dim(halved)
    assert text_size(halved) > 10**6
    with pytest.raises(OverflowError):
        dim_to_python(halved, {"H": "h"})


@pytest.mark.parametrize("above", [-7, -4, -1, 1, 4, 7])
@pytest.mark.parametrize("below", [1, 2, 3])
def test_factors_of_both_parts_cancel(above: int, below: int) -> None:
    assert above * T * W // (below * T) == above * W // below
    assert above * T * W * W // (below * T * W) == above * W // below


@pytest.mark.parametrize(("low", "high"), [(0, 7), (8, 15), (1, 7), (-8, -1), (-3, -1), (16, 16)])
def test_bounds_decide_a_quotient(low: int, high: int) -> None:
    """Python's own quotient is the same for every size."""
    size = make_symbol("S", lower=low, upper=high)
    assert {at // 8 for at in range(low, high + 1)} == {size // 8}
    assert {(at + 24) // 8 for at in range(low, high + 1)} == {(size + 24) // 8}


@pytest.mark.parametrize(("low", "high"), [(0, 8), (7, 15), (-9, -1), (-1, 0)])
def test_bounds_that_allow_two_quotients_decide_none(low: int, high: int) -> None:
    assert isinstance(make_symbol("S", lower=low, upper=high) // 8, SymDim)
