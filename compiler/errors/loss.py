"""Errors and warnings of losses.

Most are warnings about the stage that computed the input of a loss, such as a `softmax` that the loss applies itself.

>>> import netc
>>> problem = netc.compile("x = input 8 -> dense 10 -> softmax axis=1; label = input [] int64; (x, label) -> cross_entropy").diagnostics[0]
>>> print(problem.message)
`cross_entropy` takes scores, of which it computes `log_softmax` itself, found the result of `softmax`
>>> print(problem.help[0])
remove `softmax`
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..types.tensor_types import show_shape
from .operator_errors import NeedsInteger
from .problem import Location, Problem, source_location


class LabelType(NeedsInteger):
    """Labels of `cross_entropy` or a similar loss that are not int64."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs int64 class numbers, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        declared = "if these are class numbers, declare them as integers: `input [...] int64`"
        return (declared if self.found.dtype.is_float else "convert them with `-> cast int64`",)


class SourceWarning(Problem):
    """A warning about the operator `source`, which computed the input `index` of a loss."""

    severity: ClassVar[Severity] = "warning"
    operator: str
    source: str
    index: int
    takes: ClassVar[str] = ""
    """Completes "takes ..."."""

    def format_message(self) -> str:
        return f"`{self.operator}` takes {self.takes}, found the result of `{self.source}`"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ((source_location(self.index), f"this is the result of `{self.source}`"),)


class SoftmaxTwice(SourceWarning):
    """`softmax` in front of `cross_entropy`, which applies it again: it trains, but slowly and to worse results."""

    code: ClassVar[str] = "softmax-before-cross-entropy"
    takes = "scores, of which it computes `log_softmax` itself"

    def format_help(self) -> tuple[str, ...]:
        instead = "remove `{}`, or give its result to `nll_loss`" if self.source == "log_softmax" else "remove `{}`"
        return (instead.format(self.source),)


class SigmoidTwice(SourceWarning):
    """`sigmoid` in front of a loss that applies it again."""

    code: ClassVar[str] = "sigmoid-before-logits"
    takes = "scores, of which it computes `sigmoid` itself"

    def format_help(self) -> tuple[str, ...]:
        instead = ", or give its result to `binary_cross_entropy`" if self.operator == "binary_cross_entropy_with_logits" else ""
        return (f"remove `{self.source}`{instead}",)


class OneHotLabels(SourceWarning):
    """One-hot labels made of the class numbers that `cross_entropy` takes too."""

    code: ClassVar[str] = "one-hot-labels"
    takes = "class numbers as they are"

    def format_help(self) -> tuple[str, ...]:
        return (f"remove `{self.source}`: with class numbers the loss is the same, and `ignore_index` is possible",)


class NoLogProbabilities(SourceWarning):
    """Scores or probabilities where a loss takes their logarithms."""

    code: ClassVar[str] = "no-log-probabilities"
    takes = "logarithms of probabilities"

    def format_help(self) -> tuple[str, ...]:
        if self.source == "softmax":
            return ("write `log_softmax` instead of `softmax`",)
        inserted = "insert `-> log_softmax axis=...` over the classes"
        return (f"use `cross_entropy`, which takes scores, or {inserted}" if self.operator == "nll_loss" else inserted,)


class NoProbabilities(SourceWarning):
    """Scores where a loss takes probabilities."""

    code: ClassVar[str] = "no-probabilities"
    takes = "probabilities, from 0 to 1"

    def format_help(self) -> tuple[str, ...]:
        return ("use `binary_cross_entropy_with_logits`, which takes scores, or insert `-> sigmoid`",)
