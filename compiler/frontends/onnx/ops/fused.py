"""What ONNX Runtime's optimizer makes of several operators: a file that it has saved holds them, at the levels `extended` and `all`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import plain
from ..importer_site import Site
from ..importer_table import imports
from .convolution import conv
from .dense import gemm


def _activations(params: list[Any]) -> dict[str, Callable[[Site, Value], Value]]:
    """The operators that ONNX Runtime appends to others, with their numbers."""
    first, second = ([plain(float(p)) for p in params] + [0.0, 0.0])[:2]
    return {
        "": lambda site, x: x,
        "Relu": lambda site, x: site.one("relu", x),
        "Tanh": lambda site, x: site.one("tanh", x),
        "Sigmoid": lambda site, x: site.one("sigmoid", x),
        "LeakyRelu": lambda site, x: site.one("leaky_relu", x, negative_slope=first),
        "Clip": lambda site, x: site.one("clamp", x, min=first, max=second),
        "HardSigmoid": lambda site, x: site.one("clamp", site.one("add", site.one("mul", x, other=first), other=second), min=0.0, max=1.0),
    }


def _activate(site: Site, x: object, params: list[Any]) -> Value:
    assert isinstance(x, Value)
    name = site.attr("activation", "")
    known = _activations(params)
    if name not in known:
        raise ImportRefused(f"has the activation {name!r}, which is not known here")
    return known[name](site, x)


@imports("com.microsoft:FusedConv", to="conv, add and an activation")
def fused_conv(site: Site) -> Value:
    """A fourth input is added before the activation."""
    made = conv(site)
    assert isinstance(made, Value)
    if site.has(3):
        made = site.one("add", made, site.x(3))
    return _activate(site, made, list(site.attr("activation_params", [])))


@imports("com.microsoft:FusedGemm", to="dense and an activation")
def fused_gemm(site: Site) -> Value:
    numbers = [site.attr(f"activation_{name}", 0.0) for name in ("alpha", "beta")]
    return _activate(site, gemm(site), numbers)


@imports("com.microsoft:FusedMatMul", to="transpose, matmul and mul")
def fused_matmul(site: Site) -> Value:
    """The last two axes of each may be transposed, and of batches the first and the last but one."""
    sides: list[Value] = []
    for index, side in enumerate("AB"):
        x = site.x(index)
        rank = x.type.rank
        if site.attr(f"transBatch{side}", 0):
            x = site.one("permute", x, axes=(*range(1, rank - 1), 0, rank - 1))
        sides.append(site.one("transpose", x, a=rank - 2, b=rank - 1) if site.attr(f"trans{side}", 0) and rank > 1 else x)
    made = site.one("matmul", *sides)
    alpha = plain(site.attr("alpha", 1.0))
    return made if alpha == 1 else site.one("mul", made, other=alpha)
