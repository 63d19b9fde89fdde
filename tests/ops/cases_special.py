"""One-line models that use special functions, and those that are refused; how a PyTorch user calls them."""

import torch

_NAMES = ("erfc", "lgamma", "digamma")

CASES: list[str] = [
    *[f"x = input [T, 3]; x -> {name}" for name in _NAMES],
    *[f"x = input [3] {d}; x -> {name}" for name in _NAMES for d in ("float16", "int32", "bool")],
    *[f"x = input [T, 3]; x * {factor} -> {name}" for name in _NAMES for factor in (10, 0.001)],
    "x = input [3] float64; x -> lgamma",
    "x = input [3] float64; x * x + 0.5 -> digamma",
    "x = input [64]; x * 20 -> lgamma",
    "x = input [64]; x * 3 -> erfc",
    "x = input [64]; x -> round -> lgamma",
    "x = input [64]; x -> round -> digamma",
    "x = input [T, 3]; x -> tanh -> erfinv",
    "x = input [64]; x / 2 -> erfinv",
    "x = input [64]; 1 - (x * x * 1e-6) -> erfinv",
    "x = input [3] float16; x -> tanh -> erfinv",
    "x = input [3] int32; x -> erfinv",
    "x = input [3] bool; x -> erfinv",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input 3; y = input 3; (x, y) -> erfc", "wrong-number-of-tensors"),
    ("input 3 -> lgamma 2", "too-many-arguments"),
]

REFERENCES = {
    "digamma": lambda args, x: torch.digamma(x),
    "erfc": lambda args, x: torch.erfc(x),
    "erfinv": lambda args, x: torch.erfinv(x),
    "lgamma": lambda args, x: torch.lgamma(x),
}
