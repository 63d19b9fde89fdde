"""Turns a syntax tree into a typed graph: an abstract interpreter of the program, with types in place of tensors.

`elaborate` takes a parsed file and returns an `Elaboration`: all diagnostics, and a `Program` if none of them is an error.

    program/      files as scopes, the selected model, its parameters and dimensions, its expectations
    interpreter/  the evaluator: one `Elaborator`, a part for each group of constructs
    names/        errors for names, unused names
    scopes/       scopes, graph frames, values, labels, the memo

    >>> from netc.dsl.source import SourceFile
    >>> source = SourceFile("<text>", "input 3 -> dense 2 sigmoid")
    >>> program = elaborate(parse_source(source)[0], source).program
    >>> [node.op.name for node in program.main.nodes], str(program.main.outputs[0].type)
    (['dense', 'sigmoid'], '[N, 2]')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

from ..binding.file_names import FileNames
from ..binding.section_names import section_name, sections_of
from ..dims import EffortSpent, limit_effort
from ..errors.binding_errors import NoIn, UnusedResult
from ..errors.limit_errors import LargeFormulas, TooMuchNesting
from ..ir.graph import Program
from ..ir.program_text import ProgramText
from ..ir.training_program import Training
from .body_cache import BodyCache
from .elaboration_session import ArrayLoader, CannotLoad, ElaborationSession, Loader, LoadForeign, Parse
from .index import Index
from .interpreter.elaborator import Elaborator
from .model_precision import FULL, Precision
from .program.build_program import build_program
from .program.file_definitions import FileDefinitions, complete_models
from .program.model_selection import select_model
from .resource_limits import MAX_STACK, TERMS, deep_stack
from .scopes.early_exits import Failure, LimitExceeded
from .scopes.scope import Scope

__all__ = [
    "ArrayLoader",
    "CannotLoad",
    "FileDefinitions",
    "Elaboration",
    "Failure",
    "Index",
    "Loader",
    "BodyCache",
    "Precision",
    "TrainingElaboration",
    "complete_models",
    "deep_stack",
    "elaborate",
    "elaborate_training",
    "evaluate_constant",
    "section_name",
    "sections_of",
]


class Elaboration(Record):
    """The result of elaborating a file. `index` is None unless it was asked for."""

    program: Program | None
    diagnostics: list[Diagnostic]
    index: Index | None = None


def elaborate(
    file: ast.File,
    source: SourceFile,
    *,
    loader: Loader | None = None,
    load_foreign: LoadForeign | None = None,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    dims: Mapping[str, int] | None = None,
    index: bool = False,
    precision: Precision = FULL,
    parse: Parse = parse_source,
    memory: BodyCache | None = None,
    arrays: ArrayLoader | None = None,
    names: FileNames | None = None,
    definitions: FileDefinitions | None = None,
) -> Elaboration:
    """Check a file's model and build its graph.

    Args:
        loader: reads the files of `use`.
        load_foreign: returns what knows operators by the names of other libraries.
        model: the name of one of several models.
        params: values for the model's parameters: plain Python values, lists as tuples.
        dims: sizes for symbolic dimensions, at least 1.
        index: whether the result has the index of the text.
        precision: the element type of the model.
        parse: returns the trees of the files of `use`.
        memory: the bodies that earlier elaborations of nearly the same text have finished.
        arrays: reads the arrays of stored tables.
        names: the bound names of this text, if they are known.
        definitions: the definitions of this file that other elaborations share.

    Returns:
        The program, which is None if any diagnostic is an error. A file without a model, a library of blocks, has neither a program nor,
        for that alone, a diagnostic. The diagnostics are in no particular order and may repeat.
    """
    definitions = definitions or FileDefinitions(file, source, names)
    session = ElaborationSession(loader, index, load_foreign, precision, parse, memory, arrays, definitions.next_budget())
    program: Program | None = None
    with _limit_resources(definitions, session):
        files = definitions.file_scope(session)
        selected = select_model(definitions, files, model, session)
        if selected is not None:
            with _within_stack(selected.span, session):
                program = build_program(selected, files, params or {}, dims or {}, session)
            if program is not None and not dims and precision == FULL:
                program.text = ProgramText(file, selected.node, params or {}, session.used)
    if session.has_failed:
        program = None
    with suppress(LimitExceeded):
        for problem, span in definitions.unused_names():
            # After an error, names are unused because their users were not elaborated. Only a forgotten arrow may itself be the cause.
            if not session.has_failed or (isinstance(problem, UnusedResult) and _may_be_cause(span, session.diagnostics)):
                session.report_problem(problem, span)
    return Elaboration(program, session.diagnostics, session.index.build_index())


class TrainingElaboration(Record):
    """The result of elaborating a train section."""

    training: Training | None
    diagnostics: list[Diagnostic]


def elaborate_training(
    file: ast.File,
    source: SourceFile,
    *,
    section: str | None = None,
    loader: Loader | None = None,
    load_foreign: LoadForeign | None = None,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    dims: Mapping[str, int] | None = None,
    precision: Precision = FULL,
    parse: Parse = parse_source,
    arrays: ArrayLoader | None = None,
    definitions: FileDefinitions | None = None,
) -> TrainingElaboration:
    """Check a train section and its model, and build the objective.

    `section` names one of several; without it, `model` may say which. `params` are the parameters of the section and of the model. The
    other arguments are as for `elaborate`.
    """
    from .program.sections import select_section
    from .program.train_section import build_training

    definitions = definitions or FileDefinitions(file, source)
    session = ElaborationSession(loader, False, load_foreign, precision, parse, arrays=arrays, budget=definitions.next_budget())
    training: Training | None = None
    with _limit_resources(definitions, session):
        files = definitions.file_scope(session)
        selected = select_section(definitions, files, section, model, session)
        if selected is not None:
            with _within_stack(selected.span, session):
                training = build_training(selected, files, params or {}, dims or {}, session)
    return TrainingElaboration(None if session.has_failed else training, session.diagnostics)


def _may_be_cause(unused_result: Span, diagnostics: list[Diagnostic]) -> bool:
    """Whether a forgotten `->` after this pipeline may be the cause of errors elsewhere. Unused names are consequences."""
    errors = [d for d in diagnostics if d.severity == "error"]
    inside = any(d.span.file is unused_result.file and unused_result.start <= d.span.start < unused_result.end for d in errors)
    # An error inside the pipeline explains why its result is missing.
    return not inside and not any(d.code == NoIn.code for d in errors)  # which proposes the `->` itself


def evaluate_constant(expr: ast.Expr) -> object:
    """Return the value of an expression without names. Raises `Failure`.

    >>> from netc.dsl.parser import parse_value
    >>> from netc.dsl.source import SourceFile
    >>> evaluate_constant(parse_value(SourceFile("<text>", "[2 ** 3, 7 // 2]"))[0])
    (8, 3)
    """
    return Elaborator(ElaborationSession()).evaluate(expr, Scope(None, None))


@contextmanager
def _limit_resources(definitions: FileDefinitions, session: ElaborationSession) -> Iterator[None]:
    """The context of an elaboration. A limit that ends it has been reported. Its resources are recorded in any case."""
    try:
        with deep_stack(), limit_effort(session.budget.effort), suppress(LimitExceeded):
            yield
    finally:
        definitions.record_elaboration(session)


@contextmanager
def _within_stack(span: Span, session: ElaborationSession) -> Iterator[None]:
    """Reports too much nesting or too large formulas at the model or section, if no expression has reported it."""
    try:
        yield
    except RecursionError:
        session.report_problem(TooMuchNesting(MAX_STACK, "expressions, functions and values"), span)
    except EffortSpent:
        session.report_problem(LargeFormulas(TERMS.limit), span)
