"""Emit Fourier transforms as DFT in float64.

>>> import netc
>>> [node.op_type for node in netc.compile("input 8 -> rfft axis=1").onnx().graph.node]
['Cast', 'Unsqueeze', 'DFT', 'Cast']
"""

from __future__ import annotations

from ....ops.spectral import Fft, Fourier, Ifft, Irfft, Rfft
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr
from ..transforms import invert_real_transform, invert_transform, transform_axis


def _scale_result(op: Fourier, site: Site, x: TensorExpr) -> str:
    """Divide by the size, by its root or not at all, and cast to the element type of the result."""
    size = op.time_length(site.given.x)
    if op.norm == "ortho":
        x = x / x.like(size).op("Sqrt")
    elif (op.norm == "backward") == op.inverse:
        x = x / x.like(size)
    return x.cast(site.results[0].dtype).name


@emits(Rfft, onnx="DFT")
def emit_rfft(op: Rfft, site: Site) -> str:
    x_type = site.given.x
    x = site.x.cast(FLOAT64)
    pairs = TensorExpr(site, site.add("Unsqueeze", [x.name, site.ints([x_type.rank])]), FLOAT64)
    axis = op.transform_axis(x_type)
    return _scale_result(op, site, transform_axis(pairs, axis, op.time_length(x_type), x_type.shape[axis], onesided=True))


@emits(Fft, Ifft, onnx="DFT")
def emit_complex_transform(op: Fft | Ifft, site: Site) -> str:
    x_type = site.given.x
    function, axis = invert_transform if op.inverse else transform_axis, op.transform_axis(x_type)
    return _scale_result(op, site, function(site.x.cast(FLOAT64), axis, op.time_length(x_type), x_type.shape[axis]))


@emits(Irfft, onnx="DFT")
def emit_irfft(op: Irfft, site: Site) -> str:
    x_type = site.given.x
    return _scale_result(
        op, site, invert_real_transform(site.x.cast(FLOAT64), op.transform_axis(x_type), x_type.rank, op.time_length(x_type))
    )
