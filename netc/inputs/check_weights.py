"""Whether a checkpoint fits a spec, without loading it: `netc check FILE --weights W`.

In: a checked program and a checkpoint. Out: diagnostics, none if it fits. Always: no numbers are read, so that the time does not depend on
their size; only files of PyTorch's before version 1.6 are read whole.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import ParameterInfo, collect_parameters
from netc.compiler.errors.weight_errors import WeightsMismatch, WeightsUnreadable
from netc.compiler.weights.match_weights import WeightsError
from netc.dsl.diagnostics import Diagnostic, Mark
from netc.dsl.source import SourceFile, Span

from ..files.file_problems import diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

    from .checkpoint import Checkpoint

_MARKS = 5


def fit(program: Program, checkpoint: Checkpoint) -> list[Diagnostic]:
    """What keeps the checkpoint from loading into the model, at the stages concerned."""
    infos = collect_parameters(program)
    try:
        checkpoint.matched(infos, 0)
    except WeightsError as error:
        if not isinstance(error.problem, WeightsMismatch):
            return [diagnostic(error.problem, Span(SourceFile(_place(error, checkpoint), ""), 0, 0))]
        return [_diagnostic(error.problem, infos, program.main.span)]
    return []


def _place(error: WeightsError, checkpoint: Checkpoint) -> str:
    """The file that cannot be read, or what was asked for: such an error is not one of the spec."""
    problem = error.problem
    return problem.source.strip("`") if isinstance(problem, WeightsUnreadable) else checkpoint.paths[0]


def _diagnostic(problem: WeightsMismatch, infos: dict[str, ParameterInfo], whole: Span) -> Diagnostic:
    misfits = [(m.name, m.why) for m in problem.misfits] + [(name, "is not in the weights") for name in problem.missing]
    first: dict[Span, str] = {}
    for name, why in misfits:
        if name in infos:
            first.setdefault(infos[name].span, f"`{name}` {why}")
    (span, label), *others = list(islice(first.items(), _MARKS)) or [(Span(whole.file, whole.start, whole.start), "")]
    marks = tuple(Mark(s, text) for s, text in others)
    return Diagnostic("error", problem.code, problem.format_message(), span, label, marks, problem.format_notes(), problem.format_help())
