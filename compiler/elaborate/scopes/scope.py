"""Scopes, graph frames and definitions: where names are bound, which graph is under construction, what a name may refer to.

A `Scope` is a set of names. A `GraphFrame` is one graph under construction: a name that is looked up outside its frame is captured (a
tensor becomes a further input of the graph, a shared stage one of its modules) and recorded in `reads`, which is therefore exactly what
the graph depends on, and the memo's key. Inline constructs (`if`, unlabeled groups) open a scope but no frame.

A definition holds the scope it was written in and a scope holds definitions, hence one module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...binding.declarations import declared_names
from ...dims import SymDim
from ...errors.binding_errors import BoundTwice
from ...ir.graph import Graph, SharedModule
from ...ir.graph_values import Parts, TupleSlice, Value, ValueTuple
from ...ops.operator import strict_key
from ...types.traced_ints import TracedInt, has_origin, origin_key, origin_of
from .body_tensors import copy_tensor, copy_with_symbols
from .compile_time_values import (
    UNKNOWN,
    AbsentTensor,
    Const,
    ConstExpr,
    Flow,
    OperatorRef,
    TensorTuple,
    TrailingActivation,
    count_leading,
    parts_of,
    tensors_of,
)
from .early_exits import Failure
from .label_scope import LabelAllocator
from .ties import PendingNorms, PendingTie

UNNEEDED = "_"
"""The name for unneeded values, which may be bound any number of times."""

GIVEN = "?"
"""At the end of a name: whether the optional tensor of that name is given. No text can contain such a name."""


class FnDef(Record):
    """A `fn`, with the scope it was written in."""

    node: ast.Fn
    scope: Scope


class BlockDef(Record):
    """A `block` or a `model`, with the scope it was written in."""

    node: ast.Block | ast.ModelDecl
    scope: Scope

    @property
    def is_model(self) -> bool:
        return isinstance(self.node, ast.ModelDecl)


class StageClosure(Record):
    """A stage with arguments as a value, `(batch_norm eps=0.001)`: a name bound to it is the stage with these arguments.

    `span` is its text, `size` the number of stages that it contains as values, itself included.
    """

    stage: OperatorRef | BlockDef
    positional: tuple[ConstExpr, ...]
    keywords: tuple[ast.Keyword, ...]
    activation: TrailingActivation | None
    span: Span
    size: int = 1


class SharedDef(Record):
    """A `shared` stage: its syntax, the scope of its declaration, and the identity of its parameters."""

    stage: ast.Tensor
    scope: Scope
    module: SharedModule


class LazyLet(Record):
    """A file's `let`, evaluated at its first use."""

    node: ast.Let
    scope: Scope


Entity = Const | Flow | AbsentTensor | FnDef | BlockDef | OperatorRef | StageClosure | SharedDef | LazyLet


class Binding:
    """The meaning of a name, and where it was bound.

    `declared` is the span of a parameter's name, where `span` is the span of the argument.
    """

    __slots__ = ("declared", "span", "used", "value")

    def __init__(self, value: Entity, span: Span | None, declared: Span | None = None) -> None:
        self.value = value
        self.span = span
        self.declared = declared or span
        self.used = False


