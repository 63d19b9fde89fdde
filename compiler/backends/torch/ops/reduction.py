"""Writes reductions in PyTorch: `x.mean(dim=(2, 3), keepdim=True)`."""

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
from ...python.code.python_expressions import AttributeCode, Code, Default, Lit, call_function, call_method, to_code
from ..torch_emitters import TorchSite, function


def _list_axis_keywords(op: Reduction) -> dict[str, object]:
    """Return `dim=` and `keepdim=`, as far as they are needed."""
    written = op.explicit_axes()
    keepdim = {"keepdim": Default(op.keepdim, False)}
    # `keepdim` without `dim` is an error in PyTorch.
    if written is None:
        return {"dim": Lit(None), **keepdim} if op.keepdim else {}
    return {"dim": to_code(written[0] if len(written) == 1 else written, "dim"), **keepdim}


@function(Mean, Sum, Prod, Argmax, Argmin, All, Any, target="torch.{}")
def emit_reduction(op: Reduction, site: TorchSite) -> Code:
    return call_method(site.x, op.name, **_list_axis_keywords(op))


@function(Max, Min, target={Max: "torch.max, torch.amax", Min: "torch.min, torch.amin"})
def emit_extreme(op: MinMaxReduction, site: TorchSite) -> Code:
    # Only `max` along one axis returns indices; `amax` reduces several axes.
    if op.has_indices:
        both = call_method(site.x, op.name, **_list_axis_keywords(op))
        return both if len(site.results) == 2 else AttributeCode(both, "values")
    if op.explicit_axes() is None and not op.keepdim:
        return call_method(site.x, op.name)
    return call_method(site.x, f"a{op.name}", **_list_axis_keywords(op))


@function(Var, Std, target="torch.{}")
def emit_spread(op: Spread, site: TorchSite) -> Code:
    return call_method(site.x, op.name, **_list_axis_keywords(op), correction=Default(op.correction, 1))


@function(Norm, target="torch.linalg.vector_norm")
def emit_norm(op: Norm, site: TorchSite) -> Code:
    return call_function("torch.linalg.vector_norm", site.x, ord=Default(op.p, 2), **_list_axis_keywords(op))


@function(Normalize, target="torch.nn.functional.normalize")
def emit_normalize(op: Normalize, site: TorchSite) -> Code:
    return call_function("F.normalize", site.x, p=Default(op.p, 2), dim=Default(op.axis, 1), eps=Default(op.eps, 1e-12))


@function(Logsumexp, target="torch.logsumexp")
def emit_logsumexp(op: Logsumexp, site: TorchSite) -> Code:
    if op.explicit_axes() is not None:
        return call_method(site.x, "logsumexp", **_list_axis_keywords(op))
    # `logsumexp` has no form without axes. A scalar has none, and PyTorch accepts 0 for it.
    every = tuple(range(site.given.x.rank)) or 0
    return call_method(site.x, "logsumexp", dim=to_code(every, "dim"), keepdim=Default(op.keepdim, False))


@function(Cumsum, Cumprod, target="torch.{}")
def emit_cumulative(op: Cumulative, site: TorchSite) -> Code:
    return call_method(site.x, op.name, dim=op.axis)
