"""Scopes and frames: where names are bound, and which graph is being built.

A `GraphFrame` is one graph under construction: what is looked up outside of it is admitted through its border (a tensor becomes a further
input of the graph, a shared stage one of its modules) and remembered in `reads`: exactly what the graph depends on, the memo's key.
A `Scope` is a set of names within a frame; transparent constructs (`if`, unlabelled groups) open a scope but no frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.source import Span

from ..errors.names import BoundTwice
from ..ir.graph import Graph, Value
from ..ops.base import strict_key
from .naming import LabelAllocator
from .ties import PendingTie
from .values import UNKNOWN, BlockDef, ConstExpr, Entity, Failure, SharedDef, StageClosure, TensorTuple, Unknown


class Binding:
    """What a name stands for, where it was bound, and whether anyone has asked for it.

    `declared` is the place of a parameter's name, where `span` is that of the argument.
    """

    __slots__ = ("declared", "span", "used", "value")

    def __init__(self, value: Entity, span: Span | None, declared: Span | None = None) -> None:
        self.value = value
        self.span = span
        self.declared = declared or span
        self.used = False


class Scope:
    """Names, innermost first. `frame` is None for the scopes of files and of compile-time functions.

    `beside` is the scope around it that belongs to the same body, such as a block's parameters: a name of both would be bound twice.
    """

    __slots__ = ("beside", "frame", "names", "parent")

    def __init__(self, parent: Scope | None, frame: GraphFrame | None) -> None:
        self.parent = parent
        self.frame = frame
        self.beside: Scope | None = None
        self.names: dict[str, Binding] = {}

    def bind(self, name: str, value: Entity, span: Span | None = None, declared: Span | None = None) -> Binding:
        binding = Binding(value, span, declared)
        self.names[name] = binding
        return binding

    def earlier(self, name: str) -> Binding | None:
        """The binding that a further one of this name would contradict."""
        own = self.names.get(name)
        return own if own is not None or self.beside is None else self.beside.names.get(name)

    def find(self, name: str) -> tuple[Binding, Scope] | None:
        """The binding as it is in the scope where it was made."""
        scope: Scope | None = self
        while scope is not None:
            binding = scope.names.get(name)
            if binding is not None:
                return binding, scope
            scope = scope.parent
        return None

    def use(self, name: str) -> Binding | None:
        """The binding as it is seen from this scope's frame; it counts as used."""
        found = self.find(name)
        if found is None:
            return None
        binding, home = found
        binding.used = True
        if home.frame is self.frame or home.frame is None or self.frame is None:
            return binding
        crossed: list[GraphFrame] = []
        frame: GraphFrame | None = self.frame
        while frame is not None and frame is not home.frame:
            crossed.append(frame)
            frame = frame.parent
        value = binding.value
        for inner in reversed(crossed):
            value = inner.admit(name, value)
        return Binding(value, binding.span)

    def visible(self) -> list[str]:
        """Every name that can be seen from here."""
        names: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            names.update(dict.fromkeys(scope.names))
            scope = scope.parent
        return list(names)


class GraphFrame:
    """One graph under construction, and the chain of uses that led to it."""

    def __init__(self, graph: Graph, parent: GraphFrame | None, namer: LabelAllocator, trace: tuple[CallSite, ...]) -> None:
        self.graph = graph
        self.parent = parent
        self.namer = namer
        self.trace = trace
        self.reads: dict[str, object] = {}
        self.ties: list[PendingTie] = []
        self.looped = False
        """Whether a loop has put its stages among those of this body: however many it made, the body is not one stage."""
        self.guests = 0
        """How many bodies of loops and blocks, one in the other, are being worked out whose stages stand among those of this body."""
        self._admitted: dict[str, Entity] = {}

    def admit(self, name: str, value: Entity) -> Entity:
        """Brings what `name` stands for outside into this frame."""
        if name not in self._admitted:
            self.reads[name] = token(value)
            self._admitted[name] = self._bring(name, value)
        return self._admitted[name]

    def _bring(self, name: str, value: Entity) -> Entity:
        if isinstance(value, Value):
            self.graph.captures += 1
            return self.receive(value, value.name or name)
        if isinstance(value, TensorTuple):
            self.graph.captures += len(value.values)
            return TensorTuple(tuple(self.receive(v, v.name) for v in value.values))
        if isinstance(value, SharedDef):
            self.graph.modules.append(value.module)
        return value

    @contextmanager
    def hosting(self) -> Iterator[None]:
        """While a loop or a block puts its stages among those of this body."""
        self.looped = True
        self.guests += 1
        try:
            yield
        finally:
            self.guests -= 1

    def receive(self, outer: Value, name: str) -> Value:
        """A further input of the graph, of the type of a value outside."""
        inner = Value(outer.type, outer.span, name)
        inner.spatial = outer.spatial
        self.graph.inputs.append(inner)
        return inner


def distinct(names: Iterable[ast.Name]) -> None:
    """Refuses a name that stands twice among the parameters of one thing."""
    seen: dict[str, Span] = {}
    for name in names:
        if name.name in seen and name.name != "_":
            raise Failure(BoundTwice(name.name), name.span, ((seen[name.name], "bound here"),))
        seen[name.name] = name.span


def token(value: Entity) -> object:
    """What of a binding a graph can depend on: the value, or for tensors the type."""
    if isinstance(value, Value):
        return ("tensor", value.type, value.spatial)
    if isinstance(value, TensorTuple):
        return ("tensors", tuple((v.type, v.spatial) for v in value.values))
    if isinstance(value, SharedDef):
        return ("shared", id(value.module))
    if isinstance(value, BlockDef):
        return ("block", id(value.node))
    if isinstance(value, StageClosure):
        said = [(k.name, k.value.value if isinstance(k.value, ConstExpr) else k.value) for k in value.keywords]
        follower = value.activation and value.activation.op
        return ("partial", token(value.stage), strict_key((*(k.value for k in value.positional), *said, follower)))
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, (int, float, str, tuple)):
        return strict_key(value)
    return value
