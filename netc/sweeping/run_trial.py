"""Run one trial: train with its values, or compute its costs.

In: a `TrialOrder`. Out: an `Outcome`, for every error too. Always: a run folder that a stopped trial has left is continued exactly, so a
trial ends with the same bits as one `netc train` with the same values.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from netc.compiler.dims import format_dim
from netc.dsl.record import replace
from netc.dsl.source import SourceFile

from ..analysis import analyze, analyze_training
from ..display.model_summary import summarize_program
from ..errors import CompileError
from ..files.read_spec import read_spec
from ..files.source_files import Unreadable
from ..training.stop_signals import Interrupted
from .goals import COSTS
from .trials import Outcome, TrialEnd, TrialOrder

if TYPE_CHECKING:
    from ..training.training_report import Report

OnResults = Callable[[int, dict[str, float]], bool]
"""Receives the number of the epoch and the results of each validation. Returns whether the trial is pruned."""
INTERNAL = "internal-error"
UNWRITABLE = "not-written"
PRUNED = "pruned"


class PrunedTrial(Exception):
    """Ends a training that its study has pruned, after this step."""

    def __init__(self, step: int) -> None:
        super().__init__(f"pruned at step {step}")
        self.step = step


def train_trial(order: TrialOrder, on_results: OnResults) -> Outcome:
    """Train with the values of a trial, or continue its run. Interruptions by Ctrl-C outside of the steps are raised."""
    from ..training.run_training import train_or_continue

    notes: list[str] = []

    def on_report(report: Report) -> None:
        if report.validation and on_results(count_epochs(report.epoch), report.results):
            raise PrunedTrial(report.step)

    source = (order.path, order.text)
    try:
        result = train_or_continue(*source, order.choice, order.section, order.trial.folder, on_report, note=notes.append, **order.wishes)
    except Interrupted as stopped:
        return Outcome(TrialEnd.STOPPED, steps=stopped.step, notes=tuple(notes), status=stopped.exit_code)
    except PrunedTrial as pruned:
        return Outcome(TrialEnd.PRUNED, steps=pruned.step, code=PRUNED, notes=tuple(notes))
    except Exception as error:
        end = TrialEnd.REFUSED if _is_caused_by_values(error, order) else TrialEnd.FAILED
        return Outcome(end, code=get_error_code(error), error=error, notes=tuple(notes))
    summary = result.summary().splitlines()[0]
    return Outcome(
        TrialEnd.DONE, result.results, result.parameters, result.steps, diagnostics=result.diagnostics, notes=tuple(notes), summary=summary
    )


def _is_caused_by_values(error: Exception, order: TrialOrder) -> bool:
    """Whether the values are the reason of an error: the loss was not finite, or the spec does not compile with them."""
    from ..training.training_failures import NotFiniteLoss

    if isinstance(error, NotFiniteLoss):
        return True
    if not isinstance(error, CompileError):
        return False
    with suppress(Unreadable):
        source, path = (SourceFile("<text>", order.text or ""), None) if order.path is None else read_spec(order.path)
        return analyze_training(source, order.choice, path, order.section).training is None
    return False


def count_epochs(epoch: float) -> int:
    """Return the number of the epoch that a report belongs to. Curves are compared by epochs, because the batch may be a parameter."""
    return math.ceil(round(epoch, 4))


def get_error_code(error: Exception) -> str:
    """Return the code that the table shows for an error."""
    if isinstance(error, CompileError):
        return next(d.code for d in error.diagnostics if d.severity == "error")
    if isinstance(error, OSError):
        return UNWRITABLE
    return getattr(getattr(error, "problem", None), "code", INTERNAL)


def make_portable(outcome: Outcome) -> Outcome:
    """Return an outcome that can be pickled: an exception that cannot becomes a `RuntimeError` with its text."""
    error = outcome.error
    if error is None:
        return outcome
    if isinstance(error, CompileError):  # the constructors of its subclasses take other arguments
        return replace(outcome, error=CompileError(error.diagnostics))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return replace(outcome, error=RuntimeError(f"{type(error).__name__}: {error}"))
    return outcome


def measure_trial(order: TrialOrder, source: SourceFile, where: str | None) -> Outcome:
    """Compute the costs of the model with the values of a trial. Symbolic costs are formulas."""
    analysis = analyze(source, order.choice, where).require_model()
    if analysis.program is None:
        error = CompileError(analysis.diagnostics)
        return Outcome(TrialEnd.REFUSED, code=get_error_code(error), error=error)
    totals = summarize_program(analysis.program).totals
    costs = {name: getattr(totals, name) for name in COSTS}
    results = {name: value if isinstance(value, int) else format_dim(value) for name, value in costs.items()}
    return Outcome(TrialEnd.DONE, results)
