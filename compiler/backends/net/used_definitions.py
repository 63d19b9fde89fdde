"""Finds the definitions that a model needs, in its text and in the files that it uses.

In: the `ProgramText` of a program. Out: the items of each file that the model's names lead to. Always: nothing is evaluated. If a value
decides what a name means, the name may lead to a definition that is not needed, or to none.

    >>> import netc
    >>> program = netc.compile("block a { relu }; block b { a }; block unused { exp }; input 3 -> b").program
    >>> [definition.name for definition in UsedDefinitions(program.text).iterate_definitions()]
    ['a', 'b']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from ...binding.file_names import FileNames, bind_file
from ...binding.item_binder import ItemNames
from ...binding.name_scopes import Definition
from ...ir.program_text import ProgramText


class UsedDefinitions:
    """The definitions that the model of a text needs. `files` are all files, used ones before those that use them. `needed` are the items,
    by the identity of their nodes."""

    def __init__(self, text: ProgramText) -> None:
        self.text = text
        self.files: dict[str, FileNames] = {}
        self.needed: dict[int, ItemNames] = {}
        self.main = self._bind_file(text.file)
        for item in self._list_roots():
            self._mark_needed(self.files[item.span.file.name].by_node[id(item)])

    def list_model_chain(self) -> list[ast.ModelDecl]:
        """List the model, and the models that it is derived from. Empty if the file's own statements are the model."""
        if self.text.model is None:
            return []
        # An imported model is a node of another tree than the file that was read for its names.
        chain = [self._find_model(self.text.model, self.text.model.name.name)]
        while (base := chain[-1].base) is not None:
            chain.append(self._find_model(chain[-1], base.name))
        return chain

    def _find_model(self, user: ast.ModelDecl, name: str) -> ast.ModelDecl:
        """Find a model by the name that it has in the file of another model."""
        model = self.files[user.span.file.name].top.names[name].node
        assert isinstance(model, ast.ModelDecl)
        return model

    def iterate_items(self) -> Iterator[ItemNames]:
        """Iterate over the needed items, in the order of the files and of their texts. A `let` of several names is one item."""
        for file in self.files.values():
            seen: set[int] = set()
            for item in file.items:
                if id(item.item) in self.needed and item.item.span.start not in seen:
                    seen.add(item.item.span.start)
                    yield item

    def iterate_definitions(self) -> Iterator[Definition]:
        """Iterate over the definitions of the needed items, in their order."""
        for name, file in self.files.items():
            definitions = (definition for definition in file.top.names.values() if definition.span.file.name == name)
            yield from sorted(
                (definition for definition in definitions if id(definition.node) in self.needed),
                key=lambda definition: definition.span.start,
            )

    def _list_roots(self) -> list[ast.Item]:
        """List the models of the chain, or the statements that are the model."""
        return [*self.list_model_chain()] or [
            i for i in self.text.file.items if isinstance(i, ast.Statement) and not isinstance(i, ast.Let)
        ]

    def _bind_file(self, file: ast.File) -> FileNames:
        """Bind a file after those that it uses."""
        self.files[file.span.file.name] = bind_file(file, self._find_imported)
        return self.files[file.span.file.name]

    def _find_imported(self, use: ast.Use) -> Mapping[str, Definition]:
        """Return the names that a `use` may import."""
        source: SourceFile | None = self.text.used.get((use.span.file.name, use.path.value))
        if source is None:
            return {}
        names = self.files.get(source.name) or self._bind_file(parse_source(source)[0])
        return names.top.names

    def _mark_needed(self, root: ItemNames) -> None:
        stack = [root]
        while stack:
            item = stack.pop()
            if id(item.item) in self.needed:
                continue
            self.needed[id(item.item)] = item
            definitions = [occurrence.definition for occurrence in item.occurrences if occurrence.definition is not None]
            if isinstance(item.item, ast.Let):
                # A `let` of several names is one statement, so each of its names needs all of it.
                definitions += self._iterate_let_names(item.item)
            for definition in definitions:
                item_of_definition = self.files[definition.span.file.name].by_node.get(id(definition.node))
                # A train section is not part of the model, even if it uses the same names.
                if item_of_definition is not None and not isinstance(item_of_definition.item, ast.TrainDecl):
                    stack.append(item_of_definition)

    def _iterate_let_names(self, let: ast.Let) -> Iterator[Definition]:
        """Iterate over the definitions of all names of a `let`."""
        file = self.files[let.span.file.name]
        yield from (d for d in file.top.names.values() if isinstance(d.node, ast.Let) and d.node.span.start == let.span.start)
