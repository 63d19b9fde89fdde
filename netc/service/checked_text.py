"""One checked text: its tree, and a view for each of its models.

In: a parsed text. Out: a `CheckedText`, whose views are made at their first use, the shown model's first. Always: making a view never
raises; stages that could not be evaluated are missing in its index, not wrong.
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

from ..analysis import check_claims
from ..plugin_loading import PluginError, load_for_unknown_names
from ..reference import load_foreign_names
from .imports import Importer, find_use, parse_used_files
from .stable_trees import StableTree, StableTrees

T = TypeVar("T", Reference, StageResult)
FileStamp = tuple[int, int] | str | None
"""Tells whether a text has changed: the text itself if it is open, else the time and size of its file; None if there is no file."""


class Parsed(Record):
    """A text, its tokens and comments, its tree, and its syntax errors."""

    source: SourceFile
    tokens: tuple[Token, ...]
    comments: tuple[Token, ...]
    file: ast.File
    problems: tuple[Diagnostic, ...]


class Texts(Protocol):
    """The part of `Workspace` that a text needs. A protocol, because `Workspace` imports this module."""

    def read_stamp(self, real: str) -> FileStamp: ...
    def make_loader(self, source: SourceFile, real: str) -> StampingLoader: ...
    def parse_used(self, source: SourceFile) -> tuple[ast.File, list[Diagnostic]]: ...
    def find_memory(self, real: str) -> CheckMemory: ...
    def check_trial(self, real: str, text: str) -> CheckedText | None: ...
    def may_change(self, path: str) -> bool: ...


class StampingLoader(Protocol):
    """Finds the files of `use`, and remembers their stamps."""

    stamps: dict[str, FileStamp]

    def __call__(self, path: str, user: SourceFile) -> SourceFile: ...

    def load_array(self, path: str, name: str, user: SourceFile) -> TableArray: ...


class CheckMemory:
    """The results that a check of a text leaves for the next check, which reuses the definitions that have not changed."""

    def __init__(self) -> None:
        self.memory = BodyCache()
        self.trees = StableTrees()


class View(Record):
    """A text elaborated for one of its models. `program` is None if there are errors."""

    model: str | None
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    index: Index


class CheckedText:
    """A text and the results of checking it. `stamps` has the stamps of all files that these depend on."""

    def __init__(self, workspace: Texts, real: str, parsed: Parsed, chosen: str | None, before: CheckedText | None) -> None:
        self.workspace, self.path = workspace, real
        self.source, self.file, self.problems = parsed.source, parsed.file, parsed.problems
        self.tokens, self.comments = parsed.tokens, parsed.comments
        self.previous = before and _forget_previous(before)
        """The checked text before its last change, without its own predecessor: a chain would keep all versions in memory."""
        self._chosen = chosen
        self._views: dict[str | None, View] = {}
        self._stages: tuple[int, tuple[StageResult, ...]] = (0, ())
        self._references: tuple[int, tuple[Reference, ...]] = (0, ())
        """Cached with the number of views from which they were merged."""
        self.stamps: dict[str, FileStamp] = {real: workspace.read_stamp(real)}

    @cached_property
    def models(self) -> tuple[str | None, ...]:
        """The models to check, the shown one first. None stands for the model that netc chooses by itself."""
        names = complete_models(self.file)
        if len(names) < 2:
            return (None,)
        # By default, resnet.net shows the model `resnet`.
        stem = PurePath(self.path).stem
        first = self._chosen if self._chosen in names else stem if stem in names else names[0]
        return (first, *(name for name in names if name != first))

    @cached_property
    def tree(self) -> StableTree:
        """The tree to elaborate."""
        return self.workspace.find_memory(self.path).trees.make_tree(self.source, self.file)

    @cached_property
    def names(self) -> FileNames:
        """The definitions to which the names refer."""
        loader = self.workspace.make_loader(self.source, self.path)
        with deep_stack():
            names = bind_file(self.file, Importer(loader, self.workspace.parse_used))
        # The stamps include paths where no file was found: if one is created there, the answers change.
        self.stamps |= loader.stamps
        return names

    @cached_property
    def names_in_tree(self) -> FileNames:
        """The names of the tree to elaborate. Definitions that have not changed are bound only once."""
        loader = self.workspace.make_loader(self.source, self.path)
        with deep_stack():
            return bind_file(
                self.tree.file, Importer(loader, self.workspace.parse_used), self.workspace.find_memory(self.path).memory.names
            )

    @property
    def view(self) -> View:
        """The view of the shown model."""
        return self.find_view(self.models[0])

    @property
    def views(self) -> tuple[View, ...]:
        """The views that have been made, the shown model's first."""
        return tuple([self._views[model] for model in self.models if model in self._views])

    @property
    def unchecked_models(self) -> tuple[str | None, ...]:
        """The models without a view yet."""
        return tuple([model for model in self.models if model not in self._views])

    def find_view(self, model: str | None) -> View:
        """Return the view of one of the models; make it at the first call."""
        if model not in self._views:
            view = self._elaborate_model(model)
            # A diagnostic may name an operator of a plugin that is not loaded yet: load it, and elaborate again.
            self._views[model] = self._elaborate_model(model) if _load_new_plugins(view.diagnostics) else view
        return self._views[model]

    def _elaborate_model(self, model: str | None) -> View:
        loader = self.workspace.make_loader(self.source, self.path)
        used = parse_used_files(self.file, loader, self.workspace.parse_used)
        tree, memory = self.tree, self.workspace.find_memory(self.path).memory
        uses = [(item.path.value, *(name.name for name in item.names)) for item in self.file.items if isinstance(item, ast.Use)]
        imports = (*uses, *(id(file) for file in used.values()))
        names = self.names_in_tree
        memory.begin_elaboration(tree.find_closures(names, imports) | dict.fromkeys(used, imports), (*used.values(), tree.file))
        elaboration = elaborate(
            tree.file,
            self.source,
            loader=loader,
            arrays=loader.load_array,
            load_foreign=load_foreign_names,
            model=model,
            index=True,
            parse=self.workspace.parse_used,
            memory=memory,
            names=names,
        )
        self.stamps |= loader.stamps
        if elaboration.program is not None and os.environ.get("NETC_DEBUG"):
            verify_program(elaboration.program)
        assert elaboration.index is not None
        claims = [] if elaboration.program is None else check_claims(elaboration.program)
        return View(
            model,
            elaboration.program,
            tuple([tree.relocate_diagnostic(diagnostic) for diagnostic in (*elaboration.diagnostics, *claims)]),
            elaboration.index,
        )

    def find_use(self, source: SourceFile) -> ast.Use | None:
        """Find the `use` that leads to another file, directly or through others."""
        return find_use(self.file, source, self.workspace.make_loader(self.source, self.path), self.workspace.parse_used)

    def elaborate_sections(self) -> Iterator[TrainingElaboration]:
        """Elaborate the train sections. This does not import PyTorch."""
        for section in sections_of(self.file):
            loader = self.workspace.make_loader(self.source, self.path)
            definitions = FileDefinitions(self.file, self.source, self.names)
            yield elaborate_training(
                self.file,
                self.source,
                section=section_name(section),
                loader=loader,
                load_foreign=load_foreign_names,
                definitions=definitions,
            )

    def check_sections(self) -> tuple[Diagnostic, ...]:
        """Check the train sections. PyTorch, which knows the optimizers, is imported if there is a section without other errors."""
        problems: list[Diagnostic] = []
        for section in self.elaborate_sections():
            problems += section.diagnostics
            if section.training is not None:
                from ..training.training_session import check_section

                problems += check_section(section.training)
        return tuple(problems)

    def collect_diagnostics(self, more: tuple[Diagnostic, ...] = ()) -> list[Diagnostic]:
        """Collect the diagnostics of the text and of all views that have been made, and `more`, in order and without duplicates."""
        all_diagnostics = [d for view in (*([] if self.views else [self.view]), *self.views) for d in view.diagnostics] + [*more]
        if any(d.severity == "error" for d in self.problems):  # the part that does not parse may use it
            all_diagnostics = [d for d in all_diagnostics if not d.code.startswith("unused-")]
        return sort_and_dedupe([*self.problems, *all_diagnostics])

    @property
    def stages(self) -> tuple[StageResult, ...]:
        """The stages of this text with their types. Stages that the shown model does not reach have the types of another model."""
        _ = self.view
        if self._stages[0] != len(self._views):
            self._stages = (len(self._views), _merge_layers([[*self._iterate_stages(view)] for view in self.views]))
        return self._stages[1]

    def _iterate_stages(self, view: View) -> Iterator[StageResult]:
        for stage in view.index.stages:
            span = self.tree.to_absolute(stage.span)
            if span is not None and span.file is self.source:
                yield StageResult(span, stage.noted, stage.count)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The evaluated identifiers of this text, by the same rule."""
        _ = self.view
        if self._references[0] != len(self._views):
            self._references = (len(self._views), _merge_layers([[*self._iterate_references(view)] for view in self.views]))
        return self._references[1]

    def _iterate_references(self, view: View) -> Iterator[Reference]:
        for reference in view.index.references:
            span = self.tree.to_absolute(reference.span)
            if span is not None and span.file is self.source:
                definition = reference.definition and self.tree.to_absolute(reference.definition)
                # Cached bodies may refer to an earlier version of this text, whose offsets mean nothing now.
                stale = definition is not None and definition.file is not self.source and definition.file.name == self.path
                yield Reference(span, reference.name, reference.kind, None if stale else definition, reference.noted, reference.count)

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """All names with their definitions. The compiler overrides the binding of the tree, because it knows more: for example, the
        arguments of a stage that is passed as an argument."""
        known = {
            (reference.span.start, reference.span.end): reference
            for reference in self.references
            if reference.kind != "label" and reference.name != "in"
        }
        return tuple(
            [_correct_occurrence(reference, known.get((reference.span.start, reference.span.end))) for reference in self.names.occurrences]
        )

    def find_occurrence(self, offset: int) -> Occurrence | None:
        """Find the name at an offset, or directly before it."""
        touching = [occurrence for occurrence in self.occurrences if occurrence.span.start <= offset <= occurrence.span.end]
        # Between two adjacent names, the offset belongs to the second one.
        return max(touching, key=lambda occurrence: occurrence.span.start, default=None)

    def find_reference(self, offset: int) -> Reference | None:
        """Find the evaluated identifier at an offset, or directly before it."""
        touching = [r for r in self.references if r.span.start <= offset <= r.span.end]
        # Rather the identifier that contains the offset than one that ends there, and rather one with values.
        return max(touching, key=lambda r: (r.span.start <= offset < r.span.end, bool(r.values)), default=None)


def _merge_layers(layers: list[list[T]]) -> tuple[T, ...]:
    results: dict[tuple[int, int], T] = {}
    # The first layer is the shown model's, so its results win.
    for layer in layers:
        for item in layer:
            results.setdefault((item.span.start, item.span.end), item)
    return tuple([results[place] for place in sorted(results)])


def _correct_occurrence(occurrence: Occurrence, known: Reference | None) -> Occurrence:
    if known is None or (known.definition is None) == (occurrence.definition is None):
        return occurrence
    if known.definition is None:
        return occurrence if known.kind != "operator" else replace(occurrence, definition=None)
    kind = "parameter" if known.kind == "argument" else known.kind
    return replace(
        occurrence, definition=Definition(known.definition, occurrence.name, kind, ast.Name(known.definition, occurrence.name), "a stage")
    )


def _forget_previous(before: CheckedText) -> CheckedText:
    before.previous = None
    return before


def _load_new_plugins(diagnostics: tuple[Diagnostic, ...]) -> bool:
    try:
        return load_for_unknown_names(diagnostics)
    except PluginError:
        return False
