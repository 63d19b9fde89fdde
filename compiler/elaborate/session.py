"""The state of one elaboration: what is known of the dimensions, what has been built, what has been reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netc.dsl.diagnostics import CallSite, Diagnostic, Mark
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import SourceFile, Span

from ..dims import Condition, Dim, Facts
from ..errors.base import Problem
from ..errors.structure import TooManyNodes, TooMuchNesting
from ..ir.graph import Graph
from .values import AlreadyReported, Failure, LimitExceeded

if TYPE_CHECKING:
    from .memo import Memo
    from .scope import Scope

MAX_NESTING = 64
MAX_NODES = 1_000_000
MAX_DEPTH = 100
"""How deep functions and values may go through each other."""
MAX_CALLS = 100_000
"""How many calls of functions one expression may come to."""

Loader = Callable[[str, SourceFile], SourceFile]
"""Reads the file that `use "path"` in a file means, or raises `CannotLoad`."""


class CannotLoad(Exception):
    """A file that cannot be read. `why` completes "cannot use `path`: ..."; `near` are paths that exist."""

    def __init__(self, why: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.near = near


class Session:
    """What all parts of the elaborator share."""

    def __init__(self, loader: Loader | None, memo: Memo) -> None:
        self.loader = loader
        self.memo = memo
        self.facts = Facts.nothing()
        self.dims: dict[str, Dim] = {}
        self.conditions: list[tuple[Condition, str]] = []
        self.declared: dict[str, Span] = {}
        self.params: Mapping[str, object] = {}
        self.diagnostics: list[Diagnostic] = []
        self.files: dict[str, Scope] = {}
        self.loading: list[str] = []
        self.active: list[object] = []
        self.calls = 0
        self.suggestions = 100
        self.uses: list[Span] = []
        self.shared_specs: dict[int, tuple[dict[str, object], Span]] = {}
        self.blocks = 0
        self.turns = 0

    def near(self, name: str, candidates: Iterable[str]) -> tuple[str, ...]:
        """Names almost like this one: for the first errors of a file, since it takes time to find them."""
        self.suggestions -= 1
        return tuple(near(name, candidates)) if self.suggestions >= 0 else ()

    @contextmanager
    def nested(self, span: Span) -> Iterator[None]:
        """Counts how deep blocks and groups stand in each other."""
        self.blocks += 1
        try:
            if self.blocks > MAX_NESTING:
                raise Failure(TooMuchNesting(MAX_NESTING), span)
            yield
        finally:
            self.blocks -= 1

    def grow(self, graph: Graph, amount: int, span: Span, trace: tuple[CallSite, ...]) -> None:
        """Counts operators, and ends the elaboration when there are too many."""
        graph.size += amount
        self.bound(graph.size, span, trace)

    def bound(self, size: int, span: Span, trace: tuple[CallSite, ...]) -> None:
        if size > MAX_NODES:
            self.report(TooManyNodes(size, MAX_NODES), span, trace=trace)
            raise LimitExceeded

    def turn(self, span: Span, trace: tuple[CallSite, ...]) -> None:
        """Counts iterations, whose bodies may hold nothing, and ends the elaboration when there are too many."""
        self.turns += 1
        if self.turns > MAX_NODES:
            self.report(TooManyNodes(self.turns, MAX_NODES, "network", "iterations"), span, trace=trace)
            raise LimitExceeded

    def report(
        self,
        problem: Problem,
        span: Span,
        marks: tuple[tuple[Span, str], ...] = (),
        trace: tuple[CallSite, ...] = (),
        label: str | None = None,
    ) -> None:
        """Adds a diagnostic. Marks on the very place of the problem say nothing and are left out.

        Of a problem that a `where` would settle, the places where that could stand are marked too.
        """
        marks = tuple(dict.fromkeys((*marks, *self._declarations(problem, marks))))
        seconds = tuple(Mark(s, t) for s, t in marks if s != span)
        label = problem.label() if label is None else label
        if not label:
            label = next((t for s, t in marks if s == span), "")
        self.diagnostics.append(
            Diagnostic(
                problem.severity,
                problem.code,
                problem.message(),
                span,
                label,
                seconds,
                problem.notes(),
                problem.help(),
                (),
                trace,
            )
        )

    def _declarations(self, problem: Problem, marks: tuple[tuple[Span, str], ...]) -> Iterator[tuple[Span, str]]:
        for name in dict.fromkeys(re.findall(r"\w+", getattr(problem, "advice", ""))):
            place = self.declared.get(name)
            if place is not None and not any(s.file is place.file and s.start <= place.start and place.end <= s.end for s, _ in marks):
                yield place, f"`{name}` is declared here"

    @contextmanager
    def catching(self, trace: tuple[CallSite, ...]) -> Iterator[None]:
        """Reports what fails inside and goes on behind it."""
        try:
            yield
        except Failure as failure:
            self.report(failure.problem, failure.span, failure.marks, trace, failure.label)
        except AlreadyReported:
            pass
