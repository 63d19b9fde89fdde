"""Reads operators that resize images or sample from them: `F.interpolate(x, scale_factor=2)` becomes `upsample scale=2`."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ..aten_site import AtenSite
from ..aten_table import reads

_MODES = {
    "upsample_nearest1d": "nearest",
    "upsample_nearest2d": "nearest",
    "upsample_nearest3d": "nearest",
    "_upsample_nearest_exact1d": "nearest-exact",
    "_upsample_nearest_exact2d": "nearest-exact",
    "upsample_linear1d": "linear",
    "upsample_bilinear2d": "bilinear",
    "upsample_trilinear3d": "trilinear",
    "upsample_bicubic2d": "bicubic",
    "_upsample_bilinear2d_aa": "bilinear",
    "_upsample_bicubic2d_aa": "bicubic",
}


@reads(*_MODES)
def read_upsample(site: AtenSite) -> Value:
    x = site.first_tensor
    arguments: dict[str, Any] = {"mode": _MODES[site.name]}
    if "linear" in arguments["mode"] or "cubic" in arguments["mode"]:
        arguments["align_corners"] = bool(site.args["align_corners"])
    if site.name.endswith("_aa"):
        arguments["antialias"] = True
    # The schema has the size or the factors, never both.
    size = site.args.get("output_size")
    if size is not None:
        return site.apply_op("upsample", x, size=site.sizes("output_size"), **arguments)
    factors = site.args.get("scale_factors") or [v for n, v in site.args.items() if n.startswith("scales")]
    return site.apply_op("upsample", x, scale=tuple(factors) if len(set(factors)) > 1 else factors[0], **arguments)


@reads("grid_sampler", "grid_sampler_2d")
def read_grid_sample(site: AtenSite) -> Value:
    return site.apply_op(
        "grid_sample",
        site.tensor("input"),
        site.tensor("grid"),
        mode=("bilinear", "nearest", "bicubic")[site.integer("interpolation_mode")],
        padding_mode=("zeros", "border", "reflection")[site.integer("padding_mode")],
        align_corners=bool(site.args["align_corners"]),
    )