class Scope:
    """Names, innermost first. `frame` is None for the scopes of files and of compile-time functions.

    `sibling` is an outer scope that belongs to the same body, such as a block's parameters: a name may not be bound in both.
    """

    __slots__ = ("_bound", "body", "frame", "incomplete", "names", "parent", "sibling")

    def __init__(self, parent: Scope | None, frame: GraphFrame | None) -> None:
        self.parent = parent
        self.frame = frame
        self.sibling: Scope | None = None
        self.body: ast.Body | None = None
        """The body whose statements bind the names."""
        self.names: dict[str, Binding] = {}
        self._bound: tuple[ast.Body | None, dict[str, list[Span]]] = (None, {})
        """A cache for errors: a body, and the places where its statements bind each name. A file may have thousands of unknown names."""
        self.incomplete = False
        """Whether it may lack names: a file that it uses could not be read."""

    def may_lack_names(self) -> bool:
        """Whether it, or a scope around it, is incomplete. An unknown name is then no error of its own."""
        scope: Scope | None = self
        while scope is not None and not scope.incomplete:
            scope = scope.parent
        return scope is not None

    def bind_name(self, name: str, value: Entity, span: Span | None = None, declared: Span | None = None) -> Binding:
        binding = Binding(value, span, declared)
        self.names[name] = binding
        return binding

    def find_conflict(self, name: str) -> Binding | None:
        """The binding that another one of this name would contradict."""
        binding = self.names.get(name)
        return binding if binding is not None or self.sibling is None else self.sibling.names.get(name)

    def find_binding(self, name: str) -> tuple[Binding, Scope] | None:
        """The binding as it is in the scope where it was made."""
        scope: Scope | None = self
        while scope is not None:
            binding = scope.names.get(name)
            if binding is not None:
                return binding, scope
            scope = scope.parent
        return None

    def find_model(self, name: str) -> BlockDef | None:
        """The model of this name that a file defines or imports."""
        binding = self.names.get(name)
        value = None if binding is None else binding.value
        return value if isinstance(value, BlockDef) and value.is_model else None

    def may_lack(self, name: str) -> bool:
        """Whether an error that has been reported may be why a file lacks the name."""
        binding = self.names.get(name)
        return self.may_lack_names() if binding is None else binding.value is UNKNOWN

    def model_names(self) -> Iterator[str]:
        """The names of the models that a file defines or imports."""
        yield from (name for name in self.names if self.find_model(name) is not None)

    def use_binding(self, name: str) -> Binding | None:
        """The binding as it is seen from this scope's frame; it counts as used."""
        binding_and_scope = self.find_binding(name)
        if binding_and_scope is None:
            return None
        binding, home = binding_and_scope
        # The warning about an input that a body never reads looks at this.
        binding.used = True
        if home.frame is self.frame or home.frame is None or self.frame is None:
            return binding
        crossed: list[GraphFrame] = []
        frame: GraphFrame | None = self.frame
        while frame is not None and frame is not home.frame:
            crossed.append(frame)
            frame = frame.parent
        value = binding.value
        # From the outside in: each graph captures the name from the one around it, so that all of them get it as an input.
        for inner in reversed(crossed):
            value = inner.capture_name(name, value)
        return Binding(value, binding.span, binding.declared)

    def find_later(self, name: str, use: Span) -> Span | None:
        """Where a statement below this use of an unknown name binds it."""
        scope: Scope | None = self
        while scope is not None:
            position = next((span for span in scope._statement_bindings().get(name, ()) if span.start > use.start), None)
            if position is not None:
                return position
            scope = scope.parent
        return None

    def _statement_bindings(self) -> dict[str, list[Span]]:
        # The body is set after the scope is made, so the cache remembers which body it is of.
        if self._bound[0] is not self.body:
            spans: dict[str, list[Span]] = {}
            for statement in self.body.statements if self.body is not None else ():
                for name in declared_names(statement):
                    spans.setdefault(name.name, []).append(name.span)
            self._bound = (self.body, spans)
        return self._bound[1]

    def visible_names(self) -> Iterator[str]:
        """All names that are visible from here. They are collected only if a caller reads them, since most errors do not."""
        names: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            names.update(dict.fromkeys(scope.names))
            scope = scope.parent
        # Names with `?` and `.` are bindings of the evaluator's own, which no statement can bind.
        yield from (name for name in names if not name.endswith(GIVEN) and "." not in name)


