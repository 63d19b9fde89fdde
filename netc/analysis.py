"""Analyze a spec: from a text to a checked program, for the Python API and the command line alike.

In: a source file and a `Choice`. Out: an `Analysis`, which has a program if no diagnostic is an error. Always: no spec raises an exception.
Neither PyTorch, NumPy nor ONNX is imported. If `NETC_DEBUG` is set, every program is verified, and an invalid one, which is a mistake of
the compiler, raises `GraphInvalid`.

    >>> from netc.dsl.source import SourceFile
    >>> analysis = analyze(SourceFile("tiny.net", "input 3 -> dense 2"), Choice())
    >>> analysis.failed, str(analysis.program.main.outputs[0].type)
    (False, '[N, 2]')
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from netc.compiler.elaborate import FileDefinitions, complete_models, elaborate, elaborate_training, section_name, sections_of
from netc.compiler.elaborate.model_precision import FULL, Precision
from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import sort_and_dedupe
from netc.dsl.parser import parse_source
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from .errors import CompileError
from .files.file_problems import NoModel, make_diagnostic
from .files.read_spec import PublishedSource
from .files.source_files import Unreadable
from .files.spec_loader import SpecLoader
from .files.used_files import UsedFiles
from .plugin_loading import load_for_unknown_names
from .reference import load_foreign_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netc.compiler.elaborate import Index
    from netc.compiler.ir.graph import Program
    from netc.compiler.ir.training_program import Training
    from netc.dsl.source import SourceFile


class Choice(Record):
    """The choices for a spec: the model, values of parameters, sizes of symbolic dimensions, additional folders that a `use` may read, and
    the element type."""

    model: str | None = None
    params: dict[str, object] = {}
    dims: dict[str, int] = {}
    allow_paths: tuple[str, ...] = ()
    precision: Precision = FULL


class Analysis(Record):
    """The result of checking a spec. `diagnostics` are sorted, each once. `sources` are the files it was read from, the spec itself first.

    `index` says what each name of the text refers to, and the type of each stage. It is None unless the caller asked for it. `digests` are
    hashes of the files whose arrays are tables.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[SourceFile, ...]
    index: Index | None = None
    digests: tuple[str, ...] = ()

    def require_model(self) -> Analysis:
        """Return the analysis with an error added if the file has neither an error nor a model: it is a library."""
        if self.program is not None or self.failed:
            return self
        source = self.sources[0]
        return replace(self, diagnostics=(*self.diagnostics, make_diagnostic(NoModel(source.name), Span(source, 0, 0))))

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)


class Spec(Record):
    """A text with its choice, from which a model can make its train sections and other precisions. `path` is the file of the text."""

    source: SourceFile
    choice: Choice
    path: str | None = None

    def elaborate_training(self, section: str | None, params: Mapping[str, object] = MappingProxyType({})) -> Training:
        """Elaborate a train section, with further parameters. Raises `CompileError`."""
        choice = replace(self.choice, params={**self.choice.params, **params})
        analysis = analyze_training(self.source, choice, self.path, section)
        if analysis.training is None:
            raise CompileError(analysis.diagnostics)
        return analysis.training

    def change_precision(self, precision: Precision) -> tuple[Analysis, Spec]:
        """Analyze the same text in another element type."""
        spec = replace(self, choice=replace(self.choice, precision=precision))
        return analyze(self.source, spec.choice, self.path), spec


class SharedDefinitions:
    """The loader and the definitions that all models and train sections of a file share, so that each used file is read once."""

    def __init__(self, file: ast.File, source: SourceFile, choice: Choice, path: str | None, used_files: UsedFiles | None = None) -> None:
        self.loader = SpecLoader(source, path, choice.allow_paths, used_files)
        self.definitions = FileDefinitions(file, source)


class TrainingAnalysis(Record):
    """The result of checking a train section. The fields are as in an `Analysis`."""

    training: Training | None
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[SourceFile, ...]
    digests: tuple[str, ...] = ()


class ParsedSpec(Record):
    """A text that has been parsed, with the context of its models and train sections. `path` is where the text was read from: files that it
    uses are found relative to it. `shared` has what other models of the file have found."""

    file: ast.File
    source: SourceFile
    problems: list[Diagnostic]
    choice: Choice
    path: str | None = None
    shared: SharedDefinitions | None = None

    def make_loader(self) -> SpecLoader:
        """Return the shared loader, or a new one."""
        return SpecLoader(self.source, self.path, self.choice.allow_paths) if self.shared is None else self.shared.loader

    @property
    def definitions(self) -> FileDefinitions | None:
        """The shared definitions, if several models of the file share them."""
        return None if self.shared is None else self.shared.definitions


def parse_spec(source: SourceFile, choice: Choice, path: str | None = None) -> ParsedSpec:
    """Parse a text. Its syntax errors are in `problems`."""
    file, problems = parse_source(source)
    if isinstance(source, PublishedSource) and choice.model is None:
        choice = replace(choice, model=source.model)
    return ParsedSpec(file, source, problems, choice, path)


def analyze_training(source: SourceFile, choice: Choice, path: str | None = None, section: str | None = None) -> TrainingAnalysis:
    """Parse a text, and elaborate one train section with its model: `section`, or the only one, or the section of the chosen model."""
    return elaborate_section(parse_spec(source, choice, path), section)


