"""Numbers that are stored as integers with a scale, where they are not known."""

from __future__ import annotations

import numpy as np

from ....ir.graph_values import Value
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Known


@imports("DequantizeLinear", to="cast, sub and mul")
def dequantize(site: Site) -> Value:
    x, scale = site.x(), site.known(1, "its scale")
    if site.attr("block_size", 0):
        raise ImportRefused("its scales are for blocks of elements")
    shape = [1] * x.type.rank
    if scale.array.size > 1:
        shape[site.axis(int(site.attr("axis", 1)), x.type.rank)] = scale.array.size
    apart = site.one("cast", x, dtype=INT64)
    if site.has(2) and site.array(2, "its zero point").any():
        zero = site.array(2, "its zero point").astype(np.int64)
        several = site.tensor(Known(zero.reshape(shape))) if zero.size > 1 else None
        apart = site.one("sub", apart, several) if several is not None else site.one("sub", apart, other=int(zero.reshape(-1)[0]))
    number = site.scalar(1)
    real = site.one("cast", apart, dtype=scale.array.dtype.name)
    if number is not None:
        return site.one("mul", real, other=number)
    return site.one("mul", real, site.tensor(Known(scale.array.reshape(shape))))
