"""Selects a train section of a file, and resolves the section and the model that it is derived from or written for.

>>> from netc.dsl.parser import parse_source
>>> from netc.dsl.source import SourceFile
>>> base, derived = parse_source(SourceFile("<text>", "train a { epochs 3; optimizer sgd }; train b = a { steps 900 }"))[0].items
>>> [statement.word.name for statement in statements_of((derived, base))]
['steps', 'optimizer']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

from ...binding.declarations import declared_names
from ...binding.section_names import UNNAMED, section_name
from ...errors.binding_errors import BoundTwice
from ...errors.limit_errors import Recursion, TooMuchNesting
from ...errors.structure_errors import UnknownModel
from ...errors.training_errors import NoSection, NoTrainedModel, SectionOfNoModel
from ..elaboration_session import ElaborationSession
from ..resource_limits import MAX_DEPTH
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope
from .file_definitions import FileDefinitions
from .file_scopes import find_unnamed_model
from .model_selection import SelectedModel, find_model, select_model
from .option_origin import option_span

LENGTHS = ("epochs", "steps")
"""Settings that say the same, so that each of them replaces the other."""


class SelectedSection(Record):
    """A section with its model. `chain`: the section, the one it is derived from, and so on; `model_call` says the model's parameters."""

    name: str
    chain: tuple[ast.TrainDecl, ...]
    model: SelectedModel
    model_call: ast.Apply | None
    several: bool = False

    @property
    def span(self) -> Span:
        return _span_of(self.chain[0])


def _span_of(section: ast.TrainDecl) -> Span:
    if section.name is not None:
        return section.name.span
    return Span(section.span.file, section.span.start, section.span.start + len(UNNAMED))


def select_section(
    definitions: FileDefinitions, files: Scope, wanted: str | None, model: str | None, session: ElaborationSession
) -> SelectedSection | None:
    """The section that is asked for: `wanted`, the only one, or the only one for `model`. None after a diagnostic. `files` is the scope of
    the file, which may import the model."""
    sections = definitions.sections
    for section in definitions.repeated_sections:
        name = section_name(section)
        session.report_problem(BoundTwice(name), _span_of(section), ((_span_of(sections[name]), "defined here"),))
    if wanted is not None or len(sections) != 1:
        names = tuple(sections)
        # A section without a name is called as its model.
        if wanted is None and model in sections:
            wanted = model
        if not sections and any(isinstance(item, ast.Broken) for item in definitions.file.items):
            return None  # it may be what did not parse, which is reported
        if wanted not in sections:
            place = option_span("--section", wanted) if wanted is not None else Span(SourceFile(definitions.source.name, ""), 0, 0)
            session.report_problem(NoSection(wanted or "", names), place)
            return None
        chosen = sections[wanted]
    else:
        chosen = next(iter(sections.values()))
    with session.catch_failures(()):
        chain = _resolve_chain(chosen, sections)
        call = next((s.model for s in chain if s.model is not None), None)
        selected = _model_of(chain, call, definitions, files, session)
        if model is not None and selected.name != model:
            session.report_problem(NoSection("", tuple(sections), model), option_span("--model", model))
            return None
        # An imported model is selected by its name alone.
        several = len(definitions.models) > 1 or selected.scope is not files
        return SelectedSection(section_name(chosen), chain, selected, call, several and selected.node is not None)
    return None


def _resolve_chain(section: ast.TrainDecl, sections: Mapping[str, ast.TrainDecl]) -> tuple[ast.TrainDecl, ...]:
    chain = [section]
    while chain[-1].base is not None:
        base = chain[-1].base
        target = sections.get(base.name)
        if target is None:
            raise Failure(NoSection(base.name, tuple(find_similar_names(base.name, list(sections)))), base.name_span)
        if any(target is section_before for section_before in chain):
            raise Failure(Recursion(base.name, "train section"), base.name_span)
        chain.append(target)
        if len(chain) > MAX_DEPTH:
            raise Failure(TooMuchNesting(MAX_DEPTH, "train sections that are derived from others"), base.name_span)
    return tuple(chain)


def _model_of(
    chain: tuple[ast.TrainDecl, ...], call: ast.Apply | None, definitions: FileDefinitions, files: Scope, session: ElaborationSession
) -> SelectedModel:
    """The model that a section is for: as it says, of its own name, or the one that a file without a choice has."""
    models = [*files.model_names()]
    if call is not None:
        called = find_model(call.name, files)
        if called is None and files.may_lack(call.name):
            raise AlreadyReported
        if called is None:
            path = find_unnamed_model(call.name, call.span.file, session)
            raise Failure(UnknownModel(call.name, tuple(find_similar_names(call.name, models)), tuple(models), path), call.name_span)
        return called
    named = next((m for s in chain if s.name is not None and (m := find_model(s.name.name, files)) is not None), None)
    if named is not None:
        return named
    complete = definitions.complete
    word = chain[-1].name
    selected = select_model(definitions, files, None, session) if not definitions.models else None
    if selected is None and word is not None and models:
        raise Failure(SectionOfNoModel(word.name, tuple(find_similar_names(word.name, models)), tuple(models)), word.span)
    if selected is None and len(complete) == 1:
        selected = find_model(complete[0], files)
    if selected is None:
        raise Failure(NoTrainedModel(tuple(complete or models)), _span_of(chain[0]))
    return selected


def statements_of(chain: tuple[ast.TrainDecl, ...]) -> tuple[ast.Statement, ...]:
    """Return all statements, with the base's first. What the derived section sets, or binds again, replaces what its base says."""
    statements: tuple[ast.Statement, ...] = ()
    for section in reversed(chain):
        statements = _override_statements(statements, section.body.statements)
    return statements


def _override_statements(base: tuple[ast.Statement, ...], overriding: tuple[ast.Statement, ...]) -> tuple[ast.Statement, ...]:
    """Merge the statements of a derived section into its base's: in the place of the statement that one replaces, or at the end."""
    remaining = list(overriding)
    result: list[ast.Statement] = []
    for statement in base:
        keys = set(_statement_keys(statement))
        # Replaced in its place, because statements below it may use what it binds.
        instead = [s for s in remaining if not keys.isdisjoint(_statement_keys(s))]
        if instead or any(not keys.isdisjoint(_statement_keys(s)) for s in overriding):
            result += instead
            remaining = [s for s in remaining if all(s is not replacement for replacement in instead)]
        else:
            result.append(statement)
    return (*result, *remaining)


def _statement_keys(statement: ast.Statement) -> tuple[Any, ...]:
    match statement:
        case ast.Setting(word=word) if word.name in LENGTHS:
            return (("setting", LENGTHS),)
        case ast.Setting(word=word):
            return (("setting", word.name),)
    return tuple(name.name for name in declared_names(statement))