def read_and_analyze_training(
    read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, section: str | None = None
) -> TrainingAnalysis:
    """Analyze a train section of the text that `read` returns."""
    try:
        source, path = read()
    except Unreadable as error:
        return TrainingAnalysis(None, (error.diagnostic,), (error.span.file,))
    return analyze_training(source, choice, path, section)


def elaborate_section(parsed: ParsedSpec, section: str | None) -> TrainingAnalysis:
    """Elaborate a train section of a parsed text."""
    analysis = _elaborate_section_once(parsed, section)
    # again, if a plugin that knows an unknown name was loaded
    return _elaborate_section_once(parsed, section) if load_for_unknown_names(analysis.diagnostics) else analysis


def _elaborate_section_once(parsed: ParsedSpec, section: str | None) -> TrainingAnalysis:
    loader, choice = parsed.make_loader(), parsed.choice
    elaboration = elaborate_training(
        parsed.file,
        parsed.source,
        section=section,
        loader=loader,
        arrays=loader.load_array,
        load_foreign=load_foreign_names,
        model=choice.model,
        params=choice.params,
        dims=choice.dims,
        precision=choice.precision,
        parse=loader.parse_source,
        definitions=parsed.definitions,
    )
    if elaboration.training is not None:
        _verify_if_debugging(elaboration.training.program)
    diagnostics = tuple(sort_and_dedupe([*parsed.problems, *elaboration.diagnostics]))
    failed = any(d.severity == "error" for d in diagnostics)
    return TrainingAnalysis(None if failed else elaboration.training, diagnostics, tuple(loader.sources), tuple(loader.digests))


def read_and_analyze(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> Analysis:
    """Analyze the text that `read` returns."""
    try:
        source, path = read()
    except Unreadable as error:
        return Analysis(None, (error.diagnostic,), (error.span.file,))
    return analyze(source, choice, path)


def analyze(source: SourceFile, choice: Choice, path: str | None = None, *, index: bool = False) -> Analysis:
    """Parse and elaborate a text. `path` is its file: files that it uses are found relative to it. `index` asks for the index of names and
    stages."""
    return elaborate_model(parse_spec(source, choice, path), index=index)


def elaborate_model(parsed: ParsedSpec, *, index: bool = False) -> Analysis:
    """Elaborate a model of a parsed text. netc looks for plugins of installed packages only if a name is unknown, because looking takes
    longer than checking a small spec."""
    analysis = _elaborate_model_once(parsed, index)
    return _elaborate_model_once(parsed, index) if load_for_unknown_names(analysis.diagnostics) else analysis


def _elaborate_model_once(parsed: ParsedSpec, index: bool) -> Analysis:
    loader, choice = parsed.make_loader(), parsed.choice
    elaboration = elaborate(
        parsed.file,
        parsed.source,
        loader=loader,
        arrays=loader.load_array,
        load_foreign=load_foreign_names,
        model=choice.model,
        params=choice.params,
        dims=choice.dims,
        index=index,
        precision=choice.precision,
        parse=loader.parse_source,
        definitions=parsed.definitions,
    )
    problems = elaboration.diagnostics
    if any(d.severity == "error" for d in parsed.problems):  # a statement with a syntax error may be the one that uses the name
        problems = [d for d in problems if not d.code.startswith("unused-")]
    if elaboration.program is not None:
        _verify_if_debugging(elaboration.program)
        problems = [*problems, *check_claims(elaboration.program)]
    diagnostics = tuple(sort_and_dedupe([*parsed.problems, *problems]))
    failed = any(d.severity == "error" for d in diagnostics)
    return Analysis(None if failed else elaboration.program, diagnostics, tuple(loader.sources), elaboration.index, tuple(loader.digests))


def check_claims(program: Program) -> list[Diagnostic]:
    """Return diagnostics of claims of `expect` statements. Most specs have none, and load no proofs."""
    if not program.claims:
        return []
    from .proving.claim_reports import report_stated_claims

    return report_stated_claims(program)


def _verify_if_debugging(program: Program) -> None:
    """Verify the invariants of the graph if `NETC_DEBUG` is set."""
    if os.environ.get("NETC_DEBUG"):
        from netc.compiler.ir.verify import verify_program

        verify_program(program)


def analyze_models(
    read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, used_files: UsedFiles | None = None
) -> list[Analysis]:
    """Analyze each model and train section of a file, or the chosen model, as `netc check` does. `used_files` has the files that other
    specs use."""
    try:
        source, path = read()
    except Unreadable as error:
        return [Analysis(None, (error.diagnostic,), (error.span.file,))]
    parsed = parse_spec(source, choice, path)
    # a published source has chosen its model
    choice = parsed.choice
    parsed = replace(parsed, shared=SharedDefinitions(parsed.file, source, choice, path, used_files))
    names = complete_models(parsed.file)
    choices = [choice] if choice.model is not None or len(names) < 2 else [replace(choice, model=name) for name in names]
    return [*(elaborate_model(replace(parsed, choice=model_choice)) for model_choice in choices), *check_sections(parsed)]


def check_sections(parsed: ParsedSpec) -> Iterator[Analysis]:
    """Yield an analysis for each train section, with errors in its settings. PyTorch, which knows the optimizers, is imported only if the
    file has a section."""
    for section in sections_of(parsed.file):
        from .training.training_session import check_section

        analysis = elaborate_section(parsed, section_name(section))
        problems = [] if analysis.training is None else check_section(analysis.training)
        yield Analysis(None, tuple(sort_and_dedupe([*analysis.diagnostics, *problems])), analysis.sources)
