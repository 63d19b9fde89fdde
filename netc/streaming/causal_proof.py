"""Prove that a model is causal, for `netc check --causal`.

In: a checked program and a dimension. Out: the amount of state that a stream remembers, or the operator that looks ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.dims import Dim, format_dim, make_symbol
from netc.compiler.ops.operator import numel
from netc.compiler.streaming import MeasuredLookahead, Stream, StreamRefused, derive_stream, measure_lookahead
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ..files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program


class CausalProof(Record):
    """Whether a program can be computed piece by piece: the problems, or the amount of state for a sample. `limit` is the condition of the
    proof, if there is one. `lookahead` is the smallest one that the program needs, and says which operators cause it."""

    diagnostics: tuple[Diagnostic, ...] = ()
    memory: str = ""
    limit: str = ""
    lookahead: MeasuredLookahead = MeasuredLookahead(0)


def prove_causal(program: Program, dimension: str, lookahead: bool = False) -> CausalProof:
    """Prove that no output depends on a later input along the dimension, or return diagnostics. With `lookahead`, an output may depend on
    a limited number of later positions, which the proof has."""
    try:
        measured = measure_lookahead(program, dimension) if lookahead else MeasuredLookahead(0)
        stream = derive_stream(program, dimension, lookahead=measured.positions)
        return CausalProof((), format_memory(stream), _format_limit(stream), measured)
    except StreamRefused as refused:
        return CausalProof((make_diagnostic(refused.problem, refused.span),))


def _format_limit(stream: Stream) -> str:
    if stream.finite_mask is None:
        return ""
    return f"its masks hide scores with {stream.finite_mask:g}: this holds as long as no other score is nearly as low; -inf hides any score"


def format_memory(stream: Stream) -> str:
    """Return the amount of state for one sample, in numbers: `64`, or `128*P` if it grows with the number `P` of positions."""
    total: Dim = 0
    for state in stream.states:
        total = total + numel(tuple(d for d in state.type.shape if d != make_symbol(BATCH)))
    return format_dim(total)


def format_causes(measured: MeasuredLookahead) -> str:
    """Return the operators that cause a look-ahead, each with its place in the file."""
    # A block that is used ten times has one place.
    places = dict.fromkeys(f"`{cause.operator}` ({cause.span!r})" for cause in measured.causes)
    return f"it looks ahead because of {', '.join(places)}"
