"""Writes rotary position embedding in PyTorch by the definitions of library/torch_rotary.py, since PyTorch has no module for it."""

from __future__ import annotations

from ....ops.rotary import Rotary
from ....types.tensor_types import FLOAT32, FLOAT64
from ...python.code.class_tree import NameCode
from ...python.code.python_expressions import (
    AttributeCode,
    Code,
    Infix,
    LetCode,
    Lit,
    Local,
    SelfMember,
    SliceCode,
    Subscript,
    TupleCode,
    call_function,
    call_method,
    construct_module,
    to_code,
)
from ...python.lowering.lowered_operators import OpenRotaryAngles, RotaryAngles, Rotate
from ..torch_emitters import EMITTERS, TorchSite, function, invocation, module
from ..torch_framework import get_torch_dtype

EMITTERS.name_expanded(Rotary, target="cos and sin of torch.arange")


@module(RotaryAngles)
def emit_rotary_module(op: RotaryAngles, site: TorchSite) -> Code:
    return construct_module("RotaryEmbedding", {"dims": op.dims, "base": op.base})


@invocation(RotaryAngles)
def emit_rotary_call(op: RotaryAngles, site: TorchSite) -> Code:
    return call_function(SelfMember(), _emit_positions(op, site), AttributeCode(site.x, "dtype"))


@function(OpenRotaryAngles)
def emit_open_rotary_angles(op: OpenRotaryAngles, site: TorchSite) -> Code:
    """Write RotaryEmbedding's computation in `forward`. The module needs the number of features when it is made, and computes in
    float32."""
    dtype = site.given.x.dtype
    # float64 for the powers, as in RotaryEmbedding: the last bit of a power in float32 depends on the processor.
    steps = call_function("torch.arange", 0, to_code(op.dims, "dims"), 2, dtype=get_torch_dtype(FLOAT64))
    exact = Infix("/", Lit(1), Infix("**", to_code(op.base, "base"), Infix("/", steps, to_code(op.dims, "dims"))))
    frequencies = call_method(
        exact, "to", AttributeCode(site.x, "device"), get_torch_dtype(dtype if dtype.size > FLOAT32.size else FLOAT32)
    )
    angles = Infix("*", Subscript(_emit_positions(op, site), (NameCode("..."), Lit(None))), Local("frequencies"))
    cos, sin = (call_method(call_method(Local("angles"), name), "to", AttributeCode(site.x, "dtype")) for name in ("cos", "sin"))
    return LetCode((("frequencies", frequencies), ("angles", angles)), TupleCode((cos, sin)))


def _emit_positions(op: RotaryAngles, site: TorchSite) -> Code:
    """Write positions from 0, or the given ones with axes of size 1 between the batch and the positions, as for heads."""
    if "positions" not in site.given:
        return call_function("torch.arange", to_code(op.length, "length"), device=AttributeCode(site.x, "device"))
    return Subscript(site.positions, (SliceCode(), *(Lit(None),) * op.between)) if op.between else site.positions


@function(Rotate)
def emit_rotate(op: Rotate, site: TorchSite) -> Code:
    function = "apply_rotary_interleaved" if op.interleaved else "apply_rotary"
    if op.dims is None:
        return call_function(function, site.x, site.cos, site.sin)
    rotated, rest = (
        Subscript(site.x, (NameCode("..."), piece)) for piece in (SliceCode(None, to_code(op.dims)), SliceCode(to_code(op.dims)))
    )
    return call_function("torch.cat", TupleCode((call_function(function, rotated, site.cos, site.sin), rest)), dim=-1)
