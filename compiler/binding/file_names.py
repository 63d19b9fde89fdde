r"""The names of a file.

`bind_file` takes a tree, and the definitions that its `use`s import, and returns `FileNames`: the names of each item, the scope of the
file, and all occurrences in order. Where the evaluator looked a name up, it found the same definition; a test compares them. Only values
decide some names, such as the arguments of a stage that is itself an argument: these have no definition here.

    >>> from netc.dsl.parser import parse_source
    >>> from netc.dsl.source import SourceFile
    >>> names = bind_file(parse_source(SourceFile("<text>", "x = input 3\nx -> relu"))[0], lambda use: {})
    >>> [(one.name, one.definition.span if one.definition else None) for one in names.occurrences]
    [('x', <text>:1:1), ('x', <text>:1:1), ('relu', None)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cached_property

from netc.dsl import ast

from ..types.tensor_types import BATCH
from .declarations import declared_names, kind_of
from .dimension_names import dimension_names, inputs_of
from .item_binder import ItemBinder, ItemNames, find_definition
from .name_scopes import Definition, NameScope, Occurrence
from .section_names import section_name

Imports = Callable[[ast.Use], Mapping[str, Definition]]
"""A function that returns the definitions that a `use` makes visible, by name."""
Known = MutableMapping[int, ItemNames]
"""The names of blocks and functions of earlier versions of a file, by the identity of their nodes."""


_DEFINITIONS = (ast.Fn, ast.Block, ast.ModelDecl, ast.Let, ast.Broken)
"""The items whose names are visible everywhere in the file."""


class FileNames:
    """The names of one file. `top` is its scope."""

    def __init__(self, file: ast.File) -> None:
        self.file = file
        self.top = NameScope(file.span, None)
        self.statement_scope = NameScope(file.span, self.top, tuple([item for item in file.items if isinstance(item, ast.Statement)]))
        """The scope of the file's own statements, which are a model if it has no other."""
        self.items: list[ItemNames] = []
        """In the order of the text. `use` items are left out."""
        self.imported: list[Occurrence] = []
        """The names after `use "path":`."""

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """All names, definitions included, in the order of the text."""
        occurrences = [*self.imported, *(occurrence for item in self.items for occurrence in item.occurrences)]
        return tuple(sorted(occurrences, key=lambda occurrence: (occurrence.span.start, occurrence.span.end)))

    @cached_property
    def by_node(self) -> dict[int, ItemNames]:
        """The names of each item, by the identity of its node."""
        return {id(item.item): item for item in self.items}

    def reachable_nodes(self, item: ItemNames) -> frozenset[int]:
        """The identities of the nodes of an item, and of all definitions of the file that its names lead to."""
        seen: set[int] = set()
        stack = [item]
        while stack:
            item_names = stack.pop()
            # Definitions may refer to each other in a circle.
            if id(item_names.item) not in seen:
                seen.add(id(item_names.item))
                named = (self.top.names.get(name) for name, _ in item_names.reads)
                stack += [
                    self.by_node[id(definition.node)]
                    for definition in named
                    if definition is not None and id(definition.node) in self.by_node
                ]
        return frozenset(seen)


def bind_file(file: ast.File, imports: Imports, known: Known | None = None) -> FileNames:
    """Bind the names of a file. `known` has the names of blocks of earlier versions, and gets the blocks of this version."""
    return _FileBinder(file, imports, {} if known is None else known).bind_items()


