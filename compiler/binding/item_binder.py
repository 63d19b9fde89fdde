"""The names in one item of a file: a block, `fn`, model, train section, or statement.

An `ItemBinder` walks the item with the scope of the file and the dimensions of its models, and fills `ItemNames`. A name that a statement
binds is visible below it only. Text that is never evaluated counts as well, such as a branch that is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span
from netc.dsl.tree_walk import node_fields

from ..ops.operator import Operator
from .declarations import DECLARATIONS, declared_names, kind_of
from .name_scopes import Definition, NameScope, Occurrence

_COLUMN_WORDS = frozenset(("data", "validate", "fill", "category"))
"""The settings of a train section that name columns of data."""


class ItemNames:
    """The names of one item."""

    def __init__(self, item: ast.Item) -> None:
        self.item = item
        self.scope: NameScope | None = None
        """The scope of its parameters, or of the file's own statements, in which it binds names."""
        self.body: NameScope | None = None
        """The scope of its statements."""
        self.notes: list[tuple[Span, str, Definition | None, str]] = []
        """The notes from which `occurrences` is made on demand: the evaluator does not need occurrences."""
        self.used: set[int] = set()
        """The identities of the definitions that something refers to."""
        self.reads: dict[tuple[str, bool], Definition | None] = {}
        """The lookups in the scope of the file, by name and whether a stage was needed, with their results. The item depends on nothing
        else outside of it."""
        self.is_broken = False
        """Whether a part of the item did not parse, so that its references are unknown."""

    @cached_property
    def occurrences(self) -> list[Occurrence]:
        """The occurrences in the item's own file, one for each place."""
        by_span: dict[tuple[int, int], Occurrence] = {}
        for span, name, definition, role in self.notes:
            if span.end > span.start and span.file is self.item.span.file:
                by_span.setdefault((span.start, span.end), Occurrence(span, name, definition, role))
        return list(by_span.values())


