"""Streams: the form of a model that takes its sequence in pieces, and carries a state between them.

In: a checked program and one of its dimensions. Out: a `Stream` of ordinary programs, or `Refused` with the operator that looks ahead.
Always: the pieces give what the whole gives; that a stream can be derived proves that no output depends on a later input.
"""

from __future__ import annotations

from .derive import derive
from .items import Refused
from .stream_program import State, Stream

__all__ = ["Refused", "State", "Stream", "derive"]
