"""`repeat` and `each`: iterations worked out at compile time, equal ones once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite

from ..dims import SymDim
from ..errors.names import NO_LEVEL
from ..errors.structure import EmptyEach, IterationMismatch, TooManyNodes
from ..errors.values import NotANumber
from ..ir.graph import SharedModule, Value
from .bodies import elaborate_body, emit_call, emit_inline, forward_inputs, notice_unused
from .evaluate import evaluate
from .limits import check_tuple
from .memo import Entry
from .operators import claim, label_text, main_result, stage_label, tensors
from .scope import Scope, distinct, token
from .session import MAX_NODES, Session
from .stages import STAGES
from .statements import run_body
from .values import UNKNOWN, Failure, Flow, TensorTuple, show_value

Loop = ast.Repeat | ast.Each


def run_loop(node: Loop, flow: Flow, scope: Scope, session: Session, shared: SharedModule | None) -> Flow:
    """Runs a repeat or each. With a plain label, and in a body, it is a graph of its own; otherwise, and with `as _`, its iterations stand
    around it."""
    assert scope.frame is not None
    distinct(node.binders)
    items = _items(node, scope, session)
    if isinstance(node, ast.Each) and not items:
        raise Failure(EmptyEach(), node.over.span)
    indexed = node.label is not None and any(not isinstance(p, str) for p in node.label.parts)
    around = node.label.parts == (NO_LEVEL,) if node.label is not None else scope.frame.namer.numbered
    if shared is None and (indexed or around):
        with scope.frame.hosting():
            return _iterate(_Step(node, scope, session, transparent=not indexed), items, flow)
    word = "repeat" if isinstance(node, ast.Repeat) else "each"
    label = shared.label if shared is not None else stage_label(node.label, word, node.span, scope, session)
    if not items:
        return flow

    def run(inner: Scope) -> Flow:
        step = _Step(node, inner, session, transparent=False)
        return _iterate(step, items, inner.names["in"].value)  # type: ignore[arg-type]

    kind = "sequence" if isinstance(node, ast.Repeat) else "branches"
    known = token(items) if isinstance(items, tuple) else items
    entry = elaborate_body(node, flow, scope, session, run, name=label, kind=kind, items=known)  # type: ignore[arg-type]
    return emit_call(entry, flow, scope, session, label=label, span=node.span, shared=shared)


def _items(node: Loop, scope: Scope, session: Session) -> range | tuple[Any, ...]:
    value = evaluate(node.over, scope, session)
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        construct = "what `repeat` goes through" if isinstance(node, ast.Repeat) else "what `each` goes through"
        unknown = ", which is known only at run time" if isinstance(value, SymDim) else ""
        problem = NotANumber(construct, "an integer of at least 0, a range or a list", show_value(value) + unknown)
        raise Failure(problem, node.over.span)
    if value > MAX_NODES:
        raise Failure(TooManyNodes(value, MAX_NODES), node.over.span)
    return range(value)


def _iterate(step: _Step, items: range | tuple[Any, ...], flow: Flow) -> Flow:
    if isinstance(step.node, ast.Repeat):
        for index, item in enumerate(items):
            before, size = token(flow), step.frame.graph.size
            flow = step.take(item, flow)
            if step.failed:
                return UNKNOWN
            if index == 0 and not step.node.binders and before == token(flow):
                # All others are as large as the first: too many are refused at once
                step.session.bound(size + (step.frame.graph.size - size) * len(items), step.node.over.span, step.frame.trace)
        return flow
    results: list[Value] = []
    for item in items:
        found = tensors(step.take(item, flow))
        if found is None or step.failed:
            return UNKNOWN
        results += found
    return TensorTuple(check_tuple(tuple(results), step.node.span))


class _Step:
    """One iteration after another, each with its own names and labels.

    A `transparent` one's stages stand among those around it; otherwise each iteration is a graph, or the one stage it consists of.
    """

    def __init__(self, node: Loop, scope: Scope, session: Session, transparent: bool) -> None:
        assert scope.frame is not None
        self.node, self.scope, self.session, self.frame = node, scope, session, scope.frame
        label = node.label
        indexed = label is not None and any(not isinstance(p, str) for p in label.parts)
        self.label = label if indexed else None
        self.transparent = transparent
        self.name = "".join(p for p in label.parts if isinstance(p, str)) if label else self.frame.graph.name
        self.last: tuple[object, Entry] | None = None
        self.known = len(session.diagnostics)

    @property
    def failed(self) -> bool:
        """Whether an error has been reported: further iterations would only repeat it."""
        found = self.session.diagnostics[self.known :]
        self.known += len(found)
        return any(d.severity == "error" for d in found)

    def take(self, item: Any, flow: Flow) -> Flow:
        """One iteration on what flows in. Its problems tell which one it was."""
        outer = self.frame.trace
        self.session.turn(self.node.over.span, outer)
        self.frame.trace = (*self._trace(item), *outer)
        try:
            return self._take(item, flow)
        finally:
            self.frame.trace = outer

    def _trace(self, item: Any) -> tuple[CallSite, ...]:
        binders = self.node.binders
        if not binders:
            return ()
        word = "repeat" if isinstance(self.node, ast.Repeat) else "each"
        values = (item,) if len(binders) == 1 else item if isinstance(item, tuple) else ()
        told = " and ".join(f"`{b.name}` is {show_value(v)}" for b, v in zip(binders, values, strict=False))
        return (CallSite(binders[0].span.to(binders[-1].span), f"in this `{word}`, where {told}"),) if told else ()

    def _take(self, item: Any, flow: Flow) -> Flow:
        scope = Scope(self.scope, self.frame) if self.node.binders else self.scope
        for name, value in self._bindings(item):
            scope.bind(name.name, value, name.span)
        if self.transparent:
            inner = Scope(scope, self.frame)
            inner.bind("in", main_result(flow))
            return self._run(inner)
        entry = self._entry(flow, scope)
        self.session.bound(self.frame.graph.size + entry.graph.size, self.node.span, self.frame.trace)
        if not entry.graph.nodes and not entry.graph.declares:
            return forward_inputs(entry, flow, scope)
        label = self._label(scope)
        if entry.single:
            return emit_inline(entry, flow, scope, self.session, label=label)
        return emit_call(entry, flow, scope, self.session, label=label, span=self.node.body.span)

    def _run(self, inner: Scope) -> Flow:
        result = run_body(self.node.body, inner, self.session, "the repeated body")
        return notice_unused(inner, result, self.node.body.span, self.session)

    def _bindings(self, item: Any) -> Iterator[tuple[ast.Name, Any]]:
        binders = self.node.binders
        if len(binders) <= 1:
            yield from zip(binders, (item,), strict=False)
            return
        if not isinstance(item, tuple) or len(item) != len(binders):
            raise Failure(IterationMismatch(len(binders), show_value(item)), binders[0].span.to(binders[-1].span))
        yield from zip(binders, item, strict=True)

    def _entry(self, flow: Flow, scope: Scope) -> Entry:
        """The body's graph; without binders it depends on the flow alone, so that the last one usually serves again."""
        key = token(flow)
        if self.last is not None and not self.node.binders and self.last[0] == key:
            return self.last[1]
        entry = elaborate_body(self.node.body, flow, scope, self.session, self._run, name=self.name)
        self.last = (key, entry)
        return entry

    def _label(self, scope: Scope) -> str:
        if self.label is None:
            return self.frame.namer.automatic("", self.node.span)
        return claim(label_text(self.label, scope, self.session), self.label.span, self.frame)


STAGES[ast.Repeat] = run_loop
STAGES[ast.Each] = run_loop
