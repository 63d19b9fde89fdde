"""The tables of emitters, which write each operator in Flax."""

from __future__ import annotations

from ...ops.differentiation import Gradient
from ..python.emitters import Emitters
from ..python.operator_calls import OperatorSite
from ..python.scalar_tensors import convert_scalar_tensors
from .flax_framework import get_jax_dtype
from .flax_initializers import make_initialization

FlaxSite = OperatorSite
"""The use of an operator that is to be written in Flax."""

EMITTERS = Emitters(make_initialization, adapt=lambda operator, emitter: convert_scalar_tensors(emitter, get_jax_dtype))
EMITTERS.name_expanded(Gradient, target="the derivatives of each operator")
