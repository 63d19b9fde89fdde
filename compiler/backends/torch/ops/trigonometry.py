"""Writes functions of angles, and hyperbolic ones, in PyTorch: `torch.sin(x)`."""

from __future__ import annotations

from ....ops.trigonometry import Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan
from ..torch_emitters import function
from .elementwise import emit_by_name

function(Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan, target="torch.{}")(emit_by_name)
