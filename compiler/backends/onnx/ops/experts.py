"""Emit mixtures of experts: the rows of each group are gathered, multiplied, and scattered back to their places."""

from __future__ import annotations

import numpy as np

from ....ops.experts import GroupedLinear
from ....types.tensor_types import INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr
from ..unsupported_in_onnx import UnsupportedInOnnx


@emits(GroupedLinear, onnx="NonZero, Gather, Gemm and ScatterND")
def emit_grouped_linear(op: GroupedLinear, site: Site) -> str:
    groups, units, features = site.given.weight.shape
    if not isinstance(groups, int):
        raise UnsupportedInOnnx(op.name, "the number of groups must be known, because each has nodes of its own")
    x = site.x.op("Reshape", TensorExpr(site, site.ints([-1, features]), INT64))
    index = site.index.op("Reshape", TensorExpr(site, site.ints([-1]), INT64))
    rows, products = [], []
    for group in range(groups):
        chosen = TensorExpr(site, site.add("NonZero", [index.equal(group).name]), INT64)
        rows.append(chosen.op("Reshape", TensorExpr(site, site.ints([-1]), INT64)))
        matrix = site.add("Gather", [site.weight.name, site.constant(np.array(group))], axis=0)
        products.append(site.add("Gemm", [site.add("Gather", [x.name, rows[-1].name], axis=0), matrix], transB=1))
    where = site.add("Unsqueeze", [site.add("Concat", [r.name for r in rows], axis=0), site.ints([-1])])
    size = site.add("Concat", [site.add("Shape", [index.name]), site.ints([units])], axis=0)
    zeros = site.add("Expand", [site.scalar(0.0, site.x.dtype), size])
    y = site.add("ScatterND", [zeros, where, site.add("Concat", products, axis=0)])
    return site.add("Reshape", [y, site.shape(site.results[0].shape)])
