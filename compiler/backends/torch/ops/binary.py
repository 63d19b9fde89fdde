"""Writes functions of two numbers in PyTorch: `torch.fmod(x, y)`."""

from __future__ import annotations

from ....ops.binary import Fmod, Lerp
from ...python.code.python_expressions import Code, call_function, to_code
from ..torch_emitters import TorchSite, function


@function(Fmod, target="torch.fmod")
def emit_fmod(op: Fmod, site: TorchSite) -> Code:
    return call_function("torch.fmod", site.x, to_code(op.other, "other") if op.scalars else site.other)


@function(Lerp, target="torch.lerp")
def emit_lerp(op: Lerp, site: TorchSite) -> Code:
    return call_function("torch.lerp", site.x, site.end, to_code(op.weight, "weight") if op.scalars else site.weight)
