"""Which definition each name of a text refers to, found in its tree alone.

In: a tree, and what its `use`s import. Out: `Names`: an `Occurrence` for each name, definitions included, and the scopes. Always: text
that is never evaluated counts as well, such as a branch not taken or a library; where the compiler evaluated a name, it found the same
definition (a test compares them). What only values decide, such as the arguments of a stage that is itself an argument, has no definition
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from netc.compiler.ir.types import BATCH
from netc.dsl import ast

from .names import Definition, Names, NameScope
from .resolve_statements import StatementNames
from .tree import walk

Imports = Callable[[ast.Use], dict[str, Definition]]
"""What a `use` makes visible, by name."""


def names_of(file: ast.File, imports: Imports) -> Names:
    """The names of a text."""
    resolver = _Resolver(file, imports)
    resolver.run()
    return Names(resolver.top, tuple([resolver.found[place] for place in sorted(resolver.found)]))


class _Resolver(StatementNames):
    """Walks a tree with the scopes that are open."""

    def __init__(self, file: ast.File, imports: Imports) -> None:
        super().__init__(file)
        self.imports = imports
        self.models: dict[str, NameScope] = {}
        """The scope of each model's body, for the train sections."""
        self.own_dimensions: dict[int, dict[str, Definition]] = {}
        """Those of each model, by the identity of its node."""

    def run(self) -> None:
        for item in self.file.items:
            self._declare(item)
        for node, outside, roots in self._bodies_with_inputs():
            theirs = self.own_dimensions[id(node)] = self._dimensions_of(outside, roots)
            self.dimensions = theirs | self.dimensions
        statements = [item for item in self.file.items if isinstance(item, ast.Statement)]
        own = NameScope(self.file.span, self.top)
        self.models[""] = own
        for item in self.file.items:
            if isinstance(item, ast.Statement):
                self._statement(item, own, top=True)
            elif not isinstance(item, ast.TrainDecl):
                self._item(item)
        for item in self.file.items:
            if isinstance(item, ast.TrainDecl):
                self._train(item, bool(statements))

    def _declare(self, item: ast.Item) -> None:
        match item:
            case ast.Fn(name=name):
                self._bind(self.top, name, "function", item)
            case ast.Block(name=name):
                self._bind(self.top, name, "block", item)
            case ast.ModelDecl(name=name):
                self._bind(self.top, name, "model", item)
            case ast.Let(name=name):
                self._bind(self.top, name, "let", item)
            case ast.Broken(names=names):
                for name in names:
                    self._bind(self.top, name, "let", item)
            case ast.Use():
                self._use(item)

    def _use(self, item: ast.Use) -> None:
        theirs = self.imports(item)
        for name, definition in theirs.items():
            if not item.names:
                self.top.names.setdefault(name, definition)
        for one in item.names:
            known = theirs.get(one.name)
            self._note(one.span, one.name, known)
            if known is not None:
                self.top.names.setdefault(one.name, known)

    def _bodies_with_inputs(self) -> Iterator[tuple[ast.Node, NameScope, Iterable[ast.Node]]]:
        models = [item for item in self.file.items if isinstance(item, ast.ModelDecl)]
        for item in models:
            scope = NameScope(item.span, None)
            scope.names = {p.name.name: Definition(p.name.span, p.name.name, "parameter", p) for p in item.parameters}
            yield item, scope, (item.body,)
        if not models:
            yield self.file, NameScope(self.file.span, None), [item for item in self.file.items if isinstance(item, ast.Statement)]
        yield from ((item, NameScope(item.span, None), (item.body,)) for item in self.file.items if isinstance(item, ast.TrainDecl))

    def _dimensions_of(self, scope: NameScope, roots: Iterable[ast.Node]) -> dict[str, Definition]:
        found: dict[str, Definition] = {}
        nodes = [node for root in roots for node in walk(root)]
        lets = {node.name.name for node in nodes if isinstance(node, ast.Let)}
        for node in nodes:
            if isinstance(node, ast.InputDecl):
                for name in (one for one in walk(node.shape) if isinstance(one, ast.Name) and one.name.isupper()):
                    known = name.name in lets or name.name in scope.names or name.name in self.top.names or name.name == BATCH
                    if not known:
                        found.setdefault(name.name, Definition(name.span, name.name, "dimension", node))
        return found

    def _item(self, item: ast.Item) -> None:
        match item:
            case ast.Fn(parameters=parameters, body=body):
                scope = NameScope(item.span, self.top)
                self._parameters(parameters, scope, item.name.name)
                self._expr(body, scope)
            case ast.Block():
                scope = NameScope(item.span, self.top)
                self._parameters(item.parameters, scope, item.name.name)
                self._body(item.body, scope)
            case ast.ModelDecl():
                before, self.dimensions = self.dimensions, self.dimensions | self.own_dimensions[id(item)]
                scope = NameScope(item.span, self.top)
                self._parameters(item.parameters, scope, item.name.name)
                if item.base is not None:
                    self._apply(item.base, scope, stage=True)
                self.models[item.name.name] = self._body(item.body, scope)
                self.dimensions = before

    def _parameters(self, parameters: Iterable[ast.ParameterDecl | ast.TensorParameter], scope: NameScope, owner: str) -> None:
        for parameter in parameters:
            if isinstance(parameter, ast.ParameterDecl):
                if parameter.default is not None:
                    self._expr(parameter.default, scope)
                self._bind(scope, parameter.name, "parameter", parameter, owner)
        for parameter in parameters:
            if isinstance(parameter, ast.TensorParameter):
                self._bind(scope, parameter.name, "tensor", parameter, owner)
                for item in parameter.pattern:
                    self._pattern(item, scope)

    def _pattern(self, item: ast.Expr, scope: NameScope) -> None:
        """A size in a pattern: a new name is bound, an upper-case one whatever it means outside of the block."""
        if isinstance(item, ast.Name):
            if item.name in ("_", "..."):
                return
            if item.name not in scope.names and (item.name.isupper() or scope.find(item.name) is None):
                self._bind(scope, item, "variable", item)
                return
        self._expr(item, scope)

    def _train(self, item: ast.TrainDecl, loose: bool) -> None:
        base = item.base or item.model
        named = base.name if base is not None else item.name.name if item.name is not None else ""
        around = self.models.get(named) or (self.models[""] if loose else next(iter([*self.models.values()][1:]), self.top))
        scope = NameScope(item.span, around)
        self._parameters(item.parameters, scope, item.name.name if item.name is not None else "")
        for stage in (item.model, item.base):
            if stage is not None:
                self._apply(stage, scope, stage=True)
        if item.name is not None:
            self.models.setdefault(item.name.name, around)
        self._body(item.body, scope)
