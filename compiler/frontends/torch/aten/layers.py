"""Reads layers with weights: dense layers, convolutions and embeddings. `nn.Linear(8, 4)` becomes `dense 4`."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads

PARAMETERS = {"weight": "weight", "bias": "bias"}


def apply_layer(site: AtenSite, operator: str, *inputs: Value, given: dict[str, str] = PARAMETERS, **arguments: Any) -> Value:
    """Apply a layer with parameters of its own, or else with tensors as parameters."""
    has_bias = "bias" in given and site.args[given["bias"]] is not None
    bias = {} if "bias" not in given else {"bias": has_bias}
    results = site.try_layer(operator, *inputs, given=given, **arguments, **bias)
    if results is not None:
        return results[0]
    names = tuple(name for name in given if site.args[given[name]] is not None)
    return site.apply_op(operator, *inputs, *(site.tensor(given[name]) for name in names), named=names, **arguments)


@reads("linear")
def read_linear(site: AtenSite) -> Value:
    x, sizes = site.tensor("input"), site.args["weight"].meta["val"].shape
    if len(sizes) == 1:  # a weight without an axis of units: PyTorch returns a dot product
        product = site.apply_op("matmul", x, site.tensor("weight"))
        return product if site.args["bias"] is None else site.apply_op("add", product, site.tensor("bias"))
    units, features = sizes
    if not isinstance(units, int) or not isinstance(features, int):
        raise ImportRefused("has a weight whose size depends on the input")
    return apply_layer(site, "dense", x, units=units)


@reads("bilinear")
def read_bilinear(site: AtenSite) -> Value:
    units = int(site.args["weight"].meta["val"].shape[0])
    return apply_layer(site, "bilinear", site.tensor("input1"), site.tensor("input2"), units=units)


def _read_spatial(site: AtenSite, name: str) -> int | tuple[int, ...]:
    """Return the numbers of an argument for each spatial axis, or one number if they are equal."""
    sizes = site.integers(name)
    return sizes[0] if len(set(sizes)) == 1 else sizes


@reads("conv1d", "conv2d", "conv3d", "convolution")
def read_conv(site: AtenSite) -> Value:
    if site.args.get("transposed"):
        raise ImportRefused("is a transposed convolution of a form that netc does not read")
    padding: Any = site.args["padding"] if isinstance(site.args["padding"], str) else _read_spatial(site, "padding")
    return _apply_convolution(site, "conv", int(site.args["weight"].meta["val"].shape[0]), padding=padding)


@reads("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def read_conv_transpose(site: AtenSite) -> Value:
    channels = int(site.args["weight"].meta["val"].shape[1]) * site.integer("groups")
    paddings = {name: _read_spatial(site, name) for name in ("padding", "output_padding")}
    return _apply_convolution(site, "conv_transpose", channels, **paddings)


def _apply_convolution(site: AtenSite, operator: str, channels: int, **arguments: Any) -> Value:
    """Apply a convolution. An input without a batch gets one for it, since PyTorch takes it too."""
    fake = site.args["weight"].meta["val"]
    x = site.tensor("input")
    batched = x.type.rank == fake.dim()
    result = apply_layer(
        site,
        operator,
        x if batched else site.apply_op("unsqueeze", x, axis=0),
        channels=channels,
        kernel=tuple(int(size) for size in fake.shape[2:]),
        stride=_read_spatial(site, "stride"),
        dilation=_read_spatial(site, "dilation"),
        groups=site.integer("groups"),
        **arguments,
    )
    return result if batched else site.apply_op("squeeze", result, axis=(0,))


@reads("embedding")
def read_embedding(site: AtenSite) -> Value:
    num, dim = (int(size) for size in site.args["weight"].meta["val"].shape)
    padding = site.integer("padding_idx")
    return apply_layer(
        site,
        "embedding",
        site.tensor("indices"),
        given={"weight": "weight"},
        num=num,
        dim=dim,
        # aten has -1 where nn.Embedding has None.
        padding_idx=None if padding == -1 else padding,
        dtype=site.result_dtype,
    )
