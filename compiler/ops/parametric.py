"""Operators with parameters whose initial values an argument can set: `init=`, and for some of them `bias_init=` or `recurrent_init=`.

In: the parameters as PyTorch's module has them. Out: the same with the initialisers that the arguments give. Always: an argument that no
parameter of this use has, as `bias_init` with `bias=false`, has no effect.
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.record import replace

from ..ir.types import TensorType
from .argument import Arg
from .base import Operator, OpInputs, ParameterSpec
from .initialisers import INIT, check_init

ARGUMENTS = {"weight": "init", "bias": "bias_init", "recurrent": "recurrent_init"}
"""The argument for each role of a parameter."""


class Parametric(Operator):
    """Has parameters, with the initialiser `init`. `drawn` says, for the reference, what PyTorch draws without one."""

    drawn: ClassVar[str] = ""
    init = Arg(INIT, default=None, last=True)

    def learned(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        """The learned tensors and buffers, with PyTorch's initial values."""
        raise NotImplementedError

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        return tuple(self._initialised(spec) for spec in self.learned(given))

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        results = super().infer(given)
        for spec in self.parameters(given):
            if spec.stated:
                check_init(spec.init, spec.shape, spec.dtype, self._argument(spec))
        return results

    def _argument(self, spec: ParameterSpec) -> str:
        """The argument that initialises a parameter; empty if none does. Recurrent weights without one of their own follow `init`."""
        found = ARGUMENTS.get(spec.role, "")
        return "init" if spec.role == "recurrent" and self.args.get(found) is None else found

    def _initialised(self, spec: ParameterSpec) -> ParameterSpec:
        init = self.args.get(self._argument(spec))
        if init is None:
            return spec
        init = replace(init, zero_row=spec.init.zero_row)
        return replace(spec, init=init, stated=init != spec.init)


class WithBias(Parametric):
    """Has biases too, with the initialiser `bias_init`."""

    bias_init = Arg(INIT, default=None, last=True)


class WithRecurrence(WithBias):
    """Has weights from a state to the next, with the initialiser `recurrent_init`, or else `init`."""

    recurrent_init = Arg(INIT, default=None, last=True)
