"""Imports the fused operators of ONNX Runtime's optimizer, which it writes into saved files at the levels `extended` and `all`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
from ..importer_table import imports
from .convolution import import_conv
from .dense import import_gemm


def _make_activations(params: list[Any]) -> dict[str, Callable[[OnnxSite, Value], Value]]:
    """Make the activations that ONNX Runtime fuses into other operators, with their numbers."""
    first, second = ([shorten_float(float(p)) for p in params] + [0.0, 0.0])[:2]
    return {
        "": lambda site, x: x,
        "Relu": lambda site, x: site.apply_op("relu", x),
        "Tanh": lambda site, x: site.apply_op("tanh", x),
        "Sigmoid": lambda site, x: site.apply_op("sigmoid", x),
        "LeakyRelu": lambda site, x: site.apply_op("leaky_relu", x, negative_slope=first),
        "Clip": lambda site, x: site.apply_op("clamp", x, min=first, max=second),
        "HardSigmoid": lambda site, x: site.apply_op(
            "clamp", site.apply_op("add", site.apply_op("mul", x, other=first), other=second), min=0.0, max=1.0
        ),
    }


def _apply_activation(site: OnnxSite, x: object, params: list[Any]) -> Value:
    assert isinstance(x, Value)
    name = site.get_attr("activation", "")
    known = _make_activations(params)
    if name not in known:
        raise ImportRefused(f"has the activation {name!r}, which is not known here")
    return known[name](site, x)


@imports("com.microsoft:FusedConv", to="conv, add and an activation")
def import_fused_conv(site: OnnxSite) -> Value:
    """Import a convolution with an activation. A fourth input is added before the activation."""
    result = import_conv(site)
    assert isinstance(result, Value)
    if site.has_input(3):
        result = site.apply_op("add", result, site.input(3))
    return _apply_activation(site, result, list(site.get_attr("activation_params", [])))


@imports("com.microsoft:FusedGemm", to="dense and an activation")
def import_fused_gemm(site: OnnxSite) -> Value:
    numbers = [site.get_attr(f"activation_{name}", 0.0) for name in ("alpha", "beta")]
    return _apply_activation(site, import_gemm(site), numbers)


@imports("com.microsoft:FusedMatMul", to="transpose, matmul and mul")
def import_fused_matmul(site: OnnxSite) -> Value:
    """Import a product whose factors may be transposed: their last two axes, and with `transBatch` the first axis and the last but one."""
    sides: list[Value] = []
    for index, side in enumerate("AB"):
        x = site.input(index)
        rank = x.type.rank
        if site.get_attr(f"transBatch{side}", 0):
            x = site.apply_op("permute", x, axes=(*range(1, rank - 1), 0, rank - 1))
        sides.append(site.apply_op("transpose", x, a=rank - 2, b=rank - 1) if site.get_attr(f"trans{side}", 0) and rank > 1 else x)
    product = site.apply_op("matmul", *sides)
    alpha = shorten_float(site.get_attr("alpha", 1.0))
    return product if alpha == 1 else site.apply_op("mul", product, other=alpha)
