"""Imports matrix products: `Gemm` and `MatMul` by a constant matrix become `dense`, and other products `matmul`."""

from __future__ import annotations

import re

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..attribute_numbers import shorten_float
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Known, transpose_known


@imports("MatMul", to="dense, matmul")
def import_matmul(site: OnnxSite) -> Value:
    """Import a product. A constant matrix on the right makes it a layer."""
    right = site.get_item(1)
    x = site.input(0)
    if isinstance(right, Known) and right.array.ndim == 2 and x.type.dtype.is_float and x.type.rank > 0:
        # PyTorch's exporters write a linear layer on more than two axes as MatMul and Add.
        kind, other = site.follows
        units = right.array.shape[1]
        bias = other if kind == "Add" and isinstance(other, Known) and other.array.shape == (units,) else None
        result = apply_dense(site, x, transpose_known(right), bias)
        if bias is not None:
            site.emit.biased[id(result)] = bias
        return result
    return site.apply_op("matmul", x, site.input(1))


def apply_dense(site: OnnxSite, x: Value, weight: Known, bias: Known | None) -> Value:
    """Apply `dense` with a weight `[units, features]`."""
    weights = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return site.emit.apply_with_weights("dense", [x], weights, units=weight.array.shape[0], bias=bias is not None)[0]


@imports("Gemm", to="dense, or matmul, mul and add")
def import_gemm(site: OnnxSite) -> Value:
    alpha, beta = shorten_float(site.get_attr("alpha", 1.0)), shorten_float(site.get_attr("beta", 1.0))
    a, b, c = site.get_item(0), site.get_item(1), site.get_item(2)
    site.get_attr("broadcast")  # of operator sets before 7: the bias is broadcast in any case
    x = site.input(0)
    if site.get_attr("transA", 0):
        x = site.apply_op("transpose", x, a=0, b=1)
    # Other factors would change the numbers of the weight, and thus the checkpoint.
    plainly = alpha == 1 and (c is None or beta == 1)
    if isinstance(b, Known) and b.array.ndim == 2 and isinstance(a, Value) and plainly and x.type.dtype.is_float:
        weight = b if site.get_attr("transB", 0) else transpose_known(b)
        units = weight.array.shape[0]
        if c is None:
            return apply_dense(site, x, weight, None)
        # A bias that broadcasts along the rows is no parameter of a layer.
        if isinstance(c, Known) and c.array.size == units and c.array.shape[-1:] == (units,):
            return apply_dense(site, x, weight, Known(c.array.reshape(-1), c.name, c.layout))
        return _add_scaled(site, apply_dense(site, x, weight, None), beta)
    y = site.input(1)
    if site.get_attr("transB", 0):
        y = site.apply_op("transpose", y, a=0, b=1)
    result = site.apply_op("matmul", x, y)
    if alpha != 1:
        result = site.apply_op("mul", result, other=alpha)
    return result if c is None else _add_scaled(site, result, beta)


def _add_scaled(site: OnnxSite, result: Value, beta: float) -> Value:
    number = site.get_scalar(2, result.type.rank)
    if number is not None and not isinstance(number, bool) and isinstance(number, int | float):
        return (
            site.apply_op("add", result, other=number * beta) if result.type.dtype.is_float else site.apply_op("add", result, other=number)
        )
    c = site.input(2)
    return site.apply_op("add", result, c if beta == 1 else site.apply_op("mul", c, other=beta))


@imports("Einsum", to="einsum")
def import_einsum(site: OnnxSite) -> Value:
    equation = site.get_attr("equation", "").replace(" ", "")
    # The equation goes into the emitted code, so it is checked first.
    if not re.fullmatch(r"[A-Za-z.,]*(->[A-Za-z.]*)?", equation):
        raise ImportRefused("its equation is not one of letters")
    return site.apply_op("einsum", *(site.input(i) for i in range(len(site))), equation=equation)
