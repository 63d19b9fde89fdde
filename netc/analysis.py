"""From a text to a checked program: the one road that the Python API and the command line both take.

In: a source file and what is asked of it. Out: an `Analysis`, with a program if no diagnostic is an error. Never raises for what a spec
says. Imports neither PyTorch, NumPy nor ONNX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.elaborate import elaborate, standing
from netc.compiler.elaborate.unknown import names_source
from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import sort_and_dedupe
from netc.dsl.parser import parse
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from .files import Loader, Unreadable
from .problems import NoModel, diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netc.compiler.ir.graph import Program
    from netc.compiler.ops import Operator
    from netc.dsl.source import SourceFile


def _names_in_torch() -> Mapping[type[Operator], str]:
    from netc.compiler.backends.torch.table import names

    return names()


names_source(_names_in_torch)


class Choice(Record):
    """What is asked of a spec: which model of it, values of parameters, sizes of symbolic dimensions."""

    model: str | None = None
    params: dict[str, object] = {}
    dims: dict[str, int] = {}


class Analysis(Record):
    """What is known of a spec. `diagnostics` are sorted, each once; `sources` are the files it was read from, the spec itself first."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[SourceFile, ...]

    def with_model(self) -> Analysis:
        """The same, with a diagnostic if there is no error but no model either: the file is a library."""
        if self.program is not None or self.failed:
            return self
        source = self.sources[0]
        return replace(self, diagnostics=(*self.diagnostics, diagnostic(NoModel(source.name), Span(source, 0, 0))))

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)


def read_and_analyse(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> Analysis:
    """Analyses the text that `read` gives, with the path it was read from if it has one."""
    try:
        source, path = read()
    except Unreadable as error:
        return Analysis(None, (error.diagnostic,), (error.span.file,))
    return analyse(source, choice, path)


def analyse(source: SourceFile, choice: Choice, path: str | None = None) -> Analysis:
    """Parses and elaborates. `path` is where the text was read from: files that it uses are found relative to it."""
    file, problems = parse(source)
    return elaborate_file(file, source, problems, choice, path)


def elaborate_file(file: ast.File, source: SourceFile, problems: list[Diagnostic], choice: Choice, path: str | None = None) -> Analysis:
    """The second half of `analyse`, for a text that has been parsed with these `problems`."""
    loader = Loader(source, path)
    program, found = elaborate(file, source, loader=loader, model=choice.model, params=choice.params, dims=choice.dims)
    if any(d.severity == "error" for d in problems):  # what could not be read may be what uses it
        found = [d for d in found if not d.code.startswith("unused-")]
    diagnostics = tuple(sort_and_dedupe([*problems, *found]))
    failed = any(d.severity == "error" for d in diagnostics)
    return Analysis(None if failed else program, diagnostics, tuple(loader.sources))


def analyse_models(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> list[Analysis]:
    """The same for each model of the file, unless one is chosen: what `netc check` looks at."""
    try:
        source, path = read()
    except Unreadable as error:
        return [Analysis(None, (error.diagnostic,), (error.span.file,))]
    file, problems = parse(source)
    names = standing(file)
    if choice.model is not None or len(names) < 2:
        return [elaborate_file(file, source, problems, choice, path)]
    return [elaborate_file(file, source, problems, replace(choice, model=name), path) for name in names]
