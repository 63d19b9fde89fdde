"""The results of a train section: its losses and its metrics, each one number.

In: the evaluated settings and the scope of a section. Out: the names of the losses, and the values of all results. Always: the loss is
`loss`, or the `minimize` settings name the losses. A result that is no number is reported.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> section = "t = input 1; error = (y, t) -> mse_loss; metric size = y -> square -> mean; minimize error; optimizer sgd"
    >>> training = analyze_training(SourceFile("<text>", f"y = input 3 -> dense 1; train {{ {section} }}"), Choice()).training
    >>> training.losses, training.program.main.output_names
    (('error',), ['error', 'size'])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netc.dsl.source import Span

from ...errors.training_errors import LossNotFloat, LossNotMinimized, LossNotScalar, NoLoss
from ...ir.graph_values import Value
from ...ir.training_program import LOSS, MINIMIZE, Setting, Word
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import UNKNOWN, TensorTuple, tensors_of
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from .sections import SelectedSection


def find_losses(settings: Iterable[Setting], scope: Scope, session: ElaborationSession) -> dict[str, Span | None]:
    """The names of the losses in the order of their `minimize` settings, with the place where a setting names each. Without such a setting,
    it is `loss`."""
    named = [a for s in settings if s.word == MINIMIZE for a in s.stages[0].positional[:1] if isinstance(a.value, Word)]
    losses: dict[str, Span | None] = {}
    for argument in named:
        losses.setdefault(str(argument.value), argument.span)
    if losses and LOSS in scope.names and LOSS not in losses:
        session.report_problem(LossNotMinimized(tuple(losses)), scope.names[LOSS].span or named[0].span)
    return losses or {LOSS: None}


def collect_results(
    section: SelectedSection,
    scope: Scope,
    losses: Mapping[str, Span | None],
    metrics: Mapping[str, Span],
    session: ElaborationSession,
) -> dict[str, Value] | None:
    """The losses and the metrics, each one number."""
    for name, place in losses.items():
        if name not in scope.names:
            numbers = [key for key, entry in scope.names.items() if isinstance(entry.value, Value) and not entry.value.type.rank]
            near = session.similar_names(name, numbers) if place else ()
            session.report_problem(NoLoss(name if place else "", near), place or section.span)
    if any(name not in scope.names for name in losses):
        return None
    names = tuple(dict.fromkeys((*losses, *metrics)))
    results: dict[str, Value] = {}
    for name in names:
        flow = scope.names[name].value
        values = tensors_of(flow) if isinstance(flow, (Value, TensorTuple)) else None
        if flow is UNKNOWN or values is None:
            continue
        span = scope.names[name].span or section.span
        with session.catch_failures(()):
            results[name] = _require_scalar(name, values, name in losses, span)
    return results if len(results) == len(names) else None


def _require_scalar(name: str, values: list[Value], is_loss: bool, span: Span) -> Value:
    value = values[0]
    if len(values) != 1 or value.type.rank:
        raise Failure(LossNotScalar(name, value.type), span, ((value.span, f"{value.type}"),))
    if is_loss and value.type.dtype.kind != "float":
        raise Failure(LossNotFloat(value.type, name), span)
    return value
