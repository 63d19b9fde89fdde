"""Derive the streaming form of a model, which takes its sequence in chunks and carries a state between them.

In: a checked program and one of its dimensions. Out: a `Stream` of ordinary programs, or `StreamRefused` with the operator that looks
ahead. Always: the chunks give the same numbers as the full sequence. A derived stream proves that no output depends on a later input.
"""

from __future__ import annotations

from .derive import derive_stream
from .items import StreamRefused
from .stream_program import State, Stream

__all__ = ["StreamRefused", "State", "Stream", "derive_stream"]
