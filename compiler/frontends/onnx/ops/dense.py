"""Matrix products."""

from __future__ import annotations

import re

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import plain
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Known, transposed


@imports("MatMul", to="dense, matmul")
def matmul(site: Site) -> Value:
    """With a constant matrix on the right it is a layer."""
    right = site.item(1)
    x = site.x(0)
    if isinstance(right, Known) and right.array.ndim == 2 and x.type.dtype.is_float and x.type.rank > 0:
        kind, other = site.follows
        units = right.array.shape[1]
        bias = other if kind == "Add" and isinstance(other, Known) and other.array.shape == (units,) else None
        made = layer(site, x, transposed(right), bias)
        if bias is not None:
            site.emit.biased[id(made)] = bias
        return made
    return site.one("matmul", x, site.x(1))


def layer(site: Site, x: Value, weight: Known, bias: Known | None) -> Value:
    """`dense`; the weight is `[units, features]`."""
    weights = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return site.emit.learned("dense", [x], weights, units=weight.array.shape[0], bias=bias is not None)[0]


@imports("Gemm", to="dense, or matmul, mul and add")
def gemm(site: Site) -> Value:
    alpha, beta = plain(site.attr("alpha", 1.0)), plain(site.attr("beta", 1.0))
    a, b, c = site.item(0), site.item(1), site.item(2)
    site.attr("broadcast")  # of operator sets before 7: the bias is broadcast in any case
    x = site.x(0)
    if site.attr("transA", 0):
        x = site.one("transpose", x, a=0, b=1)
    plainly = alpha == 1 and (c is None or beta == 1)
    if isinstance(b, Known) and b.array.ndim == 2 and isinstance(a, Value) and plainly and x.type.dtype.is_float:
        weight = b if site.attr("transB", 0) else transposed(b)
        units = weight.array.shape[0]
        if c is None:
            return layer(site, x, weight, None)
        if isinstance(c, Known) and c.array.size == units and c.array.shape[-1:] == (units,):
            return layer(site, x, weight, Known(c.array.reshape(-1), c.name, c.layout))
        return _plus(site, layer(site, x, weight, None), beta)
    y = site.x(1)
    if site.attr("transB", 0):
        y = site.one("transpose", y, a=0, b=1)
    result = site.one("matmul", x, y)
    if alpha != 1:
        result = site.one("mul", result, other=alpha)
    return result if c is None else _plus(site, result, beta)


def _plus(site: Site, result: Value, beta: float) -> Value:
    number = site.scalar(2, result.type.rank)
    if number is not None and not isinstance(number, bool) and isinstance(number, int | float):
        return site.one("add", result, other=number * beta) if result.type.dtype.is_float else site.one("add", result, other=number)
    c = site.x(2)
    return site.one("add", result, c if beta == 1 else site.one("mul", c, other=beta))


@imports("Einsum", to="einsum")
def einsum(site: Site) -> Value:
    equation = site.attr("equation", "").replace(" ", "")
    if not re.fullmatch(r"[A-Za-z.,]*(->[A-Za-z.]*)?", equation):
        raise ImportRefused("its equation is not one of letters")
    return site.one("einsum", *(site.x(i) for i in range(len(site))), equation=equation)
