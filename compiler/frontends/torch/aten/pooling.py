"""Reads pooling operators: `nn.MaxPool2d(3, stride=2)` becomes `max_pool 3 stride=2`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


def _read_window(site: AtenSite, *names: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in names:
        sizes = site.axes(name)
        if sizes is not None:
            arguments["kernel" if name == "kernel_size" else name] = sizes[0] if len(set(sizes)) == 1 else sizes
    return arguments


def _add_batch_axis(site: AtenSite, spatial: int) -> tuple[Value, bool]:
    x = site.tensor()
    is_unbatched = x.type.rank == spatial + 1
    return (site.apply_op("unsqueeze", x, axis=0) if is_unbatched else x), is_unbatched


def _count_spatial_axes(site: AtenSite) -> int:
    return int(next(letter for letter in site.name if letter.isdigit()))


def _drop_batch_axis(site: AtenSite, values: tuple[Value, ...], missing: bool) -> tuple[Value, ...]:
    return tuple(site.apply_op("squeeze", value, axis=(0,)) for value in values) if missing else values


@reads("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool1d_with_indices", "max_pool3d_with_indices")
def read_max_pool(site: AtenSite) -> Value | tuple[Value, ...]:
    x, missing = _add_batch_axis(site, _count_spatial_axes(site))
    arguments = _read_window(site, "kernel_size", "stride", "padding", "dilation")
    results = _drop_batch_axis(site, site.apply_multi_op("max_pool", x, ceil_mode=site.args["ceil_mode"], **arguments), missing)
    return results if "indices" in site.name else results[0]


@reads("avg_pool1d", "avg_pool2d", "avg_pool3d")
def read_avg_pool(site: AtenSite) -> Value:
    x, missing = _add_batch_axis(site, _count_spatial_axes(site))
    arguments = _read_window(site, "kernel_size", "stride", "padding")
    arguments["divisor_override"] = site.args.get("divisor_override")
    arguments |= {name: site.args[name] for name in ("ceil_mode", "count_include_pad")}
    return _drop_batch_axis(site, site.apply_multi_op("avg_pool", x, **arguments), missing)[0]


@reads(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"
)
def read_adaptive_pool(site: AtenSite) -> Value | tuple[Value, ...]:
    spatial = _count_spatial_axes(site)
    x, missing = _add_batch_axis(site, spatial)
    output_size = site.args["output_size"]
    items = list(output_size) if isinstance(output_size, list | tuple) else [output_size] * spatial
    sizes = [x.type.shape[2 + number] if item is None else site.size_of(item) for number, item in enumerate(items)]
    if not all(isinstance(size, int) for size in sizes):
        return _drop_batch_axis(site, (_average_axes(site, x, sizes),), missing)[0]
    operator = "adaptive_max_pool" if "max" in site.name else "adaptive_avg_pool"
    size: Any = sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
    # PyTorch takes images without a batch axis, and netc's pools do not.
    results = _drop_batch_axis(site, site.apply_multi_op(operator, x, size=size), missing)
    return (results[0], results[-1]) if "max" in site.name and len(results) > 1 else results[0]


def _average_axes(site: AtenSite, x: Value, sizes: Sequence[Dim]) -> Value:
    """Average axes to one element each, and keep the others as they are."""
    pooled = tuple(axis for axis, size in enumerate(sizes, 2) if size != x.type.shape[axis])
    if "avg" not in site.name or any(sizes[axis - 2] != 1 for axis in pooled):
        raise ImportRefused("keeps an axis whose size depends on the input")
    return site.apply_op("mean", x, axis=pooled, keepdim=True) if pooled else x