class ItemBinder:
    """Walks one item with the scopes that are open."""

    def __init__(self, names: ItemNames, top: NameScope, dimensions: Mapping[str, Definition]) -> None:
        self.names, self.top, self.dimensions = names, top, dimensions
        self._unpacked: set[int] = set()

    def visit_node(self, node: ast.Node, scope: NameScope) -> None:
        """Find the names in a node. The names that the node declares are bound in the scope."""
        rule = _RULES.get(type(node))
        if rule is None:
            self._visit_fields(node, scope)
        else:
            rule(self, node, scope)

    def visit_nodes(self, nodes: Iterable[object], scope: NameScope) -> None:
        """Visit the nodes among some values and in their tuples, in order."""
        for node in nodes:
            if isinstance(node, tuple):
                self.visit_nodes(node, scope)
            elif isinstance(node, ast.Node):
                self.visit_node(node, scope)

    def _visit_fields(self, node: ast.Node, scope: NameScope) -> None:
        # The fields that do not see the node's own names come first: `repeat i in i` iterates over an outer `i`.
        outer, inner = _field_readers(type(node))
        self.visit_nodes(outer(node), scope)
        if inner is None:
            self._bind_declarations(node, scope)
        else:
            scope = NameScope(node.span, scope)
            self._bind_declarations(node, scope)
            self.visit_nodes(inner(node), scope)

    def _bind_declarations(self, node: ast.Node, scope: NameScope) -> None:
        for name in declared_names(node):
            self.bind_name(scope, name, kind_of(node), node)

    def bind_name(self, scope: NameScope, name: ast.Name, kind: str, node: ast.Node, owner: str = "") -> None:
        """Bind a name in a scope. In the scope of a file or comprehension, the first of several definitions counts. The evaluator reports
        the others."""
        definition = Definition(name.span, name.name, kind, node, owner)
        if name.name != "_":
            # In hoisted scopes all uses see all definitions, so a second one cannot replace the first.
            if scope.hoisted and name.name in scope.names:
                definition = scope.names[name.name]
            scope.names[name.name] = definition
        self.record_occurrence(name.span, name.name, definition)

    def record_occurrence(self, span: Span, name: str, definition: Definition | None, role: str = "name") -> None:
        """Record an occurrence, unless it is `in`, which is a word of the language."""
        if name != "in":
            self.names.notes.append((span, name, definition, role))

    def look_up(self, name: str, scope: NameScope, stage: bool = False) -> Definition | None:
        """Return the definition of a name, and record a lookup in the scope of the file."""
        definition = find_definition(name, stage, scope, self.dimensions)
        # Also a name that was not found is recorded: a definition that is added later changes what the item means.
        if definition is None or self.top.names.get(name) is definition or definition.kind == "dimension":
            self.names.reads[name, stage] = definition
        return definition

    def record_use(self, span: Span, name: str, scope: NameScope, stage: bool = False, role: str = "name") -> Definition | None:
        """Record a use of a name, and return its definition."""
        definition = self.look_up(name, scope, stage)
        self.record_occurrence(span, name, definition, role)
        if definition is not None:
            self.names.used.add(id(definition))
        return definition

    # --- expressions -------------------------------------------------------------------------------------------------------

    def _visit_name(self, node: ast.Name, scope: NameScope) -> None:
        self.record_use(node.span, node.name, scope)

    def _visit_chain(self, node: ast.Binary | ast.TensorBinary, scope: NameScope) -> None:
        """`a + b + c ...`: a loop rather than recursion, so that the length of a chain is not limited."""
        left: ast.Node = node
        while isinstance(left, type(node)):
            self.visit_node(left.right, scope)
            left = left.left
        self.visit_node(left, scope)

    def _visit_call(self, node: ast.Call, scope: NameScope) -> None:
        definition = self.record_use(node.function.span, node.function.name, scope, stage=True, role="function")
        self.visit_nodes(node.arguments, scope)
        self._visit_keywords(node.keywords, scope, definition)

    def _visit_stage_value(self, node: ast.StageExpr, scope: NameScope) -> None:
        self.visit_stage(node.stage, scope)

    def _visit_comprehension(self, node: ast.Comprehension, scope: NameScope) -> None:
        inner = NameScope(node.span, scope)
        self.visit_nodes(node.clauses, inner)
        inner.hoisted = True  # its item is written before its clauses
        self.visit_node(node.item, inner)

    def _visit_unpacked_item(self, node: ast.UnpackedItem, scope: NameScope) -> None:
        if id(node.value) not in self._unpacked:  # the list of `let (a, b) = ...`, which the parts of all its names have
            self._unpacked.add(id(node.value))
            self.visit_node(node.value, scope)

    # --- stages and their arguments ----------------------------------------------------------------------------------------

    def _visit_apply(self, node: ast.Apply, scope: NameScope, stage: bool = False) -> None:
        has_arguments = bool(node.positional or node.keywords or node.activation)
        definition = self.record_use(node.name_span, node.name, scope, stage or has_arguments)
        if has_arguments:
            self._visit_arguments(node, scope, definition)
        if node.label is not None:
            self.visit_node(node.label, scope)

    def _visit_arguments(self, node: ast.Apply, scope: NameScope, definition: Definition | None) -> None:
        operator = _operator_of(node, definition)
        slots = operator.slots if operator is not None and not node.called else ()
        for index, value in enumerate(node.positional):
            if operator is not None and not node.called and index == len(slots):  # the activation after the arguments
                self._visit_activation(value, scope)
            else:
                self._visit_argument(value, scope, slots[index].kind.words if index < len(slots) else ())
        self._visit_keywords(node.keywords, scope, definition, operator)
        # An activation is a stage, so a tensor of its name does not hide it.
        if node.activation is not None:
            self._visit_activation(node.activation, scope)

    def _visit_activation(self, value: ast.Expr, scope: NameScope) -> None:
        """Find the names in the activation after the arguments of a stage. `relu` is the operator there, even if
        a tensor has this name."""
        if isinstance(value, ast.Name):
            self.record_use(value.span, value.name, scope, stage=True)
        else:
            self.visit_node(value, scope)

    def _visit_argument(self, value: ast.Expr, scope: NameScope, words: tuple[str, ...]) -> None:
        """Find the names in an argument. It may also be one of the operator's own `words`, as in `padding=same`."""
        if not (isinstance(value, ast.Name) and value.name in words):
            self.visit_node(value, scope)

    def _visit_keywords(
        self, keywords: Iterable[ast.Keyword], scope: NameScope, target: Definition | None, operator: type[Operator] | None = None
    ) -> None:
        parameters = getattr(target.node, "parameters", ()) if target is not None and keywords else ()
        declared = {p.name.name: p for p in parameters}
        for keyword in keywords:
            parameter = declared.get(keyword.name)
            definition = None
            if parameter is not None and target is not None:
                definition = Definition(parameter.name.span, keyword.name, kind_of(parameter), parameter, target.name)
            self.record_occurrence(keyword.name_span, keyword.name, definition, "argument")
            arg = operator.signature.get(keyword.name) if operator is not None else None
            self._visit_argument(keyword.value, scope, arg.kind.words if arg is not None else ())

    def _visit_keyword(self, node: ast.Keyword, scope: NameScope) -> None:
        self._visit_keywords((node,), scope, None)

    # --- tensors -----------------------------------------------------------------------------------------------------------

    def visit_stage(self, node: ast.Tensor, scope: NameScope) -> None:
        """Find the names in a tensor expression after an arrow."""
        match node:
            case ast.Apply():
                self._visit_apply(node, scope, stage=True)
            case ast.Group(members=(ast.Pipeline(head=head, stages=stages),), keywords=keywords, label=label) if stages:
                for stage in (head, *stages):
                    self.visit_stage(stage, scope)
                self.visit_nodes((keywords, label), scope)
            case _:
                self.visit_node(node, scope)

    def _visit_pipeline(self, node: ast.Pipeline, scope: NameScope) -> None:
        self.visit_node(node.head, scope)
        for stage in node.stages:
            self.visit_stage(stage, scope)

    def _visit_scan(self, node: ast.Scan, scope: NameScope) -> None:
        self.visit_nodes((state.start for state in node.states), scope)
        self.visit_nodes(node.keywords, scope)
        inner = NameScope(node.span, scope)
        for state in node.states:
            self._bind_declarations(state, inner)
        body = self.open_body(node.body, inner)
        for state in node.states:  # which the next step uses
            self.names.used.add(id(body.find_name(state.name.name)))

    def _visit_input(self, node: ast.InputDecl, scope: NameScope) -> None:
        self._visit_fields(node, NameScope(node.each.span, scope) if node.each is not None else scope)

    # --- statements --------------------------------------------------------------------------------------------------------

    def open_body(self, node: ast.Body, outer: NameScope) -> NameScope:
        """Find the names in a body, and return its scope as it is after the last statement."""
        scope = NameScope(node.span, outer, node.statements)
        self.visit_nodes(node.statements, scope)
        return scope

    def _visit_shared(self, node: ast.Shared, scope: NameScope) -> None:
        self.visit_stage(node.stage, scope)
        self._bind_declarations(node, scope)

    def _visit_default(self, node: ast.Default, scope: NameScope) -> None:
        self.record_use(node.operator.span, node.operator.name, scope, stage=True)
        self._visit_keywords(node.keywords, scope, None)

    def _visit_setting(self, node: ast.Setting, scope: NameScope) -> None:
        for stage in node.stages:
            if not isinstance(stage, ast.Apply):
                self.visit_node(stage, scope)
                continue
            if stage.name_span == node.word.span:  # a word of the language, even if a tensor has the same name
                self.record_occurrence(stage.name_span, stage.name, None)
            else:
                self.record_use(stage.name_span, stage.name, scope)
            if node.word.name in _COLUMN_WORDS:
                self._visit_columns(stage, scope)
            else:
                self._visit_arguments(stage, scope, None)

    def _visit_columns(self, node: ast.Apply, scope: NameScope) -> None:
        """Find the names in a line about data: `data csv "t.csv" features=[a, b]` names an input before `=`, and columns after it."""
        for value in node.positional:
            self._visit_column(value, scope)
        for keyword in node.keywords:
            definition = scope.find_name(keyword.name)
            # any other name before `=` is an option, even if a tensor has it
            is_input = definition is not None and _declares_input(definition.node)
            self.record_occurrence(keyword.name_span, keyword.name, definition if is_input else None, "argument")
            if keyword.name == "stratify":  # an input, or its column
                self.visit_node(keyword.value, scope)
            else:
                self._visit_column(keyword.value, scope)

    def _visit_column(self, value: ast.Expr, scope: NameScope) -> None:
        """Find the names in a column or a list of them. A column may have the name of a tensor, which is another thing."""
        if isinstance(value, ast.ListExpr):
            for item in value.items:
                self._visit_column(item, scope)
            return
        definition = scope.find_name(value.name) if isinstance(value, ast.Name) else None
        if isinstance(value, ast.Name) and definition is not None and definition.kind == "tensor":
            self.record_occurrence(value.span, value.name, None)
        else:
            self.visit_node(value, scope)

    def _visit_broken(self, node: ast.Broken, scope: NameScope) -> None:
        self.names.is_broken = True
        self._bind_declarations(node, scope)

    # --- parameters --------------------------------------------------------------------------------------------------------

    def bind_parameters(self, parameters: Iterable[ast.ParameterDecl | ast.TensorParameter], scope: NameScope, owner: str) -> None:
        """Bind the parameters of a definition called `owner`: first the compile-time ones, whose values the patterns may use."""
        tensors = [p for p in parameters if isinstance(p, ast.TensorParameter)]
        for parameter in parameters:
            if isinstance(parameter, ast.ParameterDecl):
                if parameter.default is not None:
                    self.visit_node(parameter.default, scope)
                self.bind_name(scope, parameter.name, "parameter", parameter, owner)
        for tensor in tensors:
            self.bind_name(scope, tensor.name, "tensor", tensor, owner)
            for size in tensor.pattern:
                self._visit_size(size, scope)

    def _visit_size(self, size: ast.Expr, scope: NameScope) -> None:
        """Find the names in a size of a pattern. A new name is bound, and an upper-case name even if it has a definition outside of the
        block."""
        if isinstance(size, ast.Name):
            if size.name in ("_", "..."):
                return
            if size.name not in scope.names and (size.name.isupper() or self.look_up(size.name, scope) is None):
                self.bind_name(scope, size, "variable", size)
                return
        self.visit_node(size, scope)


