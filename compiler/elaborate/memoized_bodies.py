"""Bodies that earlier elaborations have finished, and what they noted.

While a body is elaborated, `record_body` collects its notes in a `Recording`. When a body of an earlier elaboration is found, `reuse_body`
repeats its notes in the index and the diagnostics of this one, so that an elaboration with a cache reports the same as one without.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Protocol

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.record import replace
from netc.dsl.source import Span

from ..dims import Dim, Facts
from .body_cache import BodyCache, Recording, Trace
from .index import Recorder
from .resource_limits import Budget
from .scopes.memo import Memo, MemoEntry
from .scopes.scope import Binding, LazyLet


class Session(Protocol):
    """The part of an elaboration's state that is used here."""

    index: Recorder
    budget: Budget
    diagnostics: list[Diagnostic]
    errors: int
    facts: Facts
    dims: dict[str, Dim]
    defaults_key: Hashable
    lazily_bound: list[tuple[Binding, object]]


class BodyRecorder:
    """The recordings of one elaboration with a memory."""

    def __init__(self, session: Session, memory: BodyCache) -> None:
        self._session, self._memory = session, memory
        self._current: Recording | None = None
        self._mark = (session.index.current_mark(), 0)
        self._repeated: set[int] = set()
        self._evaluated_lets: dict[int, tuple[str, str]] = {}
        """The `let`s of files that have a value, by the identity of their bindings."""
        self._seen_lets = 0
        self.repeated_lets: set[tuple[str, str]] = set()
        """The `let`s that reused bodies read. Nobody has evaluated them for their file's index yet."""
        self._context: tuple[Hashable, int] = ((), -1)

    def key_of(self, node: ast.Node) -> Hashable | None:
        """The beginning of the key of a body in the memory; None for a body that is not kept there."""
        closure = self._memory.closure_number(node.span.file)
        return None if closure is None else (closure, self._context_number())

    @property
    def memo(self) -> Memo:
        """The bodies of all elaborations."""
        return self._memory.memo

    def _context_number(self) -> int:
        session = self._session
        version = (id(session.facts), session.defaults_key)
        if self._context[0] != version:
            self._context = (version, self._memory.context_number((session.facts, tuple(session.dims.items()), session.defaults_key)))
        return self._context[1]

    def mark_transient(self) -> None:
        """The body that is being elaborated depends on something that may change without its text."""
        if self._current is not None:
            self._current.lasting = False

    # --- recording -------------------------------------------------------------------------------------------------------

    @contextmanager
    def record_body(self, use: CallSite | None, trace: Trace) -> Iterator[Recording]:
        """Keep the notes of a body apart from the notes of the body around it, while it is elaborated. `trace` leads to the inside of
        the body."""
        # What was noted so far belongs to the body around this one, and must not be repeated with it.
        outer, recording = self._current, Recording()
        self._flush_notes(outer, trace[use is not None :])
        self._current = recording
        counts = self._spent_amounts()
        try:
            yield recording
        finally:
            self._flush_notes(recording, trace)
            recording.counts = tuple([now - then for now, then in zip(self._spent_amounts(), counts, strict=True)])
            self._current = outer
            self._repeated.add(id(recording))
            if outer is not None:
                outer.inside.append((recording, use))
                outer.lasting = outer.lasting and recording.lasting

    def _spent_amounts(self) -> tuple[int, ...]:
        return tuple(self._session.budget.spent.values())

    def _flush_notes(self, recording: Recording | None, trace: Trace) -> None:
        """Gives a recording what was noted since the last time."""
        index, diagnostics = self._session.index, self._session.diagnostics
        if recording is not None:
            names, stages = index.notes_since(self._mark[0])
            recording.names += names
            recording.stages += stages
            lets = self._list_evaluated_lets()
            recording.lets |= {lets[id(binding)] for binding in names[2::5] if id(binding) in lets}
            for diagnostic in diagnostics[self._mark[1] :]:
                # The call sites around a body differ from use to use, so a repeated diagnostic gets the new use's.
                around = len(trace) if trace and diagnostic.trace[-len(trace) :] == trace else 0
                recording.diagnostics.append((diagnostic, around))
                recording.lasting = recording.lasting and self._is_lasting(diagnostic, around)
        self._mark = (index.current_mark(), len(diagnostics))

    def _list_evaluated_lets(self) -> dict[int, tuple[str, str]]:
        bound = self._session.lazily_bound
        for binding, value in bound[self._seen_lets :]:
            if isinstance(value, LazyLet):
                name = value.node.name
                self._evaluated_lets[id(binding)] = (name.span.file.name, name.name)
        self._seen_lets = len(bound)
        return self._evaluated_lets

    def _is_lasting(self, diagnostic: Diagnostic, around: int) -> bool:
        """Whether all positions of a diagnostic are in files that last."""
        inner_sites = diagnostic.trace[: len(diagnostic.trace) - around]
        spans: list[Span] = [
            diagnostic.span,
            *(m.span for m in diagnostic.marks),
            *(e.span for e in diagnostic.edits),
            *(site.span for site in inner_sites),
        ]
        return all(self._memory.closure_number(span.file) is not None for span in spans)

    # --- repeating -------------------------------------------------------------------------------------------------------

    def reuse_body(self, entry: MemoEntry, use: CallSite | None, trace: Trace) -> None:
        """A body that was found in a memo is used. `trace` leads to the inside of the body."""
        recording = entry.recording
        if not isinstance(recording, Recording):
            return
        if id(recording) not in self._repeated:
            self._flush_notes(self._current, trace[use is not None :])
            self._repeat_notes(recording, trace)
            self._mark = (self._session.index.current_mark(), len(self._session.diagnostics))
        if self._current is not None:
            self._current.inside.append((recording, use))
            self._current.lasting = self._current.lasting and recording.lasting

    def _repeat_notes(self, recording: Recording, trace: Trace) -> None:
        session = self._session
        self._repeated.add(id(recording))
        session.index.repeat_notes(recording.names, recording.stages)
        self.repeated_lets |= recording.lets
        for diagnostic, around in recording.diagnostics:
            repeated = replace(diagnostic, trace=(*diagnostic.trace[: len(diagnostic.trace) - around], *trace)) if around else diagnostic
            session.diagnostics.append(repeated)
            session.errors += repeated.severity == "error"
        spent = session.budget.spent
        for resource, count in zip(spent, recording.counts, strict=True):
            spent[resource] += count
        for inner, use in recording.inside:
            if id(inner) not in self._repeated:
                self._repeat_inside(inner, (use, *trace) if use is not None else trace)

    def _repeat_inside(self, recording: Recording, trace: Trace) -> None:
        before = self._spent_amounts()
        self._repeat_notes(recording, trace)
        spent = self._session.budget.spent
        spent.update(zip(spent, before, strict=True))  # the counts of a body include the bodies inside it