class GraphFrame:
    """One graph under construction, and the chain of uses that led to it."""

    def __init__(
        self, graph: Graph, parent: GraphFrame | None, labels: LabelAllocator, trace: tuple[CallSite, ...], owner: str = ""
    ) -> None:
        """`owner`: the beginning of the symbols that the graph has for the sizes of its inputs; without one, it has none of its own."""
        self.graph = graph
        self.owner = owner
        self.parent = parent
        self.labels = labels
        self.trace = trace
        self.reads: dict[str, object] = {}
        self.ties: list[PendingTie | PendingNorms] = []
        self.has_inlined = False
        """Whether a loop or block has put its stages into this graph: however many there are, the body is not a single stage."""
        self.alone: Span | None = None
        """The label `_` of an operator, which is then all that the body may have."""
        self.inline_depth = 0
        """The number of nested loops and blocks being elaborated whose stages go into this graph."""
        self.home: Scope | None = None
        """The scope of the body's statements."""
        self.body_input: Flow = TensorTuple(())
        """The input of the body."""
        self.lead: int | None = None
        """The number of tensors before the tuple in `body_input`, if it has one."""
        self.leads: dict[int, int] = {}
        """By the id of an `if`, the number of names before `rest...` where its result is unpacked."""
        self.captured: dict[str, Entity] = {}
        """The captured values by name, as they are within the frame."""
        self.outer: dict[int, Value] = {}
        """By the id of each input that is a captured tensor, the tensor outside."""

    def capture_name(self, name: str, value: Entity) -> Entity:
        """Return the value of an outer `name` within this frame."""
        # Captured once: the second read must be the same input of the graph.
        if name not in self.captured:
            self.reads[name] = dependency_key(value)
            self.captured[name] = self._make_inner(name, value)
        return self.captured[name]

    def _make_inner(self, name: str, value: Entity) -> Entity:
        self.name_size(name, value)
        if isinstance(value, Value):
            self.graph.captures += 1
            # A binding with a dot is the evaluator's own, and the name of an input has none.
            return self._capture_tensor(value, value.name if name == "in" else name.replace(".", "_"), name)
        if isinstance(value, TensorTuple):
            self.graph.captures += len(value.values)
            # A tuple is captured with all of its tensors, because the body may go on with any part of it.
            first = len(self.graph.inputs)
            inner = [self._capture_tensor(v, v.name, f"{name}{i}") for v, i in zip(value.values, _from_end(value.values), strict=True)]
            value_tuple = ValueTuple(name, tuple(inner), first)
            self.graph.tuples.append(value_tuple)
            return TensorTuple((TupleSlice(value_tuple),))
        if isinstance(value, SharedDef):
            self.graph.modules.append(value.module)
        return value

    def _capture_tensor(self, outer: Value, name: str, key: object) -> Value:
        inner = self.add_input(outer, name, key)
        self.outer[id(inner)] = outer
        return inner

    @contextmanager
    def inline_stages(self) -> Iterator[None]:
        """While a loop or a block puts its stages into this graph."""
        self.has_inlined = True
        self.inline_depth += 1
        try:
            yield
        finally:
            self.inline_depth -= 1

    def add_input(self, outer: Value, name: str, key: object, borrowed: bool = False) -> Value:
        """A further input of the graph, of the type of an outer tensor. Its known sizes are symbols of the graph, with the `key` in their
        names. `borrowed`: it has this name until the body gives it another."""
        inner = copy_with_symbols(outer, self.owner, key, self.graph.origins) if self.owner else copy_tensor(outer)
        inner.name, inner.borrowed = name, borrowed
        self.graph.inputs.append(inner)
        return inner

    def receive_input(self, flow: Flow, values: list[Value]) -> Flow:
        """The body's input, as inputs of its graph: a tuple stays one. A single tensor is named `in`; the body may name them."""
        parts = parts_of(flow) or ()
        lead = count_leading(parts) if self.graph.kind != "block" else None
        keys = [*range(len(values))] if lead is None else [*range(lead), *_from_end(values[lead:])]
        names = [v.name for v in values] if len(values) > 1 else ["in"]
        inner = tuple([self.add_input(*arguments, borrowed=True) for arguments in zip(values, names, keys, strict=False)])
        self.body_input = inner[0] if len(inner) == 1 and lead is None else TensorTuple(inner)
        if lead is not None:
            source = parts[lead]
            assert isinstance(source, TupleSlice)
            self.make_tuple(source.of.name, lead, borrowed=True)
        return self.body_input

    def make_tuple(self, name: str, lead: int, borrowed: bool = False) -> TensorTuple:
        """Makes a tuple of the body's input from the tensor number `lead` on."""
        inner = tuple(tensors_of(self.body_input) or ())
        value_tuple = ValueTuple(name, inner[lead:], lead)
        value_tuple.borrowed, self.lead = borrowed, lead
        self.graph.tuples.insert(0, value_tuple)
        parts: Parts = (*inner[:lead], TupleSlice(value_tuple))
        if isinstance(self.body_input, TensorTuple):
            self.body_input.parts = parts
        else:
            self.body_input = TensorTuple(parts)
        return self.body_input

    def name_size(self, name: str, value: Entity) -> None:
        """Record that the body calls a size `name`, if the size is known only at run time or is a formula over the graph's symbols."""
        size = origin_of(value)
        if isinstance(size, SymDim):
            self.graph.sizes.setdefault(name, size)


def _from_end(values: Sequence[Value]) -> range:
    """Numbers for the tensors of a tuple: those at its end are the same however long it is."""
    return range(-len(values), 0)


def trace_of(scope: Scope) -> tuple[CallSite, ...]:
    """The chain of uses that led to a scope."""
    return scope.frame.trace if scope.frame is not None else ()


def check_distinct(names: Iterable[ast.Name]) -> None:
    """Rejects a name that occurs twice among the parameters of one definition."""
    seen: dict[str, Span] = {}
    for name in names:
        if name.name in seen and name.name != UNNEEDED:
            raise Failure(BoundTwice(name.name), name.span, ((seen[name.name], "defined here"),))
        seen[name.name] = name.span


def dependency_key(value: Entity) -> object:
    """Return the part of a binding that a graph can depend on: the value, or for tensors the type."""
    match value:
        case TracedInt():
            return value.formula_key()
        case OperatorRef(name):
            return ("operator", name)
        case Value():
            return ("tensor", value.type, value.spatial, value.weak)
        case TensorTuple():
            return ("tensors", tuple([(v.type, v.spatial, v.weak) for v in value.values]))
        case SharedDef():
            # By identity: two stages with one text have parameters of their own.
            return ("shared", id(value.module))
        case BlockDef():
            # By identity: blocks of the same text in two files may see other names.
            return ("block", id(value.node))
        case StageClosure():
            return _closure_key(value)
        case int() | float() | str() | tuple():
            return (strict_key(value), origin_key(value)) if has_origin(value) else strict_key(value)
    return value


def _closure_key(value: StageClosure) -> object:
    keywords = [(k.name, k.value.value if isinstance(k.value, ConstExpr) else k.value) for k in value.keywords]
    arguments = (*(k.value for k in value.positional), *keywords, value.activation and value.activation.op)
    return ("closure", dependency_key(value.stage), strict_key(arguments), origin_key(arguments))
