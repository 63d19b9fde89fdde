"""Reads torchvision's operators of detection: `torchvision.ops.DeformConv2d` becomes `deform_conv`, and `roi_align` keeps its name."""

from __future__ import annotations

from torch.fx import Node

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from ..node_targets import is_operator, operator_name
from .layers import PARAMETERS


@reads("deform_conv2d")
def read_deform_conv(site: AtenSite) -> Value:
    channels, _, height, width = (int(size) for size in site.args["weight"].meta["val"].shape)
    tensors = [site.tensor("input"), site.tensor("offset")]
    if site.args["use_mask"]:
        tensors.append(site.tensor("mask"))
    # The number of groups of offsets follows from the size of the offset, and a mask that is not used has no elements.
    site.args.used.update(("mask", "offset_groups"))
    if _is_zero(site.args["bias"]):
        site.args["bias"] = None
    results = site.try_layer(
        "deform_conv",
        *tensors,
        given=PARAMETERS,
        bias=site.args["bias"] is not None,
        channels=channels,
        kernel=(height, width),
        stride=_join_equal(site.integer("stride_h"), site.integer("stride_w")),
        padding=_join_equal(site.integer("pad_h"), site.integer("pad_w")),
        dilation=_join_equal(site.integer("dilation_h"), site.integer("dilation_w")),
        groups=site.integer("groups"),
    )
    if results is None:
        raise ImportRefused("has a weight that is no parameter `weight` of a module, such as `DeformConv2d`")
    return results[0]


def _is_zero(bias: Node) -> bool:
    """Return whether the module has no bias: torchvision makes zeros for its operator then."""
    return is_operator(bias) and operator_name(bias) in ("zeros", "new_zeros")


def _join_equal(height: int, width: int) -> int | tuple[int, int]:
    return height if height == width else (height, width)


@reads("roi_align")
def read_roi_align(site: AtenSite) -> Value:
    return site.apply_op(
        "roi_align",
        site.tensor("input"),
        site.tensor("rois"),
        size=_join_equal(site.integer("pooled_height"), site.integer("pooled_width")),
        scale=float(site.args["spatial_scale"]),
        sampling_ratio=max(site.integer("sampling_ratio"), 0),
        aligned=bool(site.args["aligned"]),
    )
