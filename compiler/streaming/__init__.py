"""Derive the streaming form of a model, which takes its sequence in chunks and carries a state between them.

In: a checked program and one of its dimensions. Out: a `Stream` of ordinary programs, or `StreamRefused` with the operator that looks
ahead. Always: the chunks give the same numbers as the full sequence. A derived stream proves that no output depends on a later input.

    >>> import netc
    >>> program = netc.compile("x = input [T, 4]; out (x -> cumsum axis=1)").program
    >>> [state.type for state in derive_stream(program, "T").states]
    [TensorType([N, 1, 4])]
    >>> derive_stream(netc.compile("x = input [T, 4]; x -> flip [1]").program, "T")
    Traceback (most recent call last):
    netc.compiler.streaming.items.StreamRefused: `flip` looks ahead along `T`
"""

from __future__ import annotations

from .derive import derive_stream, measure_lookahead
from .items import StreamRefused
from .lookahead import MeasuredLookahead
from .stream_program import State, Stream

__all__ = ["MeasuredLookahead", "StreamRefused", "State", "Stream", "derive_stream", "measure_lookahead"]
