"""Models with gradients for the differential tests, and what they refuse. tests/differential/test_gradients.py has further models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CASES = [
    "x = input 3; gradient((x -> square), x)",
    "x = input [2, 3] float64; gradient((x -> sin -> sum 2), x)",
    "x = input 3; s = gradient((x -> exp), x); gradient(s, x)",
    "x = input 3; h = x -> dense 4 tanh; gradient((h -> dense 1), h)",
    "x = input [T, 3]; gradient((x -> square -> mean), x)",
    "x = input [4] batch=false; gradient(x * x, x)",
]

REFUSED = [
    ("x = input 3; y = input 3; gradient(x, y)", "gradient-of-nothing"),
    ("x = input 3; y = x -> square; gradient(x, y)", "gradient-of-nothing"),
    ("x = input 3; gradient((x -> detach -> square), x)", "gradient-of-nothing"),
    ("x = input 3 int64; gradient((x -> cast float32), x)", "needs-float"),
]


def _gradient(args: Any, y: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


REFERENCES = {"gradient": _gradient}
