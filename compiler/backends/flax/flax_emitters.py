"""The tables of emitters, which write each operator in Flax."""

from __future__ import annotations

from ...ops.differentiation import Gradient
from ..python.emitters import Emitters
from ..python.operator_calls import OperatorSite
from .flax_initializers import make_initialization

FlaxSite = OperatorSite
"""The use of an operator that is to be written in Flax."""

EMITTERS = Emitters(make_initialization)
EMITTERS.name_expanded(Gradient, target="the derivatives of each operator")
