"""What netc knows of one text: its tree, and for each of its models what the compiler found.

In: a parsed text. Out: a `Checked`, whose views are made when they are asked for, that of the model that is shown first. Always: a view
never raises, and what could not be evaluated is missing in its index, not wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePath
from typing import Protocol, TypeVar

from netc.compiler.binding.file_names import FileNames, bind_file
from netc.compiler.binding.name_scopes import Definition, Occurrence
from netc.compiler.elaborate import (
    BodyCache,
    FileDefinitions,
    TrainingElaboration,
    complete_models,
    deep_stack,
    elaborate,
    elaborate_training,
    section_name,
    sections_of,
)
from netc.compiler.elaborate.index import Index, Reference, StageResult
from netc.compiler.ir.graph import Program
from netc.compiler.ir.verify import verify_program
from netc.compiler.ops.stored_tables import TableArray
from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import sort_and_dedupe
from netc.dsl.lexer import Token
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile

from ..plugin_loading import PluginError, load_unknown
from ..reference import foreign_names
from .imports import Importer, use_of, used_trees
from .stable_trees import StableTree, StableTrees

T = TypeVar("T", Reference, StageResult)
Stamp = tuple[int, int] | str | None
"""What a text is recognised by: the text itself if it is open, else time and size of the file; None if there is none."""


class Parsed(Record):
    """A text, its tokens and comments, its tree, and its syntax errors."""

    source: SourceFile
    tokens: tuple[Token, ...]
    comments: tuple[Token, ...]
    file: ast.File
    problems: tuple[Diagnostic, ...]


class Texts(Protocol):
    """The texts that one of them may use: see `Workspace`, which this is."""

    def stamp(self, real: str) -> Stamp: ...
    def loader(self, source: SourceFile, real: str) -> Stamped: ...
    def parse_used(self, source: SourceFile) -> tuple[ast.File, list[Diagnostic]]: ...
    def past(self, real: str) -> Past: ...
    def trial(self, real: str, text: str) -> Checked | None: ...
    def may_change(self, path: str) -> bool: ...


class Stamped(Protocol):
    """What finds the files of `use`, and remembers what they were like."""

    stamps: dict[str, Stamp]

    def __call__(self, path: str, user: SourceFile) -> SourceFile: ...

    def array(self, path: str, name: str, user: SourceFile) -> TableArray: ...


class Past:
    """What checks of one text leave for the next one."""

    def __init__(self) -> None:
        self.memory = BodyCache()
        self.trees = StableTrees()


class View(Record):
    """A text as one of its models sees it. `program` is None if something is wrong."""

    model: str | None
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    index: Index


class Checked:
    """A text and all that is known of it. `stamps` has every file that this depends on, and what it was like."""

    def __init__(self, workspace: Texts, real: str, parsed: Parsed, chosen: str | None, before: Checked | None) -> None:
        self.workspace, self.path = workspace, real
        self.source, self.file, self.problems = parsed.source, parsed.file, parsed.problems
        self.tokens, self.comments = parsed.tokens, parsed.comments
        self.before = before and _without_past(before)
        """What was known of the text before its last change."""
        self._chosen = chosen
        self._views: dict[str | None, View] = {}
        self._stages: tuple[int, tuple[StageResult, ...]] = (0, ())
        self._references: tuple[int, tuple[Reference, ...]] = (0, ())
        """With the number of the views that they are of."""
        self.stamps: dict[str, Stamp] = {real: workspace.stamp(real)}

    @cached_property
    def models(self) -> tuple[str | None, ...]:
        """The models that are checked, the one that is shown first; None for what netc chooses by itself."""
        names = complete_models(self.file)
        if len(names) < 2:
            return (None,)
        stem = PurePath(self.path).stem
        first = self._chosen if self._chosen in names else stem if stem in names else names[0]
        return (first, *(name for name in names if name != first))

    @cached_property
    def tree(self) -> StableTree:
        """The tree that is elaborated."""
        return self.workspace.past(self.path).trees.tree(self.source, self.file)

    @cached_property
    def names(self) -> FileNames:
        """Which definition each name refers to."""
        loader = self.workspace.loader(self.source, self.path)
        with deep_stack():
            found = bind_file(self.file, Importer(loader, self.workspace.parse_used))
        self.stamps |= loader.stamps
        return found

    @cached_property
    def names_in_tree(self) -> FileNames:
        """The names of the tree that is elaborated. Those of definitions that have not changed are found once."""
        loader = self.workspace.loader(self.source, self.path)
        with deep_stack():
            return bind_file(self.tree.file, Importer(loader, self.workspace.parse_used), self.workspace.past(self.path).memory.names)

    @property
    def view(self) -> View:
        """The view of the model that is shown."""
        return self.view_of(self.models[0])

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have been made, that of the shown model first."""
        return tuple([self._views[model] for model in self.models if model in self._views])

    @property
    def missing(self) -> tuple[str | None, ...]:
        """The models without a view yet."""
        return tuple([model for model in self.models if model not in self._views])

    def view_of(self, model: str | None) -> View:
        """The view of one of the models."""
        if model not in self._views:
            found = self._elaborated(model)
            self._views[model] = self._elaborated(model) if _new_plugins(found.diagnostics) else found
        return self._views[model]

    def _elaborated(self, model: str | None) -> View:
        loader = self.workspace.loader(self.source, self.path)
        used = used_trees(self.file, loader, self.workspace.parse_used)
        tree, memory = self.tree, self.workspace.past(self.path).memory
        uses = [(item.path.value, *(name.name for name in item.names)) for item in self.file.items if isinstance(item, ast.Use)]
        imports = (*uses, *(id(file) for file in used.values()))
        names = self.names_in_tree
        memory.begin_elaboration(tree.closures(names, imports) | dict.fromkeys(used, imports), (*used.values(), tree.file))
        made = elaborate(
            tree.file,
            self.source,
            loader=loader,
            arrays=loader.array,
            foreign=foreign_names,
            model=model,
            index=True,
            parse=self.workspace.parse_used,
            memory=memory,
            names=names,
        )
        self.stamps |= loader.stamps
        if made.program is not None and os.environ.get("NETC_DEBUG"):
            verify_program(made.program)
        assert made.index is not None
        return View(model, made.program, tuple([tree.diagnostic(one) for one in made.diagnostics]), made.index)

    def use_of(self, source: SourceFile) -> ast.Use | None:
        """The `use` by which another file is read, directly or by way of others."""
        return use_of(self.file, source, self.workspace.loader(self.source, self.path), self.workspace.parse_used)

    def elaborated_sections(self) -> Iterator[TrainingElaboration]:
        """The train sections, without what PyTorch alone knows of them."""
        for section in sections_of(self.file):
            loader = self.workspace.loader(self.source, self.path)
            definitions = FileDefinitions(self.file, self.source, self.names)
            yield elaborate_training(
                self.file, self.source, section=section_name(section), loader=loader, foreign=foreign_names, definitions=definitions
            )

    def section_problems(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the train sections. PyTorch, which knows the optimizers, is imported if there is one without other errors."""
        found: list[Diagnostic] = []
        for made in self.elaborated_sections():
            found += made.diagnostics
            if made.training is not None:
                from ..training.training_session import check_section

                found += check_section(made.training)
        return tuple(found)

    def diagnostics(self, more: tuple[Diagnostic, ...] = ()) -> list[Diagnostic]:
        """Those of the text and of all views that have been made, in order, each once; and `more`."""
        found = [d for view in (*([] if self.views else [self.view]), *self.views) for d in view.diagnostics] + [*more]
        if any(d.severity == "error" for d in self.problems):  # what could not be read may be what uses it
            found = [d for d in found if not d.code.startswith("unused-")]
        return sort_and_dedupe([*self.problems, *found])

    @property
    def stages(self) -> tuple[StageResult, ...]:
        """The stages of this text with their types; those that the shown model does not reach, as another one has them."""
        _ = self.view
        if self._stages[0] != len(self._views):
            self._stages = (len(self._views), _merged([[*self._stages_of(view)] for view in self.views]))
        return self._stages[1]

    def _stages_of(self, view: View) -> Iterator[StageResult]:
        for stage in view.index.stages:
            span = self.tree.absolute(stage.span)
            if span is not None and span.file is self.source:
                yield StageResult(span, stage.noted, stage.count)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The identifiers of this text that were evaluated, by the same rule."""
        _ = self.view
        if self._references[0] != len(self._views):
            self._references = (len(self._views), _merged([[*self._references_of(view)] for view in self.views]))
        return self._references[1]

    def _references_of(self, view: View) -> Iterator[Reference]:
        for one in view.index.references:
            span = self.tree.absolute(one.span)
            if span is not None and span.file is self.source:
                definition = one.definition and self.tree.absolute(one.definition)
                stale = definition is not None and definition.file is not self.source and definition.file.name == self.path
                yield Reference(span, one.name, one.kind, None if stale else definition, one.noted, one.count)

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """All names with their definitions: where the compiler knows more, such as of the arguments of a stage that is an argument, it is
        right."""
        known = {(one.span.start, one.span.end): one for one in self.references if one.kind != "label" and one.name != "in"}
        return tuple([_corrected(one, known.get((one.span.start, one.span.end))) for one in self.names.occurrences])

    def occurrence(self, offset: int) -> Occurrence | None:
        """The name at an offset, or directly before it."""
        touching = [one for one in self.occurrences if one.span.start <= offset <= one.span.end]
        return max(touching, key=lambda one: one.span.start, default=None)

    def reference(self, offset: int) -> Reference | None:
        """The identifier at an offset, or directly before it."""
        at = [r for r in self.references if r.span.start <= offset <= r.span.end]
        return max(at, key=lambda r: (r.span.start <= offset < r.span.end, bool(r.values)), default=None)


def _merged(layers: list[list[T]]) -> tuple[T, ...]:
    found: dict[tuple[int, int], T] = {}
    for layer in layers:
        for one in layer:
            found.setdefault((one.span.start, one.span.end), one)
    return tuple([found[place] for place in sorted(found)])


def _corrected(one: Occurrence, known: Reference | None) -> Occurrence:
    if known is None or (known.definition is None) == (one.definition is None):
        return one
    if known.definition is None:
        return one if known.kind != "operator" else replace(one, definition=None)
    kind = "parameter" if known.kind == "argument" else known.kind
    return replace(one, definition=Definition(known.definition, one.name, kind, ast.Name(known.definition, one.name), "a stage"))


def _without_past(before: Checked) -> Checked:
    before.before = None
    return before


def _new_plugins(diagnostics: tuple[Diagnostic, ...]) -> bool:
    try:
        return load_unknown(diagnostics)
    except PluginError:
        return False
