"""Whether a checkpoint fits a spec, without loading it: `netc check FILE --weights W`.

In: a checked program and the path of a checkpoint. Out: diagnostics, none if it fits. Of .safetensors and .npz files only headers are
read, so that the time does not depend on their size; PyTorch's files have no separate header and are read whole.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from netc.compiler.analysis.parameters import ParameterInfo, parameters
from netc.compiler.errors.weights import WeightsMismatch
from netc.compiler.weights.headers import placeholders
from netc.compiler.weights.matching import WeightsError, load, match
from netc.dsl.diagnostics import Diagnostic, Mark
from netc.dsl.source import Span

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

_MARKS = 5


def fit(program: Program, path: str) -> list[Diagnostic]:
    """What keeps the checkpoint from loading into the model, at the stages concerned."""
    infos = parameters(program)
    try:
        found = placeholders(path, infos)
        match(infos, load(path) if found is None else found)
    except WeightsError as error:
        return [_diagnostic(error, infos, program.main.span)]
    return []


def _diagnostic(error: WeightsError, infos: dict[str, ParameterInfo], whole: Span) -> Diagnostic:
    problem = error.problem
    misfits: list[tuple[str, str]] = []
    if isinstance(problem, WeightsMismatch):
        misfits = [(m.name, m.why) for m in problem.misfits] + [(name, "is not in the weights") for name in problem.missing]
    first: dict[Span, str] = {}
    for name, why in misfits:
        if name in infos:
            first.setdefault(infos[name].span, f"`{name}` {why}")
    (span, label), *others = list(islice(first.items(), _MARKS)) or [(Span(whole.file, whole.start, whole.start), "")]
    marks = tuple(Mark(s, text) for s, text in others)
    return Diagnostic("error", problem.code, problem.message(), span, label, marks, problem.notes(), problem.help())
