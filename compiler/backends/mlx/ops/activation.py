"""Writes activations in MLX that other frameworks have under one name, and softmax.

`nn.softmax` and `nn.log_softmax` of MLX 0.32 end the process if they are called along another axis than the last with tensors of several
shapes, because they are compiled without shapes. `mx.softmax` is not. Without `precise`, it sums 16-bit floats in 16 bits.
"""

from __future__ import annotations

from ....ops.activation import Gelu, LogSoftmax, Softmax, Softmin
from ...python.array_ops.activation import call_as_vector
from ...python.code.python_expressions import Code, Default, Prefix, call_function, call_method, to_code
from ..mlx_emitters import EMITTERS, MlxSite
from ..mlx_framework import get_mlx_dtype


@EMITTERS.layer_function(Gelu, target="mlx.nn.gelu, mlx.nn.gelu_approx")
def emit_gelu(op: Gelu, site: MlxSite) -> Code:
    return call_function("nn.gelu_approx" if op.approximate == "tanh" else "nn.gelu", site.x)


@EMITTERS.layer_function(Softmax, LogSoftmax, target={Softmax: "mlx.core.softmax", LogSoftmax: "mlx.core.logsumexp"})
def emit_softmax(op: Softmax | LogSoftmax | Softmin, site: MlxSite) -> Code:
    x, result = site.given.x.dtype, site.results[0].dtype
    tensor: Code = site.x if x == result else call_method(site.x, "astype", to_code(get_mlx_dtype(result)))
    tensor = Prefix("-", tensor) if isinstance(op, Softmin) else tensor
    function = "log_softmax" if isinstance(op, LogSoftmax) else "mx.softmax"
    options = {"precise": Default(function == "mx.softmax" and result.size <= 2, False)}
    if not site.given.x.rank:
        return call_as_vector(tensor, lambda vector: call_function(function, vector, axis=0, **options))
    return call_function(function, tensor, axis=op.axis, **options)


EMITTERS.function(Softmin, target="mlx.core.softmax")(emit_softmax)