class _FileBinder:
    def __init__(self, file: ast.File, imports: Imports, known: Known) -> None:
        self.file, self.imports, self.known = file, imports, known
        self.lists: dict[int, ItemNames] = {}
        """The names of the first part of each `let (a, b) = ...`, by the identity of its list, which all parts share."""
        self.names = FileNames(file)
        self.top = self.names.top
        self.statement_scope = self.names.statement_scope
        self.dimensions: dict[str, Definition] = {}
        """The dimensions of all models. If several have the same name, the first counts."""
        self.own_dimensions: dict[int, dict[str, Definition]] = {}
        """The dimensions of each model, by the identity of its node."""
        self.models: dict[str, NameScope] = {}
        """The scope of the body of each model, for its train sections."""
        self.sections: dict[str, NameScope] = {}
        """The scope of the body of each train section, for the sections that are derived from it."""

    def bind_items(self) -> FileNames:
        for item in self.file.items:
            self._declare_item(item)
        self._declare_dimensions()
        bound: dict[int, ItemNames] = {}
        # The evaluator sees definitions wherever they are in the file, so all of them are declared before any name is
        # looked up.
        others = [item for item in self.file.items if not isinstance(item, (ast.Use, ast.TrainDecl))]
        for item in (*others, *self._sections_after_bases()):  # a section uses the names of its model, which may be below it
            bound[id(item)] = self._bind_item(item)
        self.names.items = [bound[id(item)] for item in self.file.items if id(item) in bound]
        return self.names

    def _sections_after_bases(self) -> Iterator[ast.TrainDecl]:
        """The train sections, each after the one it is derived from, which may be below it in the text."""
        sections = [item for item in self.file.items if isinstance(item, ast.TrainDecl)]
        by_name = {section_name(section): section for section in reversed(sections)}
        seen: set[int] = set()
        for section in sections:
            chain: list[ast.TrainDecl] = []
            following: ast.TrainDecl | None = section
            while following is not None and id(following) not in seen:
                seen.add(id(following))
                chain.append(following)
                following = by_name.get(following.base.name) if following.base is not None else None
            yield from reversed(chain)

    def _declare_item(self, item: ast.Item) -> None:
        if isinstance(item, ast.Use):
            self._import_names(item)
        elif isinstance(item, _DEFINITIONS):
            for name in declared_names(item):
                # `_` discards a value, and may be bound any number of times.
                if name.name != "_":
                    # The first of several definitions counts, as for the evaluator, which reports the others.
                    self.top.names.setdefault(name.name, _make_definition(name, item))

    def _import_names(self, item: ast.Use) -> None:
        imported = self.imports(item)
        requested = {name.name: name for name in item.names}
        for name, definition in imported.items():
            if name in requested or (not requested and definition.kind != "model"):
                self.top.names.setdefault(name, definition)
        self.names.imported += [
            Occurrence(requested_name.span, requested_name.name, imported.get(requested_name.name))
            for requested_name in item.names
            if requested_name.span.end > requested_name.span.start
        ]

    def _declare_dimensions(self) -> None:
        models = [item for item in self.file.items if isinstance(item, ast.ModelDecl)]
        if not models:
            self._add_dimensions(self.file, self.statement_scope.statements, [])
        for model in models:
            self._add_dimensions(model, model.body.statements, [p.name.name for p in model.parameters])
        for item in self.file.items:
            if isinstance(item, ast.TrainDecl):
                self._add_dimensions(item, item.body.statements, [])

    def _add_dimensions(self, node: ast.Node, statements: tuple[ast.Statement, ...], parameters: list[str]) -> None:
        theirs = self.own_dimensions[id(node)] = {}
        for size in dimension_names(inputs_of(statements), statements, lambda name: name in parameters or name in self.top.names):
            # The batch is a dimension of every model, and declared by none.
            if size.name != BATCH:
                theirs.setdefault(size.name, Definition(size.span, size.name, "dimension", size))
        self.dimensions = theirs | self.dimensions

    def _bind_item(self, item: ast.Item) -> ItemNames:
        known = self.known.get(id(item))
        if known is not None and known.scope is not None and all(self._is_same_definition(*read) for read in known.reads.items()):
            # The names of an unchanged block are used again: only the scope of the file around it is a new object.
            known.scope.parent = self.top
            self.top.inner.append(known.scope)
            return known
        names = ItemNames(item)
        own_dimensions = self.own_dimensions[id(item)] if isinstance(item, ast.ModelDecl) else {}
        binder = ItemBinder(names, self.top, self.dimensions | own_dimensions if own_dimensions else self.dimensions)
        for name in declared_names(item) if isinstance(item, _DEFINITIONS) else ():
            binder.record_occurrence(name.span, name.name, binder.look_up(name.name, self.top) or _make_definition(name, item))
        self._walk_item(item, names, binder)
        if isinstance(item, (ast.Fn, ast.Block)):
            self.known[id(item)] = names
        return names

    def _is_same_definition(self, read: tuple[str, bool], before: Definition | None) -> bool:
        now = find_definition(*read, self.top, self.dimensions)
        return before is now or (before is not None and now is not None and before.node is now.node and before.span is now.span)

    def _walk_item(self, item: ast.Item, names: ItemNames, binder: ItemBinder) -> None:
        match item:
            case ast.Let(value=ast.UnpackedItem(value=unpacked)):
                # `let (a, b) = list` is two items with one list. It is walked once, so that a list of n names does
                # not cost n * n.
                first = self.lists.setdefault(id(unpacked), names)
                if first is names:
                    binder.visit_node(item.value, self.statement_scope)
                names.reads, names.used = first.reads, first.used
            case ast.Let():
                binder.visit_node(item.value, self.statement_scope)
            case ast.Broken():
                names.is_broken = True
            case ast.Statement():
                names.scope = names.body = self.statement_scope
                binder.visit_node(item, self.statement_scope)
            case ast.Fn():
                names.scope = self._open_parameters(item, binder, item.name.name)
                binder.visit_node(item.body, names.scope)
            case ast.Block():
                names.scope = self._open_parameters(item, binder, item.name.name)
                names.body = binder.open_body(item.body, names.scope)
            case ast.ModelDecl():
                names.scope = self._open_parameters(item, binder, item.name.name)
                if item.base is not None:
                    binder.visit_stage(item.base, names.scope)
                names.body = self.models[item.name.name] = binder.open_body(item.body, names.scope)
            case ast.TrainDecl():
                self._walk_section(item, names, binder)

    def _open_parameters(self, item: ast.Fn | ast.Block | ast.ModelDecl | ast.TrainDecl, binder: ItemBinder, owner: str) -> NameScope:
        scope = NameScope(item.span, self.top)
        binder.bind_parameters(item.parameters, scope, owner)
        return scope

    def _walk_section(self, item: ast.TrainDecl, names: ItemNames, binder: ItemBinder) -> None:
        """A section sees the names of its model, or of the section that it is derived from."""
        if item.name is not None and item.model is None and item.base is None:
            called_after = self.top.names.get(item.name.name)
            if called_after is not None and isinstance(called_after.node, ast.ModelDecl):
                binder.record_occurrence(item.name.span, item.name.name, called_after)
        scope = names.scope = NameScope(item.span, self.top)
        base = self.sections.get(item.base.name) if item.base is not None else None
        scope.parent = base or self._model_of(item)
        binder.bind_parameters(item.parameters, scope, section_name(item))
        for stage in (item.model, item.base):
            if stage is not None:
                binder.visit_stage(stage, scope)
        names.body = binder.open_body(item.body, scope)
        self.sections.setdefault(section_name(item), names.body)

    def _model_of(self, item: ast.TrainDecl) -> NameScope:
        first = next(iter(self.models.values()), self.statement_scope)
        definition = self.top.names.get(section_name(item) if item.model is None else item.model.name)
        # The names are of the model that a derived one is derived from in the end.
        seen: set[int] = set()
        while definition is not None and isinstance(definition.node, ast.ModelDecl) and id(definition.node) not in seen:
            model = definition.node
            seen.add(id(model))
            if model.base is None:
                return self.models[model.name.name] if model.span.file is self.file.span.file else self._open_imported(definition)
            definition = self.top.names.get(model.base.name) if model.span.file is self.file.span.file else definition.base
        return first

    def _open_imported(self, definition: Definition) -> NameScope:
        """A scope with the names of a model of another file. The names of its own file are not in it."""
        model = definition.node
        assert isinstance(model, ast.ModelDecl)
        scope = NameScope(model.span, None)
        for node in (*model.parameters, *model.body.statements):
            for name in declared_names(node):
                scope.names.setdefault(name.name, Definition(name.span, name.name, kind_of(node), node, model.name.name))
        scope.parent = self.top
        return scope


def _make_definition(name: ast.Name, item: ast.Item) -> Definition:
    return Definition(name.span, name.name, kind_of(item), item)
