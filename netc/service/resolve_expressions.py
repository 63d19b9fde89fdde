"""Compile-time expressions and the arguments of stages: which definition each of their names refers to.

In: nodes of a tree with the scope around them. Out: `found`, an `Occurrence` for each name, by its place.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.compiler.ops import Operator
from netc.dsl import ast
from netc.dsl.source import Span

from .names import Definition, NameScope, Occurrence
from .tree import children


class ExpressionNames:
    """Finds the names in expressions. `top` is the scope of the file, `dimensions` are those of the models, by name."""

    def __init__(self, file: ast.File) -> None:
        self.file = file
        self.top = NameScope(file.span, None)
        self.found: dict[tuple[int, int], Occurrence] = {}
        self.dimensions: dict[str, Definition] = {}
        """Of several of one name, the first one."""

    def _bind(self, scope: NameScope, name: ast.Name, kind: str, node: ast.Node, owner: str = "") -> None:
        made = Definition(name.span, name.name, kind, node, owner)
        if name.name != "_":
            if scope.hoisted and name.name in scope.names:
                made = scope.names[name.name]  # an error, which is reported elsewhere
            scope.names[name.name] = made
        self._note(name.span, name.name, made)

    def _note(self, span: Span, name: str, definition: Definition | None, role: str = "name") -> None:
        if name != "in" and span.end > span.start and span.file is self.file.span.file:
            self.found.setdefault((span.start, span.end), Occurrence(span, name, definition, role))

    def _tensor(self, node: ast.Tensor, scope: NameScope, stage: bool = False) -> None:
        raise NotImplementedError  # StatementNames has it

    def _use_of(self, span: Span, name: str, scope: NameScope, stage: bool = False, role: str = "name") -> Definition | None:
        found = scope.find(name, stage) or (None if stage else self.dimensions.get(name))
        self._note(span, name, found, role)
        return found

    def _apply(self, node: ast.Apply, scope: NameScope, stage: bool = False) -> None:
        stage = stage or bool(node.positional or node.keywords or node.activation)
        found = self._use_of(node.name_span, node.name, scope, stage)
        self._arguments(node, scope, found)

    def _arguments(self, node: ast.Apply, scope: NameScope, found: Definition | None) -> None:
        operator = None if found is not None else Operator.registry.get(node.name)
        kinds = [] if operator is None else [arg.kind for arg in operator.slots]
        for at, value in enumerate(node.positional):
            words = kinds[at].words if at < len(kinds) and not node.called else ()
            self._argument(value, scope, words, last=not node.called and at == len(node.positional) - 1)
        self._keywords(node.keywords, scope, found, operator)
        if node.activation is not None:
            self._argument(node.activation, scope, (), last=True)
        self._label(node.label, scope)

    def _argument(self, value: ast.Expr, scope: NameScope, words: tuple[str, ...], last: bool = False) -> None:
        if isinstance(value, ast.Name):
            if value.name not in words:
                self._use_of(value.span, value.name, scope)
        elif isinstance(value, ast.StageExpr) and last:
            self._apply(value.stage, scope, stage=True)
        else:
            self._expr(value, scope)

    def _keywords(
        self, keywords: Iterable[ast.Keyword], scope: NameScope, found: Definition | None, operator: type[Operator] | None = None
    ) -> None:
        parameters = getattr(found.node, "parameters", ()) if found is not None else ()
        declared = {p.name.name: p for p in parameters if isinstance(p, (ast.ParameterDecl, ast.TensorParameter))}
        for keyword in keywords:
            parameter = declared.get(keyword.name)
            definition = None
            if parameter is not None and found is not None:
                kind = "parameter" if isinstance(parameter, ast.ParameterDecl) else "tensor"
                definition = Definition(parameter.name.span, keyword.name, kind, parameter, found.name)
            self._note(keyword.name_span, keyword.name, definition, "argument")
            arg = operator.signature.get(keyword.name) if operator is not None else None
            self._argument(keyword.value, scope, arg.kind.words if arg is not None else ())

    def _label(self, label: ast.Label | None, scope: NameScope) -> None:
        for part in label.parts if label is not None else ():
            if isinstance(part, ast.Expr):
                self._expr(part, scope)

    def _binders(self, binders: ast.NamePattern, scope: NameScope, node: ast.Node) -> None:
        for name in binders.names:
            self._bind(scope, name, "variable", node)

    def _expr(self, node: ast.Expr, scope: NameScope) -> None:
        while isinstance(node, ast.Binary):  # as deep as a sum is long
            self._expr(node.right, scope)
            node = node.left
        match node:
            case ast.Name(name=name, span=span):
                self._use_of(span, name, scope)
            case ast.Call(function=function, arguments=arguments, keywords=keywords):
                found = self._use_of(function.span, function.name, scope, stage=True, role="function")
                for argument in arguments:
                    self._expr(argument, scope)
                self._keywords(keywords, scope, found)
            case ast.StageExpr(stage=stage):
                self._apply(stage, scope, stage=True)
            case ast.OfPipeline(group=group):
                self._tensor(group, scope)
            case ast.Comprehension(item=item, clauses=clauses):
                self._comprehension(node, item, clauses, scope)
            case _:  # of expressions alone
                for part in children(node):
                    if isinstance(part, ast.Expr):
                        self._expr(part, scope)

    def _comprehension(
        self, node: ast.Comprehension, item: ast.Expr, clauses: Iterable[ast.ForClause | ast.Expr], scope: NameScope
    ) -> None:
        inner = NameScope(node.span, scope)
        for clause in clauses:
            if isinstance(clause, ast.ForClause):
                self._expr(clause.over, inner)
                self._binders(clause.binders, inner, clause)
            else:
                self._expr(clause, inner)
        inner.hoisted = True
        self._expr(item, inner)
