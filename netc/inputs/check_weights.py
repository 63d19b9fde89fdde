"""Check whether a checkpoint fits a spec, without loading it: `netc check FILE --weights W`.

In: a checked program and a checkpoint. Out: diagnostics, none if it fits. Always: only headers are read, so the time does not depend on the
size of the weights. Files from PyTorch before version 1.6, which have no header, are the exception.

    >>> import netc
    >>> import numpy as np
    >>> program = netc.compile("input 3 -> dense 2 bias=false as fc").program
    >>> (problem,) = check_fit(program, netc.Checkpoint({"fc.weight": np.zeros((2, 4))}))
    >>> problem.message, problem.notes
    ('the weights do not match the model: 1 mismatched', ('mismatched: `fc.weight` has the shape [2, 4] instead of [2, 3]',))
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import ParameterInfo, collect_parameters
from netc.compiler.errors.weight_errors import WeightsMismatch, WeightsUnreadable
from netc.compiler.weights.match_weights import WeightsError
from netc.dsl.diagnostics import Diagnostic, Mark
from netc.dsl.source import SourceFile, Span

from ..files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

    from .checkpoint import Checkpoint

_MARKS = 5
"""The most stages that the diagnostic marks."""


def check_fit(program: Program, checkpoint: Checkpoint) -> list[Diagnostic]:
    """Return the reasons why the checkpoint does not load into the model, as diagnostics at the stages concerned."""
    infos = collect_parameters(program)
    try:
        checkpoint.match_parameters(infos, 0)
    except WeightsError as error:
        if not isinstance(error.problem, WeightsMismatch):
            return [make_diagnostic(error.problem, Span(SourceFile(_locate_error(error, checkpoint), ""), 0, 0))]
        return [_make_diagnostic(error.problem, infos, program.main.span)]
    return []


def _locate_error(error: WeightsError, checkpoint: Checkpoint) -> str:
    """Return the file that cannot be read, or the first path of the checkpoint. Such an error has no position in the spec."""
    problem = error.problem
    return problem.source.strip("`") if isinstance(problem, WeightsUnreadable) else checkpoint.paths[0]


def _make_diagnostic(problem: WeightsMismatch, infos: dict[str, ParameterInfo], main_span: Span) -> Diagnostic:
    misfits = [(m.name, m.why) for m in problem.misfits] + [(name, "is not in the weights") for name in problem.missing]
    first: dict[Span, str] = {}
    for name, why in misfits:
        if name in infos:
            first.setdefault(infos[name].span, f"`{name}` {why}")
    (span, label), *others = list(islice(first.items(), _MARKS)) or [(Span(main_span.file, main_span.start, main_span.start), "")]
    marks = tuple(Mark(s, text) for s, text in others)
    return Diagnostic("error", problem.code, problem.format_message(), span, label, marks, problem.format_notes(), problem.format_help())
