"""Imports dequantization of integers that are not constant: `DequantizeLinear` becomes `cast`, `-` and `*`."""

from __future__ import annotations

import numpy as np

from ....ir.graph_values import Value
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Known


@imports("DequantizeLinear", to="cast, sub and mul")
def import_dequantize(site: OnnxSite) -> Value:
    x, scale = site.input(), site.require_known(1, "its scale")
    if site.get_attr("block_size", 0):
        raise ImportRefused("its scales are for blocks of elements")
    shape = [1] * x.type.rank
    if scale.array.size > 1:
        shape[site.normalize_axis(int(site.get_attr("axis", 1)), x.type.rank)] = scale.array.size
    # The difference of two 8-bit integers does not fit into 8 bits.
    apart = site.apply_op("cast", x, dtype=INT64)
    if site.has_input(2) and site.require_array(2, "its zero point").any():
        zero = site.require_array(2, "its zero point").astype(np.int64)
        several = site.to_tensor(Known(zero.reshape(shape))) if zero.size > 1 else None
        apart = site.apply_op("sub", apart, several) if several is not None else site.apply_op("sub", apart, other=int(zero.reshape(-1)[0]))
    number = site.get_scalar(1)
    real = site.apply_op("cast", apart, dtype=scale.array.dtype.name)
    if number is not None:
        return site.apply_op("mul", real, other=number)
    return site.apply_op("mul", real, site.to_tensor(Known(scale.array.reshape(shape))))
