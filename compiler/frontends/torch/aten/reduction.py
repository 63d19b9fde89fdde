"""Reads reductions along axes: `x.mean((2, 3))` becomes `mean [2, 3]`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


def _keeps_axes(site: AtenSite) -> bool:
    return bool(site.args.get("keepdim"))


@reads("mean", "sum", "logsumexp")
def read_reduction(site: AtenSite) -> Value:
    x = site.tensor()
    if site.has_argument("dtype"):
        x = site.cast(x, site.dtype())
    axes = site.axes()
    if not x.type.rank:
        # A tensor without axes has nothing to reduce.
        return site.cast(x, site.result_dtype)
    return site.apply_op(site.name, x, axis=axes, keepdim=_keeps_axes(site))


@reads("prod")
def read_prod(site: AtenSite) -> Value:
    axis = site.integer("dim") if site.args.get("dim") is not None else None
    return site.apply_op("prod", site.tensor(), axis=axis, keepdim=_keeps_axes(site))


@reads("amax", "amin")
def read_amax(site: AtenSite) -> Value:
    return site.apply_op(site.name[1:], site.tensor(), axis=site.axes(), keepdim=_keeps_axes(site))


@reads("max", "min")
def read_max(site: AtenSite) -> Value | tuple[Value | None, ...]:
    """Read the maximum of all elements, of two tensors, or along an axis with its positions."""
    x = site.tensor()
    if "other" in site.args:
        return site.apply_op("maximum" if site.name == "max" else "minimum", x, site.tensor("other"))
    if "dim" not in site.args:
        return site.apply_op(site.name, x)
    axis, keepdim = site.integer("dim"), _keeps_axes(site)
    values = site.apply_op(site.name, x, axis=(axis,), keepdim=keepdim)
    if not site.reads_result(1):
        return values, None  # torch.export lists the positions even if the module reads the values alone
    return values, site.apply_op(f"arg{site.name}", x, axis=axis, keepdim=keepdim)


@reads("argmax", "argmin")
def read_argmax(site: AtenSite) -> Value:
    axis = site.integer("dim") if site.args.get("dim") is not None else None
    return site.apply_op(site.name, site.tensor(), axis=axis, keepdim=_keeps_axes(site))


@reads("var", "std")
def read_var(site: AtenSite) -> Value:
    correction = site.args.get("correction", 1 if site.args.get("unbiased", True) else 0)
    # Old schemas have the boolean `unbiased` instead, and None stands for the default of 1.
    correction = 1 if correction is None else correction
    return site.apply_op(site.name, site.tensor(), axis=site.axes(), keepdim=_keeps_axes(site), correction=correction)


@reads("var_mean", "std_mean")
def read_var_mean(site: AtenSite) -> tuple[Value, ...]:
    correction = site.args.get("correction", 1 if site.args.get("unbiased", True) else 0)
    arguments = {"axis": site.axes(), "keepdim": _keeps_axes(site)}
    spread = site.apply_op(site.name[:3], site.tensor(), correction=1 if correction is None else correction, **arguments)
    return spread, site.apply_op("mean", site.tensor(), **arguments)


@reads("linalg_vector_norm", "norm")
def read_norm(site: AtenSite) -> Value:
    x = site.tensor()
    p = site.args.get("ord", site.args.get("p"))
    is_integer = p is not None and float(p).is_integer()
    return site.apply_op("norm", x, axis=site.axes(), keepdim=_keeps_axes(site), p=2 if p is None else int(p) if is_integer else p)


@reads("cumsum", "cumprod", "logcumsumexp")
def read_cumulative(site: AtenSite) -> Value:
    x = site.tensor()
    if site.has_argument("dtype"):
        x = site.cast(x, site.dtype())
    return site.apply_op(site.name, x, axis=site.integer("dim"))


@reads("cummax", "cummin")
def read_cummax(site: AtenSite) -> tuple[Value, ...]:
    return site.apply_multi_op(site.name, site.tensor(), axis=site.integer("dim"))


@reads("diff")
def read_diff(site: AtenSite) -> Value:
    x, times = site.tensor(), site.integer("n")
    if times == 0:  # without its ends
        site.leave_to_result("prepend", "append")
        return x
    ends = [site.optional_tensor("prepend"), x, site.optional_tensor("append")]
    parts = [value for value in ends if value is not None]
    if len(parts) > 1:
        x = site.apply_op("concat", *parts, axis=site.integer("dim"))
    return site.apply_op("diff", x, n=times, axis=site.integer("dim"))


@reads("normalize")
def refuse_normalize(site: AtenSite) -> Value:
    raise ImportRefused("has no counterpart")
