"""Reductions of axes."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


def _keepdim(site: AtenSite) -> bool:
    return bool(site.args.get("keepdim"))


@reads("mean", "sum", "logsumexp")
def mean(site: AtenSite) -> Value:
    x = site.tensor()
    if site.has("dtype"):
        x = site.cast(x, site.dtype())
    axes = site.axes()
    if not x.type.rank:
        return site.cast(x, site.element)
    return site.one(site.name, x, axis=axes, keepdim=_keepdim(site))


@reads("prod")
def prod(site: AtenSite) -> Value:
    axis = site.integer("dim") if site.args.get("dim") is not None else None
    return site.one("prod", site.tensor(), axis=axis, keepdim=_keepdim(site))


@reads("amax", "amin")
def amax(site: AtenSite) -> Value:
    return site.one(site.name[1:], site.tensor(), axis=site.axes(), keepdim=_keepdim(site))


@reads("max", "min")
def max_(site: AtenSite) -> Value | tuple[Value | None, ...]:
    """Of all elements, of two tensors, or of one axis, with the positions."""
    x = site.tensor()
    if "other" in site.args:
        return site.one("maximum" if site.name == "max" else "minimum", x, site.tensor("other"))
    if "dim" not in site.args:
        return site.one(site.name, x)
    axis, keepdim = site.integer("dim"), _keepdim(site)
    values = site.one(site.name, x, axis=(axis,), keepdim=keepdim)
    if not site.reads_result(1):
        return values, None  # torch.export lists the positions even if the module reads the values alone
    return values, site.one(f"arg{site.name}", x, axis=axis, keepdim=keepdim)


@reads("argmax", "argmin")
def argmax(site: AtenSite) -> Value:
    axis = site.integer("dim") if site.args.get("dim") is not None else None
    return site.one(site.name, site.tensor(), axis=axis, keepdim=_keepdim(site))


@reads("var", "std")
def var(site: AtenSite) -> Value:
    correction = site.args.get("correction", 1 if site.args.get("unbiased", True) else 0)
    correction = 1 if correction is None else correction
    return site.one(site.name, site.tensor(), axis=site.axes(), keepdim=_keepdim(site), correction=correction)


@reads("var_mean", "std_mean")
def var_mean(site: AtenSite) -> tuple[Value, ...]:
    correction = site.args.get("correction", 1 if site.args.get("unbiased", True) else 0)
    arguments = {"axis": site.axes(), "keepdim": _keepdim(site)}
    spread = site.one(site.name[:3], site.tensor(), correction=1 if correction is None else correction, **arguments)
    return spread, site.one("mean", site.tensor(), **arguments)


@reads("linalg_vector_norm", "norm")
def norm(site: AtenSite) -> Value:
    x = site.tensor()
    p = site.args.get("ord", site.args.get("p"))
    whole = p is not None and float(p).is_integer()
    return site.one("norm", x, axis=site.axes(), keepdim=_keepdim(site), p=2 if p is None else int(p) if whole else p)


@reads("cumsum", "cumprod", "logcumsumexp")
def cumsum(site: AtenSite) -> Value:
    x = site.tensor()
    if site.has("dtype"):
        x = site.cast(x, site.dtype())
    return site.one(site.name, x, axis=site.integer("dim"))


@reads("cummax", "cummin")
def cumulative_extreme(site: AtenSite) -> tuple[Value, ...]:
    return site.apply(site.name, site.tensor(), axis=site.integer("dim"))


@reads("diff")
def diff(site: AtenSite) -> Value:
    x = site.tensor()
    ends = [site.optional("prepend"), x, site.optional("append")]
    given = [value for value in ends if value is not None]
    if len(given) > 1:
        x = site.one("concat", *given, axis=site.integer("dim"))
    return site.one("diff", x, n=site.integer("n"), axis=site.integer("dim"))


@reads("normalize")
def normalize(site: AtenSite) -> Value:
    raise ImportRefused("has no counterpart")
