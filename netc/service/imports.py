"""Find the definitions that a `use` imports from other files.

In: a `use` and a loader of files. Out: definitions by name.

    >>> from netc.dsl.parser import parse_source
    >>> file, _ = parse_source(SourceFile("main.net", 'use "blocks.net"'))
    >>> importer = Importer(lambda path, user: SourceFile(path, "let width = 8; block mlp(n) { in -> dense n }"), parse_source)
    >>> {name: definition.kind for name, definition in importer(file.items[0]).items()}
    {'width': 'let', 'mlp': 'block'}
"""

from __future__ import annotations

from collections.abc import Callable

from netc.compiler.binding.declarations import declared_names, kind_of
from netc.compiler.binding.name_scopes import Definition
from netc.compiler.elaborate import CannotLoad, Loader
from netc.compiler.elaborate.resource_limits import MAX_DEPTH
from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import replace
from netc.dsl.source import SourceFile

Parse = Callable[[SourceFile], tuple[ast.File, list[Diagnostic]]]


class Importer:
    """Lists the definitions that files export: their blocks, models, functions and `let`s, and the names that they import themselves. Each
    file is read once. As in the compiler, files may use others `MAX_DEPTH` levels deep; deeper files are not read."""

    def __init__(self, loader: Loader, parse: Parse) -> None:
        self._loader, self._parse = loader, parse
        self._known: dict[int, dict[str, Definition]] = {}
        self._depth = 0

    def __call__(self, use: ast.Use) -> dict[str, Definition]:
        if self._depth >= MAX_DEPTH:
            return {}
        self._depth += 1
        try:
            return self._list_exports(self._loader(use.path.value, use.span.file))
        except CannotLoad:
            return {}
        finally:
            self._depth -= 1

    def _list_exports(self, source: SourceFile) -> dict[str, Definition]:
        if id(source) not in self._known:
            # Entered before the items are read, so that files which use each other end here.
            exports = self._known[id(source)] = {}
            for item in self._parse(source)[0].items:
                self._add_export(item, exports)
            for name in [name for name, definition in exports.items() if definition.kind == "model"]:
                exports[name] = _link_base(exports[name], exports)
        return self._known[id(source)]

    def _add_export(self, item: ast.Item, exports: dict[str, Definition]) -> None:
        match item:
            case ast.Block() | ast.ModelDecl() | ast.Fn() | ast.Let():
                for name in declared_names(item):
                    exports[name.name] = Definition(name.span, name.name, kind_of(item), item)
            case ast.Use(names=names):
                theirs = self(item)
                # a `use` without names imports everything but models, as in the compiler
                selected = {name.name for name in names} or {name for name, definition in theirs.items() if definition.kind != "model"}
                exports |= {name: definition for name, definition in theirs.items() if name in selected}


def _link_base(model: Definition, exports: dict[str, Definition], depth: int = 0) -> Definition:
    """A model with the definition of the model that it is derived from. Models that are derived from each other end at `MAX_DEPTH`."""
    base = getattr(model.node, "base", None)
    target = exports.get(base.name) if base is not None and model.base is None and depth < MAX_DEPTH else None
    return model if target is None else replace(model, base=_link_base(target, exports, depth + 1))


def find_use(file: ast.File, used_file: SourceFile, loader: Loader, parse: Parse) -> ast.Use | None:
    """Find the `use` of a tree that leads to another file, directly or through others."""
    for item in file.items:
        if isinstance(item, ast.Use) and used_file in parse_used_files(replace(file, items=(item,)), loader, parse):
            return item
    return None


def parse_used_files(file: ast.File, loader: Loader, parse: Parse) -> dict[SourceFile, ast.File]:
    """Parse the files that a tree uses, directly or through others."""
    trees: dict[SourceFile, ast.File] = {}
    stack = [item for item in file.items if isinstance(item, ast.Use)]
    while stack:
        use = stack.pop()
        try:
            source = loader(use.path.value, use.span.file)
        except CannotLoad:
            continue
        if source not in trees:
            trees[source] = parse(source)[0]
            stack += [item for item in trees[source].items if isinstance(item, ast.Use)]
    return trees
