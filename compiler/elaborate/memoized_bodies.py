"""Bodies that earlier elaborations have finished, and what they noted.

In: a body that is elaborated, or found in a memo. Out: its notes, in the recording of the body around it; at the first use of a body from
an earlier elaboration, its notes in the index and the diagnostics of this one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.record import replace
from netc.dsl.source import Span

from ..dims import Dim, Facts
from ..ops.operator import strict_key
from .body_cache import Memory, Recording, Trace
from .index import Recorder
from .resource_limits import Budget
from .scopes.memo import Entry, Memo


class Session(Protocol):
    """What is used of the state of an elaboration."""

    index: Recorder
    budget: Budget
    diagnostics: list[Diagnostic]
    errors: int
    facts: Facts
    dims: dict[str, Dim]
    defaults: dict[str, dict[str, Any]]


class Remembering:
    """The recordings of one elaboration with a memory."""

    def __init__(self, session: Session, memory: Memory) -> None:
        self._session, self._memory = session, memory
        self._current: Recording | None = None
        self._mark = (session.index.mark(), 0)
        self._repeated: set[int] = set()
        self._context: tuple[Hashable, int] = ((), -1)

    def key_of(self, node: ast.Node) -> Hashable | None:
        """The beginning of the key of a body in the memory; None for a body that is not kept there."""
        closure = self._memory.closure(node.span.file)
        return None if closure is None else (closure, self._context_number())

    @property
    def memo(self) -> Memo:
        """The bodies of all elaborations."""
        return self._memory.memo

    def _context_number(self) -> int:
        session = self._session
        version = (id(session.facts), len(session.defaults))
        if self._context[0] != version:
            defaults = tuple([(n, tuple([(k, strict_key(a[k])) for k in sorted(a)])) for n, a in sorted(session.defaults.items())])
            self._context = (version, self._memory.context((session.facts, tuple(session.dims.items()), defaults)))
        return self._context[1]

    def forget(self) -> None:
        """The body that is being elaborated depends on something that may change without its text."""
        if self._current is not None:
            self._current.lasting = False

    # --- recording -------------------------------------------------------------------------------------------------------

    @contextmanager
    def recording(self, use: CallSite | None, trace: Trace) -> Iterator[Recording]:
        """While a body is elaborated: its notes are its own, not those of the body around it. `trace` leads to the inside of the body."""
        outer, made = self._current, Recording()
        self._flush(outer, trace[use is not None :])
        self._current = made
        counts = self._counts()
        try:
            yield made
        finally:
            self._flush(made, trace)
            made.counts = tuple([now - then for now, then in zip(self._counts(), counts, strict=True)])
            self._current = outer
            self._repeated.add(id(made))
            if outer is not None:
                outer.inside.append((made, use))
                outer.lasting = outer.lasting and made.lasting

    def _counts(self) -> tuple[int, ...]:
        return tuple(self._session.budget.spent.values())

    def _flush(self, recording: Recording | None, trace: Trace) -> None:
        """Gives a recording what was noted since the last time."""
        index, diagnostics = self._session.index, self._session.diagnostics
        if recording is not None:
            names, stages = index.since(self._mark[0])
            recording.names += names
            recording.stages += stages
            for one in diagnostics[self._mark[1] :]:
                around = len(trace) if trace and one.trace[-len(trace) :] == trace else 0
                recording.diagnostics.append((one, around))
                recording.lasting = recording.lasting and self._lasts(one, around)
        self._mark = (index.mark(), len(diagnostics))

    def _lasts(self, one: Diagnostic, around: int) -> bool:
        """Whether all positions of a diagnostic are in files that last."""
        own = one.trace[: len(one.trace) - around]
        spans: list[Span] = [one.span, *(m.span for m in one.marks), *(e.span for e in one.edits), *(site.span for site in own)]
        return all(self._memory.closure(span.file) is not None for span in spans)

    # --- repeating -------------------------------------------------------------------------------------------------------

    def reuse(self, entry: Entry, use: CallSite | None, trace: Trace) -> None:
        """A body that was found in a memo is used. `trace` leads to the inside of the body."""
        recording = entry.recording
        if not isinstance(recording, Recording):
            return
        if id(recording) not in self._repeated:
            self._flush(self._current, trace[use is not None :])
            self._repeat(recording, trace)
            self._mark = (self._session.index.mark(), len(self._session.diagnostics))
        if self._current is not None:
            self._current.inside.append((recording, use))
            self._current.lasting = self._current.lasting and recording.lasting

    def _repeat(self, recording: Recording, trace: Trace) -> None:
        session = self._session
        self._repeated.add(id(recording))
        session.index.repeat(recording.names, recording.stages)
        for one, around in recording.diagnostics:
            made = replace(one, trace=(*one.trace[: len(one.trace) - around], *trace)) if around else one
            session.diagnostics.append(made)
            session.errors += made.severity == "error"
        spent = session.budget.spent
        for resource, count in zip(spent, recording.counts, strict=True):
            spent[resource] += count
        for inner, use in recording.inside:
            if id(inner) not in self._repeated:
                self._repeat_inside(inner, (use, *trace) if use is not None else trace)

    def _repeat_inside(self, recording: Recording, trace: Trace) -> None:
        before = self._counts()
        self._repeat(recording, trace)
        spent = self._session.budget.spent
        spent.update(zip(spent, before, strict=True))  # the counts of a body include those of the bodies inside it
