"""The tables of emitters, which write each operator in PyTorch."""

from __future__ import annotations

from ..python.emitters import Emitters
from ..python.operator_calls import OperatorSite
from .torch_initializers import make_initialization

TorchSite = OperatorSite
"""The use of an operator that is to be written in PyTorch."""

EMITTERS = Emitters(make_initialization, decorator="pytorch")
module, invocation, function, given = EMITTERS.module, EMITTERS.invocation, EMITTERS.function, EMITTERS.given_weight
