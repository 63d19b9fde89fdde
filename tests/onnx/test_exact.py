"""Numbers that ONNX Runtime's own kernels get wrong, and netc's graphs do not: planes that are constant, and integers that float64 does not
hold. The judge is float64 for the former, whose error PyTorch's own bounds, and PyTorch for the latter."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import netc
from tests.differential.integer_ends import ENDS as ALL_ENDS

CONSTANTS = (0.5, 3.3, 7.7, 100.3, 255.0)
STAGES = (
    "input 2xHxW -> instance_norm",
    "input 2xHxW -> instance_norm affine=true",
    "input 2xHxW -> batch_norm track_running_stats=false",
    "input 2xHxW -> group_norm 1",
    "input 2xHxW -> std axis=[2, 3]",
    "input 2xHxW -> flatten -> std axis=1",
    "input 2xHxW -> var",
)


def _planes(size: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    noise = torch.randn(1, 2, size, size, generator=generator)
    edge = torch.zeros(1, 2, size, size)
    edge[..., size // 2 :] = 100.3
    return [*(torch.full((1, 2, size, size), value) for value in CONSTANTS), 100 + 0.1 * noise, 1000 + noise, edge]


@pytest.mark.parametrize("text", STAGES)
def test_no_less_exact_than_pytorch(text: str) -> None:
    """Within twice PyTorch's error, or a rounding of ONNX Runtime's sums over a long axis."""
    model = netc.compile(text)
    run, module = model.session(seed=0), model.module(seed=0).eval()
    for size in (7, 224, 512):
        for x in _planes(size):
            with torch.no_grad():
                truth = module.double()(x.double())
                error = (module.float()(x).double() - truth).abs().max()
            found = torch.from_numpy(np.array(run(x))).double()
            allowed = max(2 * float(error), 4e-4 * max(1.0, float(truth.abs().max())))
            assert (found - truth).abs().max() <= allowed, (size, x.flatten()[0])


ENDS = {dtype: numbers for dtype, numbers in ALL_ENDS.items() if dtype != "bool"}
Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
DIVISIONS: dict[str, Function] = {"x // y": torch.floor_divide, "x % y": torch.remainder, "(x, y) -> fmod": torch.fmod}
ARITHMETIC: dict[str, Function] = {"x + y": torch.add, "x - y": torch.sub, "x * y": torch.mul}


def _pairs(dtype: str, divisors: bool) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [(a, b) for a, b in product(ENDS[dtype], ENDS[dtype]) if b or not divisors]
    left, right = zip(*pairs, strict=True)
    return torch.tensor([left], dtype=getattr(torch, dtype)), torch.tensor([right], dtype=getattr(torch, dtype))


def _assert_same(wanted: torch.Tensor, found: object, what: object) -> None:
    assert torch.equal(wanted, torch.from_numpy(np.array(found))), what


@pytest.mark.parametrize("dtype", ENDS)
def test_integers_of_two_tensors(dtype: str) -> None:
    for formula, function in (DIVISIONS | ARITHMETIC).items():
        x, y = _pairs(dtype, formula in DIVISIONS)
        run = netc.compile(f"x = input [K] {dtype}; y = input [K] {dtype}; {formula}").session()
        _assert_same(function(x, y), run(x, y), (dtype, formula))


@pytest.mark.parametrize("dtype", ENDS)
@pytest.mark.sample(1)
def test_integers_by_numbers(dtype: str) -> None:
    x = torch.tensor([ENDS[dtype]], dtype=getattr(torch, dtype))
    for number in [n for n in ENDS[dtype] if abs(n) < 2**63 - 1]:
        forms = [(f"x -> pow {number}", torch.pow)] if number >= 0 else []
        if number:
            forms += [(f"x // ({number})", torch.floor_divide), (f"x % ({number})", torch.remainder), (f"x -> fmod ({number})", torch.fmod)]
            forms += [(f"({number}) // x", lambda x, n: torch.floor_divide(torch.tensor(n, dtype=x.dtype), x))]
        for formula, function in forms:
            given = x[x != 0][None] if formula.endswith("// x") else x
            run = netc.compile(f"x = input [K] {dtype}; {formula}").session()
            _assert_same(function(given, number), run(given), (dtype, formula))


@pytest.mark.parametrize("dtype", ENDS)
def test_powers_of_tensors(dtype: str) -> None:
    """Negative exponents too; greater ones than 63 of bases that they do not repeat are a known difference."""
    x, y = _pairs(dtype, False)
    kept = (y < 64) | (x.long().abs() < 2)
    x, y = x[kept][None], y[kept][None]
    _assert_same(torch.pow(x, y), netc.compile(f"x = input [K] {dtype}; y = input [K] {dtype}; x ** y").session()(x, y), dtype)


SUMS = ("axis=1", "axis=-1", "axis=[1, 3] keepdim=true", "axis=[1, 2, 3]", "", "keepdim=true")


@pytest.mark.parametrize("shape", ["3, 5, 4", "A, B, 4"])
def test_sums_beyond_floats(shape: str) -> None:
    x = torch.randint(-(2**62), 2**62, (2, 3, 5, 4), generator=torch.Generator().manual_seed(1))
    for options in SUMS:
        model = netc.compile(f"input [{shape}] int64 -> sum {options}")
        _assert_same(model.module()(x), model.session()(x), options)
    for n in (0, 2):  # of an empty batch, 0
        given = x[:n] % 5
        _assert_same(given.sum(0), netc.compile(f"input [{shape}] int64 -> sum axis=0").session()(given), n)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize("count", [1, 2, 5, 35, 64])
def test_products_beyond_floats(dtype: str, count: int) -> None:
    x = torch.full((2, count, 3), 3, dtype=getattr(torch, dtype))
    for text in (f"input [{count}, 3] {dtype} -> prod axis=1", f"input [3, {count}] {dtype} -> prod axis=-1 keepdim=true"):
        given = x if "axis=1" in text else x.transpose(1, 2).contiguous()
        model = netc.compile(text)
        _assert_same(model.module()(given), model.session()(given), text)


@pytest.mark.parametrize(("text", "function"), [("lgamma", torch.lgamma), ("digamma", torch.digamma)])
def test_gamma_functions_next_to_a_pole(text: str, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.tensor([[-1e-20, 1e-20, -1e-5, -1.0 - 1e-3, -2.5, -3.0 + 1e-4, 0.5, 1e-30]])
    wanted = function(x.double()).float()
    torch.testing.assert_close(torch.from_numpy(np.array(netc.compile(f"input T -> {text}").session()(x))), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exponent", ["0.5", "-0.5", "2", "3.0", "-1", "0"])
def test_powers_of_floats_at_the_ends(exponent: str) -> None:
    """PyTorch takes roots, which of -infinity are NaN."""
    x = torch.tensor([[-torch.inf, torch.inf, -0.0, 0.0, 2.25, torch.nan]])
    model = netc.compile(f"x = input T; x ** {exponent}")
    torch.testing.assert_close(torch.from_numpy(np.array(model.session()(x))), torch.pow(x, float(exponent)), equal_nan=True)


NEGATIVE = (
    "input [T, 4] where T >= 3 -> pad [1, -2, -1, 2]",
    "input [T, 4] -> pad [0, 0, -1, -1] value=3",
    "input 2xT where T >= 5, T <= 8 -> pad [1, T - 8]",
)


@pytest.mark.parametrize("text", NEGATIVE)
@pytest.mark.parametrize("mode", ["constant", "circular"])
def test_negative_padding_is_a_slice(text: str, mode: str) -> None:
    """Of Pad itself, the reference implementation of ONNX takes no negative amounts."""
    if "value" in text and mode == "circular":
        return
    model = netc.compile(f"{text} mode={mode}" if mode == "circular" else text)
    name = model.onnx().graph.input[0].name
    for size in (5, 7, 8):
        x = torch.randn(2, *((size, 4) if "T, 4" in text else (2, size)))
        wanted = model.module()(x).numpy()
        assert np.array_equal(wanted, model.session()(x))
        if mode == "constant":
            assert np.array_equal(wanted, ReferenceEvaluator(model.onnx()).run(None, {name: x.numpy()})[0])
