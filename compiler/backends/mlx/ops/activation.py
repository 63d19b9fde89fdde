"""Writes activations in MLX that other frameworks have under one name, and softmax.

`nn.softmax` and `nn.log_softmax` of MLX 0.32 end the process if they are called along another axis than the last with tensors of several
shapes, because they are compiled without shapes. `mx.softmax` is not.
"""

from __future__ import annotations

from ....ops.activation import Gelu, LogSoftmax, Softmax, Softmin
from ...python.array_ops.activation import call_as_vector
from ...python.code.python_expressions import Code, Prefix, call_function, call_method, to_code
from ..mlx_emitters import EMITTERS, MlxSite
from ..mlx_framework import get_mlx_dtype


@EMITTERS.layer_function(Gelu, target="mlx.nn.gelu, mlx.nn.gelu_approx")
def emit_gelu(op: Gelu, site: MlxSite) -> Code:
    return call_function("nn.gelu_approx" if op.approximate == "tanh" else "nn.gelu", site.x)


@EMITTERS.layer_function(Softmax, LogSoftmax, target={Softmax: "mlx.core.softmax", LogSoftmax: "mlx.core.logsumexp"})
def emit_softmax(op: Softmax | LogSoftmax, site: MlxSite) -> Code:
    x, result = site.given.x.dtype, site.results[0].dtype
    tensor = site.x if x == result else call_method(site.x, "astype", to_code(get_mlx_dtype(result)))
    function = "mx.softmax" if isinstance(op, Softmax) else "log_softmax"
    if not site.given.x.rank:
        return call_as_vector(tensor, lambda vector: call_function(function, vector, axis=0))
    return call_function(function, tensor, axis=op.axis)


@EMITTERS.function(Softmin, target="mlx.core.softmax")
def emit_softmin(op: Softmin, site: MlxSite) -> Code:
    if not site.given.x.rank:
        return call_as_vector(site.x, lambda vector: call_function("mx.softmax", vector, axis=0))
    return call_function("mx.softmax", Prefix("-", site.x), axis=op.axis)
