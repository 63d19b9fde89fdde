"""The index of a text: what each identifier refers to, and the type of each stage. For language tools: hover, go-to-definition, rename.

In: one note from the evaluator for each identifier that it resolves and each stage that it runs. Out: an `Index` of frozen records.
Always: nothing is recorded, and almost no time spent, unless an index was asked for.

A body that is elaborated several times (a block with other arguments, a loop without a label) notes the same text several times. An
entry keeps the different values among the first `KEPT` evaluations, in order, and the number of all of them. Text that is never evaluated
(a branch not taken, a block that is never used) has no entries.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

from ..dims import SymDim
from ..ir.graph import Value
from ..ir.types import DType, TensorType
from .scopes.scope import Binding, BlockDef, FnDef, LazyLet, SharedDef, StageClosure
from .scopes.values import CONST_TYPES, Operand, OperatorRef, TensorTuple, Unknown

KEPT = 64
"""The evaluations of one text whose values are looked at."""


class Reference(Record):
    """An identifier in the text, also where it is bound.

    `kind` is what it refers to: `tensor`, `constant`, `dimension`, `type`, `function`, `block`, `model`, `shared`, `stage`, `operator`,
    `argument`, `label`, or `name` if that is unknown. `definition` is the name in the text that binds it; None for what the language
    provides. `values` are the different `TensorType`s (a tuple of them for a tuple of tensors) or compile-time values it had, `count` the
    number of evaluations.
    """

    span: Span
    name: str
    kind: str
    definition: Span | None
    values: tuple[object, ...]
    count: int


class StageResult(Record):
    """A stage with the different types of its result: a `TensorType`, or a tuple of them."""

    span: Span
    types: tuple[object, ...]
    count: int


class Index(Record):
    """All references and stages, in the order of the text."""

    references: tuple[Reference, ...]
    stages: tuple[StageResult, ...]

    def at(self, file: SourceFile, offset: int) -> Reference | None:
        """The identifier at an offset, or directly before it."""
        found = (r for r in self.references if r.span.file is file and r.span.start <= offset <= r.span.end)
        return next(found, None)

    def uses(self, definition: Span) -> tuple[Reference, ...]:
        """Everything that refers to the name bound at `definition`, that name included."""
        return tuple(r for r in self.references if r.definition == definition)


class Recorder:
    """Takes notes and forgets them: for an elaboration without an index."""

    def name(self, span: Span, name: str, binding: Binding | None, definition: Span | None = None, kind: str = "") -> None:
        """An identifier and its binding, or else its definition and kind."""

    def bound(self, name: ast.Name, binding: Binding) -> None:
        """A name where it is bound."""

    def stage(self, span: Span, result: Operand) -> None:
        """A stage and its result."""

    def finish(self) -> Index | None:
        """The index of all notes, if they were kept."""
        return None


class _Note:
    """What was noted of one text."""

    __slots__ = ("bindings", "count", "definition", "kind", "name", "span")

    def __init__(self, span: Span, name: str, definition: Span | None, kind: str) -> None:
        self.span = span
        self.name = name
        self.definition = definition
        self.kind = kind
        self.bindings: list[Binding] = []
        self.count = 0


class IndexRecorder(Recorder):
    """Keeps what it is given. Values are looked at in the end only: a file's `let` may not have one yet."""

    def __init__(self) -> None:
        self._names: dict[int, _Note] = {}
        self._stages: dict[int, tuple[Span, list[Operand]]] = {}

    def name(self, span: Span, name: str, binding: Binding | None, definition: Span | None = None, kind: str = "") -> None:
        note = self._names.get(id(span))
        if note is None:
            if definition is None and binding is not None:
                definition = binding.declared
            self._names[id(span)] = note = _Note(span, name, definition, kind)
        note.count += 1
        if binding is not None and len(note.bindings) < KEPT:
            note.bindings.append(binding)

    def bound(self, name: ast.Name, binding: Binding) -> None:
        self.name(name.span, name.name, binding, name.span)

    def stage(self, span: Span, result: Operand) -> None:
        found = self._stages.get(id(span))
        if found is None:
            self._stages[id(span)] = (span, [result])
        else:
            found[1].append(result)

    def finish(self) -> Index:
        return Index(tuple(_references(self._names.values())), tuple(_results(self._stages.values())))


def _references(notes: Iterable[_Note]) -> list[Reference]:
    """One reference for each identifier: notes of equal spans are one."""
    merged: dict[tuple[int, int, int], Reference] = {}
    for note in notes:
        span = note.span
        values = [b.value for b in note.bindings]
        kind = note.kind or next((k for k in map(_kind, values) if k), "name")
        shown = _different(values)
        key = (id(span.file), span.start, span.end)
        earlier = merged.get(key)
        if earlier is None:
            merged[key] = Reference(span, note.name, kind, _name_within(note.definition, note.name), shown, note.count)
            continue
        merged[key] = Reference(
            span,
            note.name,
            kind if earlier.kind == "name" else earlier.kind,
            earlier.definition or _name_within(note.definition, note.name),
            tuple(dict.fromkeys((*earlier.values, *shown))),
            earlier.count + note.count,
        )
    return sorted(merged.values(), key=lambda r: (r.span.file.name, r.span.start, r.span.end))


def _results(stages: Iterable[tuple[Span, list[Operand]]]) -> list[StageResult]:
    merged: dict[tuple[int, int, int], tuple[Span, list[Operand]]] = {}
    for span, results in stages:
        merged.setdefault((id(span.file), span.start, span.end), (span, []))[1].extend(results)
    found = [StageResult(span, _different(results[:KEPT]), len(results)) for span, results in merged.values()]
    return sorted(found, key=lambda s: (s.span.file.name, s.span.start, s.span.end))


def _name_within(definition: Span | None, name: str) -> Span | None:
    """The name alone of a definition such as `width=64` or `x: [N, 3]`."""
    if definition is None or not definition.text.startswith(name):
        return definition
    return Span(definition.file, definition.start, definition.start + len(name))


def _different(values: Iterable[object]) -> tuple[object, ...]:
    """The different values, in order; those that say nothing are left out."""
    found: dict[object, object] = {}
    for value in values:
        shown = _shown(value)
        if shown is not None:
            found.setdefault((type(shown), shown), shown)
    return tuple(found.values())


def _shown(value: object) -> object | None:
    match value:
        case Value(type=type_):
            return type_
        case TensorTuple(values=values):
            return tuple(v.type for v in values)
        case FnDef() | BlockDef() | SharedDef() | StageClosure() | OperatorRef() | LazyLet() | Unknown():
            return None
    return value


def _kind(value: object) -> str:
    match value:
        case Value() | TensorTuple() | TensorType():
            return "tensor"
        case FnDef():
            return "function"
        case BlockDef(node=ast.Model()):
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
