"""Names of a text: definitions, occurrences, and the scopes in which they are visible. `resolve.py` finds them."""

from __future__ import annotations

from netc.compiler.ops import Operator
from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

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


class NameScope:
    """The names that are visible in a part of the text: `span`. Those bound by statements are visible after them only."""

    def __init__(self, span: Span, parent: NameScope | None) -> None:
        self.span, self.parent = span, parent
        self.names: dict[str, Definition] = {}
        self.hoisted = parent is None
        self.inner: list[NameScope] = []
        if parent is not None:
            parent.inner.append(self)

    def find(self, name: str, stage: bool = False) -> Definition | None:
        """The definition of a name; for a `stage`, what is no tensor."""
        scope: NameScope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None and not (stage and _is_no_stage(found)):
                return found
            scope = scope.parent
        return None

    def at(self, offset: int) -> NameScope:
        """The innermost scope that has an offset."""
        scope = self
        while True:
            inside = [one for one in scope.inner if one.span.start <= offset <= one.span.end]
            if not inside:
                return scope
            scope = max(reversed(inside), key=lambda one: (one.span.start, -one.span.end))

    def visible(self, offset: int) -> dict[str, Definition]:
        """What can be named at an offset in this scope, the innermost ones first."""
        found: dict[str, Definition] = {}
        scope: NameScope | None = self
        while scope is not None:
            for name, definition in scope.names.items():
                if scope.hoisted or definition.span.end < offset or definition.span.file is not scope.span.file:
                    found.setdefault(name, definition)
            scope = scope.parent
        return found


def _is_no_stage(found: Definition) -> bool:
    """Whether a definition is passed over where a stage is needed: a tensor, or, under the name of an operator, a literal."""
    if found.kind in ("tensor", "dimension"):
        return True
    value = getattr(found.node, "default", None) or getattr(found.node, "value", None)
    return found.name in Operator.registry and isinstance(value, _LITERALS)


class Names(Record):
    """The names of one text: `top` is the scope of the file, `occurrences` are all names, in the order of the text."""

    top: NameScope
    occurrences: tuple[Occurrence, ...]
