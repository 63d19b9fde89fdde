"""Exceptions of the training loop: a loss that is not finite, a batch that PyTorch refuses, and a validation that was stopped.

>>> from netc.compiler.errors.run_errors import LossNotFinite
>>> from netc.dsl.source import SourceFile
>>> problem = LossNotFinite(step=3, value="NaN", stage="`dense1`", checkpoint=None, remedy="try a smaller learning rate")
>>> NotFiniteLoss(problem, Span(SourceFile("<text>", "loss"), 0, 4)).step
3
"""

from __future__ import annotations

from netc.compiler.errors.run_errors import LossNotFinite
from netc.dsl.source import Span

from ..errors import CompileError
from ..files.file_problems import make_diagnostic


class NotFiniteLoss(CompileError):
    """The loss is NaN or infinite, at this step: `diagnostics` has the first stage whose output is not finite."""

    def __init__(self, problem: LossNotFinite, span: Span) -> None:
        super().__init__((make_diagnostic(problem, span),))
        self.step = problem.step


class RefusedBatch(CompileError):
    """PyTorch refuses to compute a stage for the values of a batch of this process; others may have other values."""


class ValidationStopped(Exception):
    """The process was asked to stop during a validation."""
