"""What is something else in training than in evaluation: see `if training` in conditionals.py."""

from __future__ import annotations

from netc.dsl.source import Span

from ...errors.structure import ModesDiffer
from ...ir.values import flat
from ..scopes.failures import Failure
from ..scopes.values import Flow, TensorTuple


def same_in_both(flow: Flow, span: Span) -> Flow:
    """Rejects what is something else in training, at its use."""
    if isinstance(flow, TensorTuple) and flow.training is not None:
        training, evaluation = (tuple(v.type for v in flat(parts)) for parts in (flow.training, flow.parts))
        raise Failure(ModesDiffer(training, evaluation), span)
    return flow
