"""The words of JAX and Flax for the emitters that frameworks with NumPy's names share."""

from __future__ import annotations

from ...ops.activation import (
    Celu,
    Elu,
    Glu,
    Hardsigmoid,
    Hardswish,
    LeakyRelu,
    Logsigmoid,
    LogSoftmax,
    Mish,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softsign,
)
from ...ops.binary import Atan2
from ...ops.constants import ParamOperator
from ...ops.convolution import Conv, ConvTranspose
from ...ops.cumulative import Cummax, Cummin, Logcumsumexp
from ...ops.dense import EmbeddingBag
from ...ops.elementwise import Erf, Rsqrt
from ...ops.folding import Fold
from ...ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LocalResponseNorm
from ...ops.operator import Init, Operator
from ...ops.pooling import AvgPool, LpPool
from ...ops.reduction import Logsumexp
from ...ops.regularization import Detach
from ...ops.sorting import Topk
from ...ops.special import Digamma, Erfc, Erfinv, Lgamma
from ..python.array_ops.array_emitters import ArrayWords
from ..python.code.class_tree import NameCode
from ..python.code.python_expressions import CallCode, Code, Method
from .flax_framework import FLAX, RNGS, get_jax_dtype, hold_constant, read_variable
from .flax_initializers import write_initializer

_FUNCTIONS: dict[type[Operator], str] = {
    Atan2: "arctan2",
    Celu: "nnx.celu",
    Cummax: "jax.lax.cummax",
    Cummin: "jax.lax.cummin",
    Detach: "jax.lax.stop_gradient",
    Digamma: "jax.scipy.special.digamma",
    Elu: "nnx.elu",
    Erf: "jax.scipy.special.erf",
    Erfc: "jax.scipy.special.erfc",
    Erfinv: "jax.scipy.special.erfinv",
    Glu: "nnx.glu",
    Hardsigmoid: "nnx.hard_sigmoid",
    Hardswish: "nnx.hard_swish",
    LeakyRelu: "leaky_relu",
    Lgamma: "jax.scipy.special.gammaln",
    Logcumsumexp: "jax.lax.cumlogsumexp",
    Logsigmoid: "nnx.log_sigmoid",
    LogSoftmax: "nnx.log_softmax",
    Logsumexp: "nnx.logsumexp",
    Mish: "jax.nn.mish",
    Relu: "nnx.relu",
    Relu6: "nnx.relu6",
    Rsqrt: "jax.lax.rsqrt",
    Selu: "nnx.selu",
    Sigmoid: "nnx.sigmoid",
    Silu: "nnx.silu",
    Softmax: "nnx.softmax",
    Softsign: "nnx.soft_sign",
}
"""The functions that jax.numpy lacks, or has under another name."""
_WINDOWS = "jax.lax.reduce_window"
_TARGETS: dict[type[Operator], str] = {
    Atan2: "jax.numpy.arctan2",
    AvgPool: _WINDOWS,
    BatchNorm: "BatchNorm, with nnx.BatchStat",
    Conv: "jax.lax.conv_general_dilated",
    ConvTranspose: "jax.lax.conv_general_dilated",
    EmbeddingBag: "jax.ops.segment_sum",
    Fold: "jax.linear_transpose",
    GroupNorm: "jax.lax.rsqrt",
    InstanceNorm: "jax.lax.rsqrt",
    LeakyRelu: "jax.numpy.where",
    LocalResponseNorm: _WINDOWS,
    LpPool: _WINDOWS,
    ParamOperator: "flax.nnx.Param",
    Topk: "jax.lax.top_k",
}
"""The names of operators in documentation that only JAX has."""


def _draw_tensor(init: Init, shape: Code, dtype: Code) -> Code:
    return CallCode(write_initializer(init), (Method(RNGS, "params"), shape, dtype))


def _keep_constant(constant: Code) -> Code:
    return constant


WORDS = ArrayWords(
    framework=FLAX,
    arrays="jnp",
    activations="nnx",
    documented={
        "array": "jax.numpy",
        "nn": "jax.nn",
        "random": "jax.random",
        "tensor": "jax.Array",
        "dropout": "flax.nnx.Dropout",
    },
    functions=_FUNCTIONS,
    targets=_TARGETS,
    clip=("min", "max"),
    dropout="nnx.Dropout",
    get_dtype=get_jax_dtype,
    default_integer=NameCode("int"),
    draws={"rngs": RNGS},
    read_variable=read_variable,
    hold_constant=hold_constant,
    read_constant=_keep_constant,
    draw_tensor=_draw_tensor,
)
