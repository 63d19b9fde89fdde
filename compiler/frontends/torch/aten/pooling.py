"""Pools."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


def _window(site: AtenSite, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        sizes = site.axes(name)
        if sizes is not None:
            found["kernel" if name == "kernel_size" else name] = sizes[0] if len(set(sizes)) == 1 else sizes
    return found


def _batched(site: AtenSite, spatial: int) -> tuple[Value, bool]:
    x = site.tensor()
    missing = x.type.rank == spatial + 1
    return (site.one("unsqueeze", x, axis=0) if missing else x), missing


def _spatial(site: AtenSite) -> int:
    return int(next(letter for letter in site.name if letter.isdigit()))


def _finished(site: AtenSite, found: tuple[Value, ...], missing: bool) -> tuple[Value, ...]:
    return tuple(site.one("squeeze", value, axis=(0,)) for value in found) if missing else found


@reads("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool1d_with_indices", "max_pool3d_with_indices")
def max_pool(site: AtenSite) -> Value | tuple[Value, ...]:
    x, missing = _batched(site, _spatial(site))
    arguments = _window(site, "kernel_size", "stride", "padding", "dilation")
    found = _finished(site, site.apply("max_pool", x, ceil_mode=site.args["ceil_mode"], **arguments), missing)
    return found if "indices" in site.name else found[0]


@reads("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(site: AtenSite) -> Value:
    x, missing = _batched(site, _spatial(site))
    arguments = _window(site, "kernel_size", "stride", "padding")
    arguments["divisor_override"] = site.args.get("divisor_override")
    arguments |= {name: site.args[name] for name in ("ceil_mode", "count_include_pad")}
    return _finished(site, site.apply("avg_pool", x, **arguments), missing)[0]


@reads(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"
)
def adaptive_pool(site: AtenSite) -> Value | tuple[Value, ...]:
    spatial = _spatial(site)
    x, missing = _batched(site, spatial)
    given = site.args["output_size"]
    items = list(given) if isinstance(given, list | tuple) else [given] * spatial
    sizes = [x.type.shape[2 + at] if one is None else site.size_of(one) for at, one in enumerate(items)]
    if not all(isinstance(size, int) for size in sizes):
        raise ImportRefused("keeps an axis whose size depends on the input")
    operator = "adaptive_max_pool" if "max" in site.name else "adaptive_avg_pool"
    size: Any = sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
    found = _finished(site, site.apply(operator, x, size=size), missing)
    return (found[0], found[-1]) if "max" in site.name and len(found) > 1 else found[0]
