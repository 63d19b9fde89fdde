"""The words of MLX for the emitters that frameworks with NumPy's names share."""

from __future__ import annotations

from ...ops import activation
from ...ops.arithmetic import Maximum, Minimum
from ...ops.binary import Atan2, Fmod, Hypot
from ...ops.elementwise import Exp2
from ...ops.linear_algebra import Cross
from ...ops.operator import Init, Operator
from ...ops.regularization import Detach
from ...types.tensor_types import INT64
from ..python.array_ops.array_emitters import ArrayWords
from ..python.code.python_expressions import AttributeCode, CallCode, Code, call_function, to_code
from .mlx_framework import MLX, get_mlx_dtype
from .mlx_initializers import write_initializer

_FUNCTIONS: dict[type[Operator], str] = {
    Atan2: "arctan2",
    Maximum: "maximum",
    Minimum: "minimum",
    activation.Celu: "celu",
    Cross: "mx.linalg.cross",
    Detach: "mx.stop_gradient",
    activation.Elu: "elu",
    Exp2: "exp2",
    Fmod: "fmod",
    activation.Glu: "nn.glu",
    activation.Hardsigmoid: "hard_sigmoid",
    activation.Hardswish: "nn.hardswish",
    Hypot: "hypot",
    activation.LeakyRelu: "leaky_relu",
    activation.Logsigmoid: "nn.log_sigmoid",
    activation.Mish: "nn.mish",
    activation.Relu: "nn.relu",
    activation.Relu6: "nn.relu6",
    activation.Selu: "selu",
    activation.Sigmoid: "mx.sigmoid",
    activation.Silu: "nn.silu",
    activation.Softsign: "nn.softsign",
}
"""The functions that mlx.core lacks, or has under another name."""


def _draw_tensor(init: Init, shape: Code, dtype: Code) -> Code:
    return CallCode(write_initializer(init), (call_function("mx.zeros", shape, dtype),))


def _keep_variable(variable: Code) -> Code:
    return variable


WORDS = ArrayWords(
    framework=MLX,
    arrays="mx",
    activations="nn",
    documented={"array": "mlx.core", "nn": "mlx.nn", "random": "mlx.core.random", "tensor": "mlx.core.array", "dropout": "Dropout"},
    functions=_FUNCTIONS,
    targets={Atan2: "mlx.core.arctan2", Maximum: "mlx.core.maximum", Minimum: "mlx.core.minimum"},
    clip=("a_min", "a_max"),
    dropout="Dropout",
    get_dtype=get_mlx_dtype,
    default_integer=to_code(get_mlx_dtype(INT64)),
    draws={},
    read_variable=_keep_variable,
    hold_constant=lambda constant: call_function("Constant", constant),
    read_constant=lambda constant: AttributeCode(constant, "value"),
    draw_tensor=_draw_tensor,
)
