"""Definitions, occurrences of names, and the scopes in which names are visible."""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..ops.operator import Operator

_LITERALS = (ast.NumberLiteral, ast.String, ast.Boolean, ast.Dims, ast.ListExpr)


class Definition(Record):
    """A name where it is bound. `kind`: `block`, `model`, `function`, `let`, `parameter`, `tensor`, `shared`, `dimension`, `variable`.
    `node` is what binds it; `owner` the name of the definition whose parameter it is."""

    span: Span
    name: str
    kind: str
    node: ast.Node
    owner: str = ""


class Occurrence(Record):
    """A name in the text. `definition` is None for what the language provides, and for what is unknown. `role`: `argument` before `=`,
    `function` where an expression calls it, else `name`."""

    span: Span
    name: str
    definition: Definition | None
    role: str = "name"

    @property
    def is_declaration(self) -> bool:
        """Whether it is the place where the name is bound."""
        return self.definition is not None and self.definition.span is self.span


class NameScope:
    """The names that are visible in a part of the text: `span`. Those bound by statements are visible after them only. `statements` are
    the statements of its body."""

    def __init__(self, span: Span, parent: NameScope | None, statements: tuple[ast.Statement, ...] = ()) -> None:
        self.span, self.parent, self.statements = span, parent, statements
        self.names: dict[str, Definition] = {}
        self.hoisted = parent is None
        self.inner: list[NameScope] = []
        if parent is not None:
            parent.inner.append(self)

    def find_name(self, name: str, stage: bool = False) -> Definition | None:
        """The definition of a name; for a `stage`, what is no tensor."""
        scope: NameScope | None = self
        while scope is not None:
            definition = scope.names.get(name)
            if definition is not None and not (stage and _is_no_stage(definition)):
                return definition
            scope = scope.parent
        return None

    def scope_at(self, offset: int) -> NameScope:
        """The innermost scope that has an offset."""
        scope = self
        while True:
            inside = [inner for inner in scope.inner if inner.span.start <= offset <= inner.span.end]
            if not inside:
                return scope
            # Two scopes that touch at the offset both contain it; the one that begins there is what the cursor is in.
            scope = max(reversed(inside), key=lambda inner: (inner.span.start, -inner.span.end))

    def visible_names(self, offset: int) -> dict[str, Definition]:
        """Return the definitions that are visible at an offset in this scope, the innermost first."""
        result: dict[str, Definition] = {}
        scope: NameScope | None = self
        while scope is not None:
            for name, definition in scope.names.items():
                if scope.hoisted or definition.span.end < offset or definition.span.file is not scope.span.file:
                    result.setdefault(name, definition)
            scope = scope.parent
        return result

    def walk_scopes(self) -> Iterator[NameScope]:
        """The scope and all inside it, outermost first."""
        stack = [self]
        while stack:
            scope = stack.pop()
            yield scope
            stack += reversed(scope.inner)


def _is_no_stage(definition: Definition) -> bool:
    """Whether a definition is passed over where a stage is needed: a tensor, or, under the name of an operator, a literal."""
    if definition.kind in ("tensor", "dimension"):
        return True
    # A parameter such as `norm=4` cannot be a stage, so under the name of an operator it does not hide the operator.
    value = getattr(definition.node, "default", None) or getattr(definition.node, "value", None)
    return isinstance(value, _LITERALS) and definition.name in Operator.registry
