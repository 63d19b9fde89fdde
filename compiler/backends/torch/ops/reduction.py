"""Reductions in PyTorch: `x.mean(dim=(2, 3), keepdim=True)`."""

from __future__ import annotations

from ....ops.reduction import (
    All,
    Any,
    Argmax,
    Argmin,
    Cumprod,
    Cumsum,
    Cumulative,
    Logsumexp,
    Max,
    Mean,
    Min,
    MinMaxReduction,
    Norm,
    Normalize,
    Prod,
    Reduction,
    Spread,
    Std,
    Sum,
    Var,
)
from ...python.code.python_expressions import AttributeCode, Code, Lit, call, lit, method
from ..torch_emitters import TorchSite, function


def _axes(op: Reduction) -> dict[str, object]:
    """`dim=` and `keepdim=`, as far as they are needed."""
    written = op.written()
    keepdim = {"keepdim": (op.keepdim, False)}
    if written is None:
        return {"dim": Lit(None), **keepdim} if op.keepdim else {}
    return {"dim": lit(written[0] if len(written) == 1 else written, "dim"), **keepdim}


@function(Mean, Sum, Prod, Argmax, Argmin, All, Any, torch="torch.{}")
def reduction(op: Reduction, site: TorchSite) -> Code:
    return method(site.x, op.name, **_axes(op))


@function(Max, Min, torch={Max: "torch.max, torch.amax", Min: "torch.min, torch.amin"})
def extreme(op: MinMaxReduction, site: TorchSite) -> Code:
    if op.has_indices:
        both = method(site.x, op.name, **_axes(op))
        return both if len(site.results) == 2 else AttributeCode(both, "values")
    if op.written() is None and not op.keepdim:
        return method(site.x, op.name)
    return method(site.x, f"a{op.name}", **_axes(op))


@function(Var, Std, torch="torch.{}")
def spread(op: Spread, site: TorchSite) -> Code:
    return method(site.x, op.name, **_axes(op), correction=(op.correction, 1))


@function(Norm, torch="torch.linalg.vector_norm")
def norm(op: Norm, site: TorchSite) -> Code:
    return call("torch.linalg.vector_norm", site.x, ord=(op.p, 2), **_axes(op))


@function(Normalize, torch="torch.nn.functional.normalize")
def normalize(op: Normalize, site: TorchSite) -> Code:
    return call("F.normalize", site.x, p=(op.p, 2), dim=(op.axis, 1), eps=(op.eps, 1e-12))


@function(Logsumexp, torch="torch.logsumexp")
def logsumexp(op: Logsumexp, site: TorchSite) -> Code:
    if op.written() is not None:
        return method(site.x, "logsumexp", **_axes(op))
    every = tuple(range(site.given.x.rank)) or 0
    return method(site.x, "logsumexp", dim=lit(every, "dim"), keepdim=(op.keepdim, False))


@function(Cumsum, Cumprod, torch="torch.{}")
def cumulative(op: Cumulative, site: TorchSite) -> Code:
    return method(site.x, op.name, dim=op.axis)
