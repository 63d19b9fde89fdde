"""Errors of tensors that replace the parameters of an operator: `x -> dense 4 weight=w`.

>>> import netc
>>> netc.compile("x = input 3; b = input [4] batch=false; x -> dense 4 bias=b")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[bias-without-weight]: `dense` takes a tensor for its bias only together with one for its weight
 --> <text>:1:46
  |
1 | x = input 3; b = input [4] batch=false; x -> dense 4 bias=b
  |                  ---------------------       ^^^^^
  |                  |
  |                  this is [4]
  |
  = help: give both, `weight=w bias=b`, or add the tensor to the result of the stage with `bias=false`
...
"""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem


class BiasAlone(Problem):
    """A tensor for the bias of an operator that learns its weight."""

    code: ClassVar[str] = "bias-without-weight"
    operator: str

    def format_message(self) -> str:
        return f"`{self.operator}` takes a tensor for its bias only together with one for its weight"

    def format_help(self) -> tuple[str, ...]:
        return ("give both, `weight=w bias=b`, or add the tensor to the result of the stage with `bias=false`",)


class NoOwnBias(Problem):
    """`bias=true` with a tensor for the weight and none for the bias."""

    code: ClassVar[str] = "no-such-parameter"
    operator: str

    def format_message(self) -> str:
        return f"`{self.operator}` with a tensor for its weight has no parameters of its own, and so no bias"

    def format_help(self) -> tuple[str, ...]:
        return ("give a tensor for it too: `bias=b`",)


class NoPlaceFor(Problem):
    """A tensor for a parameter that the arguments of the operator leave out."""

    code: ClassVar[str] = "no-such-parameter"
    operator: str
    parameter: str
    affine: bool = True

    def format_message(self) -> str:
        return f"`{self.operator}` has no {self.parameter} with these arguments, so that no tensor can be given for it"

    def format_help(self) -> tuple[str, ...]:
        return ("write `affine=true`",) if not self.affine else ()
