"""The index of a text: what each identifier refers to, and the type of each stage. Hover, go-to-definition and rename use it.

The evaluator makes one note for each identifier that it resolves and each stage that it runs; an `Index` turns them into frozen records.
Nothing is recorded, and almost no time spent, unless an index was asked for.

A body that is elaborated several times (a block with other arguments, a loop without a label) notes the same text several times. An entry
keeps the different values among the first `MAX_EVALUATIONS` evaluations, in order, and the number of all of them. Text that is never
evaluated (a branch not taken, a block that is never used) has no entries.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.source import SourceFile
    >>> file = SourceFile("<text>", "x = input 3; x -> dense 2")
    >>> index = analyze(file, Choice(), index=True).index
    >>> [(reference.name, str(reference.definition)) for reference in index.references]
    [('x', '<text>:1:1'), ('x', '<text>:1:1'), ('dense', 'None')]
    >>> [str(stage.types[0]) for stage in index.stages]
    ['[N, 3]', '[N, 2]']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

from ..dims import SymDim
from ..ir.graph_values import Value
from ..types.tensor_types import DType
from .scopes.compile_time_values import CONST_TYPES, UNKNOWN, Operand, OperatorRef, TensorTuple, Unknown
from .scopes.scope import Binding, BlockDef, FnDef, LazyLet, SharedDef, StageClosure

_NameNote = tuple[Span, str, Binding | None, Span | None, str]
_SpanKey = tuple[str, int, int, int]

MAX_EVALUATIONS = 64
"""The evaluations of one text whose values are looked at."""


class Reference(Record):
    """An identifier in the text, also where it is bound.

    `kind` is what it refers to: `tensor`, `constant`, `dimension`, `type`, `function`, `block`, `model`, `shared`, `stage`, `operator`,
    `argument`, `label`, or `name` if that is unknown. `definition` is the name in the text that binds it; None for what the language
    provides. `noted` is what it was in each evaluation, `count` their number.
    """

    span: Span
    name: str
    kind: str
    definition: Span | None
    noted: tuple[object, ...]
    count: int

    @property
    def values(self) -> tuple[object, ...]:
        """The different `TensorType`s (a tuple of them for a tuple of tensors) or compile-time values it had."""
        return _distinct_values(self.noted)


class StageResult(Record):
    """A stage. `noted` is its result in each evaluation, `count` their number."""

    span: Span
    noted: tuple[object, ...]
    count: int

    @property
    def types(self) -> tuple[object, ...]:
        """The different types of its result: a `TensorType`, or a tuple of them."""
        return _distinct_values(self.noted)

    @property
    def is_typed(self) -> bool:
        """Whether it has `types`."""
        return any(_type_or_value(value) is not None for value in self.noted)


class Index:
    """All references and stages, in the order of the text. Both are computed from the notes at the first use."""

    def __init__(self, names: list[Any], stages: list[Any], counts: dict[int, int]) -> None:
        self._names, self._stages, self._counts = names, stages, counts

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        by_span: dict[_SpanKey, _ReferenceNotes] = {}
        known: dict[int, _ReferenceNotes] = {}
        """By the identity of a span, which most notes of one place have in common."""
        for span, name, binding, definition, kind in self._name_notes():
            # Notes of one place mostly have the same span object, whose identity is quicker to look up than its position.
            uses = known.get(id(span))
            if uses is None:
                uses = known[id(span)] = by_span.setdefault(_span_key(span), _ReferenceNotes(span, name))
                uses.spans[id(span)] = span
            uses.kind = uses.kind or kind or _binding_kind(binding)
            uses.definition = uses.definition or definition or (binding.declared if binding is not None else None)
            if binding is not None and len(uses.values) < MAX_EVALUATIONS:
                uses.values.append(binding.value)
        return tuple([self._make_reference(by_span[place]) for place in sorted(by_span)])

    def _name_notes(self) -> Iterator[_NameNote]:
        return zip(*(self._names[i::5] for i in range(5)), strict=True)

    def _make_reference(self, uses: _ReferenceNotes) -> Reference:
        count = sum(self._counts[key] for key in uses.spans)
        definition = _name_within(uses.definition, uses.name)
        return Reference(uses.span, uses.name, uses.kind or "name", definition, tuple(uses.values), count)

    @cached_property
    def stages(self) -> tuple[StageResult, ...]:
        by_span: dict[_SpanKey, tuple[dict[int, Span], list[object]]] = {}
        known: dict[int, list[object]] = {}
        for span, result in zip(self._stages[::2], self._stages[1::2], strict=True):
            results = known.get(id(span))
            if results is None:
                spans, results = by_span.setdefault(_span_key(span), ({}, []))
                spans[id(span)], known[id(span)] = span, results
            if len(results) < MAX_EVALUATIONS:
                results.append(result)
        return tuple([self._make_stage(*by_span[place]) for place in sorted(by_span)])

    def _make_stage(self, spans: dict[int, Span], results: list[object]) -> StageResult:
        return StageResult(next(iter(spans.values())), tuple(results), sum(self._counts[key] for key in spans))

    def reference_at(self, file: SourceFile, offset: int) -> Reference | None:
        """The identifier at an offset, or directly before it."""
        matches = (r for r in self.references if r.span.file is file and r.span.start <= offset <= r.span.end)
        return next(matches, None)

    def references_to(self, definition: Span) -> tuple[Reference, ...]:
        """Everything that refers to the name bound at `definition`, that name included."""
        return tuple([r for r in self.references if r.definition == definition])


class Recorder:
    """Takes notes and forgets them: for an elaboration without an index."""

    def record_name(self, span: Span, name: str, binding: Binding | None, definition: Span | None = None, kind: str = "") -> None:
        """An identifier and its binding, or else its definition and kind."""

    def record_binding(self, name: ast.Name, binding: Binding) -> None:
        """A name where it is bound."""

    def record_stage(self, span: Span, result: Operand) -> None:
        """A stage and its result."""

    def current_mark(self) -> tuple[int, int]:
        """The numbers of notes so far, as `notes_since` takes them."""
        return 0, 0

    def notes_since(self, mark: tuple[int, int]) -> tuple[list[Any], list[Any]]:
        """The notes after a mark, about names and about stages."""
        return [], []

    def repeat_notes(self, names: list[Any], stages: list[Any]) -> None:
        """Notes of an earlier elaboration, once more."""

    def build_index(self) -> Index | None:
        """The index of all notes, if they were kept."""
        return None


class IndexRecorder(Recorder):
    """Keeps its notes, one after another in flat lists: a tuple for each would double the work of the garbage collector.

    Values are looked at later: a file's `let` may not have one yet.
    """

    def __init__(self, kept: int = MAX_EVALUATIONS) -> None:
        """`kept`: the notes of one text that are kept at all."""
        self._kept = kept
        self._names: list[Any] = []
        self._stages: list[Any] = []
        self._counts: dict[int, int] = {}
        """The number of notes for each span, by identity: the notes keep the spans alive."""

    def record_name(self, span: Span, name: str, binding: Binding | None, definition: Span | None = None, kind: str = "") -> None:
        count = self._counts.get(id(span), 0)
        self._counts[id(span)] = count + 1
        if count < self._kept:
            self._names += (span, name, binding, definition, kind)

    def record_binding(self, name: ast.Name, binding: Binding) -> None:
        self.record_name(name.span, name.name, binding, name.span)

    def record_stage(self, span: Span, result: Operand) -> None:
        count = self._counts.get(id(span), 0)
        self._counts[id(span)] = count + 1
        if count < self._kept:
            self._stages += (span, result)

    def current_mark(self) -> tuple[int, int]:
        return len(self._names), len(self._stages)

    def notes_since(self, mark: tuple[int, int]) -> tuple[list[Any], list[Any]]:
        return self._names[mark[0] :], self._stages[mark[1] :]

    def repeat_notes(self, names: list[Any], stages: list[Any]) -> None:
        counts = self._counts
        self._names += names
        self._stages += stages
        for span in (*names[::5], *stages[::2]):
            counts[id(span)] = counts.get(id(span), 0) + 1

    def build_index(self) -> Index:
        return Index(self._names, self._stages, self._counts)


class _ReferenceNotes:
    """The notes of one identifier."""

    __slots__ = ("definition", "kind", "name", "span", "spans", "values")

    def __init__(self, span: Span, name: str) -> None:
        self.span = span
        self.name = name
        self.kind = ""
        self.definition: Span | None = None
        self.values: list[object] = []
        self.spans: dict[int, Span] = {}


def _span_key(span: Span) -> _SpanKey:
    return span.file.name, id(span.file), span.start, span.end


def _name_within(definition: Span | None, name: str) -> Span | None:
    """The name alone of a definition such as `width=64` or `x: [N, 3]`."""
    if definition is None or not definition.text.startswith(name):
        return definition
    # Renaming replaces this span, so it must not have the value too.
    return Span(definition.file, definition.start, definition.start + len(name))


def _distinct_values(values: Iterable[object]) -> tuple[object, ...]:
    """The different values, in order; those that say nothing are left out."""
    distinct: dict[object, object] = {}
    for value in values:
        content = _type_or_value(value)
        if content is not None:
            # With the type, because `True == 1` and `2 == 2.0` in Python.
            distinct.setdefault((type(content), content), content)
    return tuple(distinct.values())


def _type_or_value(value: object) -> object | None:
    match value:
        case Value(type=type_):
            return type_
        case TensorTuple(values=values, extras=node):
            types = tuple([v.type for v in (values if node is None else node.outputs)])
            return types[0] if len(types) == 1 else types
        case FnDef() | BlockDef() | SharedDef() | StageClosure() | OperatorRef() | LazyLet() | Unknown():
            return None
    return value


def _binding_kind(binding: Binding | None) -> str:
    value = binding.value if binding is not None else UNKNOWN
    match value:
        case Value() | TensorTuple():
            return "tensor"
        case FnDef():
            return "function"
        case BlockDef(node=ast.ModelDecl()):
            return "model"
        case BlockDef():
            return "block"
        case SharedDef():
            return "shared"
        case StageClosure():
            return "stage"
        case OperatorRef():
            return "operator"
        case DType():
            return "type"
        case SymDim():
            return "dimension"
        case Unknown() | LazyLet():
            return ""
    return "constant" if isinstance(value, CONST_TYPES) else ""