def find_definition(name: str, stage: bool, scope: NameScope, dimensions: Mapping[str, Definition]) -> Definition | None:
    """Return the definition of a name. Where a `stage` is needed, a tensor does not hide an operator. A tensor without such an operator is
    the definition, although its use there is an error."""
    definition = scope.find_name(name, stage)
    if definition is None and not (stage and name in Operator.registry):
        return scope.find_name(name) or dimensions.get(name)
    return definition


def _operator_of(node: ast.Apply, definition: Definition | None) -> type[Operator] | None:
    """Return the operator whose words the arguments may be. None if no argument is a name."""
    if definition is not None:
        return None
    values = [*node.positional, *[keyword.value for keyword in node.keywords]]
    is_named = any(isinstance(value, ast.Name) for value in values)
    return Operator.registry.get(node.name) if is_named else None


def _declares_input(node: ast.Node) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Pipeline) and isinstance(node.value.head, ast.InputDecl)


Reader = Callable[[ast.Node], tuple[object, ...]]


@cache
def _field_readers(kind: type[ast.Node]) -> tuple[Reader, Reader | None]:
    """Return two functions that read the fields of a node without the names that it binds: the fields that do not see these names, and
    the fields that do."""
    declaration = DECLARATIONS.get(kind)
    if declaration is None:
        return node_fields(kind), None
    outer = node_fields(kind, declaration.field, *declaration.seen_by)
    others = [field for field in kind.__match_args__ if field not in declaration.seen_by]
    return outer, node_fields(kind, *others) if declaration.seen_by else None


_RULES: dict[type[ast.Node], Callable[[ItemBinder, Any, NameScope], Any]] = {
    ast.Name: ItemBinder._visit_name,
    ast.Binary: ItemBinder._visit_chain,
    ast.Call: ItemBinder._visit_call,
    ast.StageExpr: ItemBinder._visit_stage_value,
    ast.Comprehension: ItemBinder._visit_comprehension,
    ast.UnpackedItem: ItemBinder._visit_unpacked_item,
    ast.Keyword: ItemBinder._visit_keyword,
    ast.Apply: ItemBinder._visit_apply,
    ast.TensorBinary: ItemBinder._visit_chain,
    ast.Pipeline: ItemBinder._visit_pipeline,
    ast.Scan: ItemBinder._visit_scan,
    ast.InputDecl: ItemBinder._visit_input,
    ast.Body: ItemBinder.open_body,
    ast.Shared: ItemBinder._visit_shared,
    ast.Default: ItemBinder._visit_default,
    ast.Setting: ItemBinder._visit_setting,
    ast.Broken: ItemBinder._visit_broken,
}
"""The nodes with a rule of their own. Any other node uses the names in its fields, and then binds the names that it declares."""
