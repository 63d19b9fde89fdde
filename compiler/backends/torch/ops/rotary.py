"""Rotary position embedding in PyTorch, which has no module for it."""

from __future__ import annotations

from ....ir.types import FLOAT32, FLOAT64
from ....ops.rotary import Rotary
from ...python.code.expressions import (
    Code,
    Device,
    Infix,
    LetCode,
    Lit,
    Local,
    SliceCode,
    Subscript,
    TupleCode,
    call,
    dtype_keyword,
    lit,
    method,
)
from ...python.code.tree import NameCode
from ..table import TorchSite, function

_FIRST, _SECOND, _COS, _SIN = (Local(name) for name in ("first", "second", "cos", "sin"))


@function(Rotary, torch="cos and sin of torch.arange")
def rotary(op: Rotary, site: TorchSite) -> Code:
    x = site.given.x
    dims = op.turned(x)
    half = lit(dims // 2, "middle")
    partial = not site.given.facts.equal(dims, x.shape[-1])
    stop = lit(dims, "dims") if partial else None
    first, second = (
        (_last(site, None, stop, 2), _last(site, Lit(1), stop, 2)) if op.interleaved else (_last(site, None, half), _last(site, half, stop))
    )
    bindings = [
        ("frequencies", _frequencies(op, site)),
        ("angles", _times(_positions(site), Local("frequencies"))),
        ("cos", _rounded(method(Local("angles"), "cos"), site)),
        ("sin", _rounded(method(Local("angles"), "sin"), site)),
        ("first", first),
        ("second", second),
    ]
    parts: list[Code] = [Infix("-", _times(_FIRST, _COS), _times(_SECOND, _SIN)), Infix("+", _times(_SECOND, _COS), _times(_FIRST, _SIN))]
    if op.interleaved:
        pairs = method(call("torch.stack", TupleCode(tuple(parts)), dim=-1), "flatten", -2)
        if not partial:
            return LetCode(tuple(bindings), pairs)
        bindings.append(("pairs", pairs))
        parts = [Local("pairs")]
    rest = [_last(site, stop, None)] if partial else []
    return LetCode(tuple(bindings), call("torch.cat", TupleCode((*parts, *rest)), dim=-1))


def _frequencies(op: Rotary, site: TorchSite) -> Code:
    """The angle of a step, for each pair. A power in float32 differs in its last bit from one processor to the next, and at large
    positions that bit shows: it is computed in float64, on the CPU, since not every device has that, and rounded."""
    x = site.given.x
    dims = op.turned(x)
    steps = call("torch.arange", 0, lit(dims, "dims"), 2, dtype=dtype_keyword(FLOAT64))
    exact = Infix("/", Lit(1), Infix("**", lit(op.base, "base"), Infix("/", steps, lit(dims, "dims"))))
    return method(exact, "to", Device(), x.dtype if x.dtype.size > FLOAT32.size else FLOAT32)


def _positions(site: TorchSite) -> Code:
    """The positions as a column for each head."""
    x = site.given.x
    if "positions" not in site.given:
        return Subscript(call("torch.arange", lit(x.shape[-2], "length"), device=Device()), (SliceCode(), Lit(None)))
    between = (Lit(None),) * (x.rank - 3) if site.given.positions.rank == 2 else ()
    return Subscript(site.positions, (*([SliceCode()] * (site.given.positions.rank - 1)), *between, SliceCode(), Lit(None)))


def _rounded(code: Code, site: TorchSite) -> Code:
    dtype = site.given.x.dtype
    return method(code, "to", dtype) if dtype.size < FLOAT32.size else code


def _last(site: TorchSite, start: Code | None, stop: Code | None, step: int = 1) -> Code:
    """`x[..., start:stop:step]`."""
    return Subscript(site.x, (NameCode("..."), SliceCode(start, stop, None if step == 1 else Lit(step))))


def _times(left: Code, right: Code) -> Code:
    return Infix("*", left, right)
