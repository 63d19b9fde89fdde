"""Errors and warnings of the normalization layers.

>>> import netc
>>> problem = netc.compile("input 3x8x8 -> conv 8 3x3 bias=false -> batch_norm momentum=0.99").diagnostics[0]
>>> print(problem.message)
the running statistics of `batch_norm` come to 99 % from the last batch
>>> print(problem.help[0])
Keras's `momentum` is the weight of the old statistics: write `momentum=0.01`
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import format_dim
from .operator_errors import Unprovable
from .problem import Location, Problem, Replacement, argument_location, input_location


class UnprovableShape(Unprovable):
    """An entry of `shape` that may or may not be the size of its axis. `left` is the axis, `right` the entry."""

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return (
            (input_location(0), f"{format_dim(self.left)} is from here"),
            (argument_location("shape"), f"{format_dim(self.right)} is from here"),
        )


class MomentumOfOld(Problem):
    """A momentum that is probably the weight of the old statistics, as in Keras. Here it is the weight of the new statistics."""

    code: ClassVar[str] = "momentum-of-keras"
    severity: ClassVar[Severity] = "warning"
    operator: str
    momentum: float

    def format_message(self) -> str:
        return f"the running statistics of `{self.operator}` come to {100 * self.momentum:g} % from the last batch"

    def format_label(self) -> str:
        return "the weight of the new statistics, as in PyTorch"

    def format_help(self) -> tuple[str, ...]:
        return (f"Keras's `momentum` is the weight of the old statistics: write `momentum={self._format_new_share()}`",)

    def make_replacement(self) -> Replacement | None:
        return Replacement(self._format_new_share())

    def _format_new_share(self) -> str:
        return f"{1 - self.momentum:.6g}"
