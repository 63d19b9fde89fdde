"""Definitions, occurrences of names, and the scopes in which names are visible.

A scope has the names of a part of the text, and a parent. A name is looked up in the innermost scope first. Statements make their names
visible below them only; the scope of a file is `hoisted`, so its names are visible everywhere in it.

    >>> from netc.dsl.parser import parse_source
    >>> from netc.dsl.source import SourceFile
    >>> from .file_names import bind_file
    >>> text = "let width = 4; x = input 3; x -> dense width"
    >>> names = bind_file(parse_source(SourceFile("<text>", text))[0], lambda use: {})
    >>> [(name, found.kind) for name, found in names.top.visible_names(len(text)).items()]
    [('width', 'let')]
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..ops.operator import Operator

_LITERALS = (ast.NumberLiteral, ast.String, ast.Boolean, ast.Dims, ast.ListExpr)


class Definition(Record):
    """A name at the place where it is bound. `kind`: `block`, `model`, `function`, `let`, `parameter`, `tensor`, `shared`, `dimension` or
    `variable`. `node` is the node that binds it. `owner` is the name of the definition with this parameter. `base` is the definition of the
    model that a model of another file is derived from."""

    span: Span
    name: str
    kind: str
    node: ast.Node
    owner: str = ""
    base: Definition | None = None


class Occurrence(Record):
    """A name in the text. `definition` is None if the name belongs to the language, or is unknown. `role`: `argument` before `=`,
    `function` if an expression calls it, else `name`."""

    span: Span
    name: str
    definition: Definition | None
    role: str = "name"

    @property
    def is_declaration(self) -> bool:
        """Whether it is the place where the name is bound."""
        return self.definition is not None and self.definition.span is self.span


class NameScope:
    """The names that are visible in a part of the text, `span`. `statements` has the statements of its body."""

    def __init__(self, span: Span, parent: NameScope | None, statements: tuple[ast.Statement, ...] = ()) -> None:
        self.span, self.parent, self.statements = span, parent, statements
        self.names: dict[str, Definition] = {}
        self.hoisted = parent is None
        self.inner: list[NameScope] = []
        if parent is not None:
            parent.inner.append(self)

    def find_name(self, name: str, stage: bool = False) -> Definition | None:
        """Find the definition of a name. For a `stage`, definitions of tensors are skipped."""
        scope: NameScope | None = self
        while scope is not None:
            definition = scope.names.get(name)
            if definition is not None and not (stage and _is_no_stage(definition)):
                return definition
            scope = scope.parent
        return None

    def scope_at(self, offset: int) -> NameScope:
        """Find the innermost scope at an offset."""
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
        """Iterate over the scope and all scopes inside it, outermost first."""
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
