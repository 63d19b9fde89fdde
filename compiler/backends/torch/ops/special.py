"""Writes special functions in PyTorch: `torch.erfc(x)`."""

from __future__ import annotations

from ....ops.special import Digamma, Erfc, Erfinv, Lgamma
from ..torch_emitters import function
from .elementwise import emit_by_name

function(Digamma, Erfc, Erfinv, Lgamma, target="torch.{}")(emit_by_name)
