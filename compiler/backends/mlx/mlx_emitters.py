"""The tables of emitters, which write each operator in MLX."""

from __future__ import annotations

from ...ops.differentiation import Gradient
from ..python.emitters import Emitters
from ..python.operator_calls import OperatorSite
from .kernel_limits import adapt_emitter
from .mlx_initializers import make_initialization

MlxSite = OperatorSite
"""The use of an operator that is to be written in MLX."""

EMITTERS = Emitters(make_initialization, adapt=adapt_emitter)
EMITTERS.name_expanded(Gradient, target="the derivatives of each operator")
module, invocation, function, given = EMITTERS.module, EMITTERS.invocation, EMITTERS.function, EMITTERS.given_weight
