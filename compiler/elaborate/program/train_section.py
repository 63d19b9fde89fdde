"""Builds the objective of a selected train section: the model's body, what the section computes of its tensors, and the evaluated settings.

`build_training` takes a `SelectedSection` and returns a `Training`, or None if anything failed. The section is elaborated in a frame inside
the model's: the tensors of the model that it names are captured, and become further outputs of the model's graph. The objective's graph
calls that graph, and computes the loss and the metrics of its outputs and of the section's own inputs. The objective's numbers have no
symbols, because its module has no parameters to pass them as. A name in a section is the number that it is bound to.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "price = input 3 -> dense 1; train { label = input 1; loss = (price, label) -> mse_loss; optimizer sgd }"
    >>> main = analyze_training(SourceFile("<text>", text), Choice()).training.program.main
    >>> [node.label for node in main.nodes], main.inputs, main.outputs
    (['model', 'mse_loss1'], [<input: [N, 3]>, <label: [N, 1]>], [<loss: []>])
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ...errors.binding_errors import ReservedName
from ...errors.structure_errors import NoDependence
from ...errors.training_errors import (
    NoOutInTraining,
    ParameterOfBoth,
    TrainedStage,
)
from ...ir.differentiated_values import mark_differentiated
from ...ir.graph import Graph, Program
from ...ir.graph_values import Value
from ...ir.substitute_symbols import write_out_symbols
from ...ir.training_program import RESERVED_METRIC_NAMES, Setting, Training
from ...ir.walk import collect_symbol_values
from ...types.traced_ints import Origin, strip_formulas
from ..elaboration_session import ElaborationSession
from ..interpreter.block_arguments import SECTION, SectionParameters, match_arguments
from ..interpreter.elaborator import Elaborator
from ..scopes.compile_time_values import UNKNOWN, tensors_of
from ..scopes.label_scope import LabelAllocator
from ..scopes.scope import GraphFrame, Scope
from .build_program import ModelBody, elaborate_model, output_names
from .float_conversions import write_conversions
from .model_parameters import bind_parameters, reject_unknown
from .model_selection import SelectedModel
from .objective_graph import JoinedGraphs, join_graphs
from .reused_stages import find_trained_stages
from .section_results import collect_results, find_losses
from .section_settings import drop_mistaken_settings, evaluate_settings
from .sections import SelectedSection, statements_of


def build_training(
    section: SelectedSection, files: Scope, params: Mapping[str, Any], dims: Mapping[str, int], session: ElaborationSession
) -> Training | None:
    """Elaborates the model and the section. `params` are the section's parameters, and the model's that the section does not set."""
    elaborator = Elaborator(session)
    outside = Scope(files, None)
    of_section, of_model = _parameters_of(section), [name.name for name in _parameter_nodes(section.model)]
    bound = replace(SectionParameters.make_empty(SECTION), plain=frozenset(of_model))
    known = [*of_model, *(name for name in of_section if name not in of_model)]
    reject_unknown(params, known, session)
    _refuse_shared_names(section, session)
    model_params = {name: value for name, value in params.items() if name in of_model and name not in of_section}
    section_params = {name: value for name, value in params.items() if name in of_section}
    if section.model.node is not None:
        _bind_sections(section, section_params, outside, elaborator, bound)
    # `setdefault`: what the caller sets wins over what the section writes.
    for name, expr in _model_arguments(section, session).items():
        with session.catch_failures(()):
            model_params.setdefault(name, strip_formulas(elaborator.evaluate(expr, outside)))
    statements = _drop_out_statements(drop_mistaken_settings(statements_of(section.chain), session), session)
    model = elaborate_model(
        section.model, files, model_params, dims, session, tuple(s for s in statements if not isinstance(s, ast.Setting))
    )
    if model is None or model.results.flow is UNKNOWN:
        return None
    if section.model.node is None:  # a file without a model: defaults may use its `let`s, which are evaluated by now
        _bind_sections(section, section_params, outside, elaborator, bound)
    return _build_objective(section, statements, files, outside, bound.origins, model, model_params, session)


def _model_arguments(section: SelectedSection, session: ElaborationSession) -> dict[str, ast.Expr]:
    """Return the values that the section writes for the model's parameters."""
    if section.model_call is None or section.model.node is None:
        return {}
    constants = tuple(p for p in section.model.node.parameters if isinstance(p, ast.ParameterDecl))
    with session.catch_failures(()):
        return match_arguments(section.model.name, constants, section.model_call)
    return {}


def _parameters_of(section: SelectedSection) -> list[str]:
    return [p.name.name for part in section.chain for p in part.parameters if isinstance(p, ast.ParameterDecl)]


def _parameter_nodes(model: SelectedModel) -> list[ast.Name]:
    """Return the parameters of the model. If a file has statements of its own, its `let`s are their parameters."""
    if model.node is None:
        return [s.name for s in model.body.statements if isinstance(s, ast.Let)]
    return [p.name for p in model.node.parameters if isinstance(p, ast.ParameterDecl)]


def _refuse_shared_names(section: SelectedSection, session: ElaborationSession) -> None:
    """Reports parameters of the section that have the name of one of the model and do not set it: a value could be meant for either."""
    of_model = {name.name: name.span for name in _parameter_nodes(section.model)}
    passed = {k.name for k in section.model_call.keywords} if section.model_call is not None else set()
    for part in section.chain:
        shared = [p.name for p in part.parameters if p.name.name in of_model and p.name.name not in passed]
        meant = ""
        edits: tuple[Edit, ...] = ()
        # The author of `train resnet18(classes=3)` means the model's parameters.
        if part.name is not None and part.name.name == section.model.name and shared and len(shared) == len(part.parameters):
            place = part.name.span
            meant = f"for {place.to(part.parameters[-1].span).text})"
            edits = (Edit(Span(place.file, place.start, place.start), "for "),)
        for name in shared:
            marks = ((of_model[name.name], "the model's"),)
            session.report_problem(ParameterOfBoth(name.name, section.model.name, meant), name.span, marks, edits=edits)


def _drop_out_statements(statements: tuple[ast.Statement, ...], session: ElaborationSession) -> tuple[ast.Statement, ...]:
    """The statements without `out`, which is reported."""
    for statement in statements:
        if isinstance(statement, ast.Out):
            session.report_problem(NoOutInTraining(), statement.span)
    return tuple(s for s in statements if not isinstance(s, ast.Out))


def _bind_sections(
    section: SelectedSection, params: Mapping[str, Any], scope: Scope, elaborator: Elaborator, bound: SectionParameters
) -> None:
    """Binds the parameters of a section, and through its arguments the parameters of the sections it is derived from, in one scope.

    A value of `params` sets the parameter of the first section that has the name, in place of its argument. `bound` gets their symbols,
    which differ from the model's, because the model may have a parameter with the same name and another value.
    """
    remaining = dict(params)
    for index, part in enumerate(section.chain):
        constants = tuple(p for p in part.parameters if isinstance(p, ast.ParameterDecl))
        explicit = {p.name.name: remaining.pop(p.name.name) for p in constants if p.name.name in remaining}
        if not index:
            _bind_explicit(part, section, constants, explicit, scope, elaborator, bound)
            continue
        base = section.chain[index - 1].base
        assert base is not None
        _bind_explicit(part, section, tuple(p for p in constants if p.name.name in explicit), explicit, scope, elaborator, bound)
        rest, arguments = tuple(p for p in constants if p.name.name not in explicit), _drop_arguments(base, constants, explicit)
        with elaborator.session.catch_failures(()):
            elaborator.parameters.bind_parameters(base.name, rest, arguments, scope, scope, bound)


def _bind_explicit(
    part: ast.TrainDecl,
    section: SelectedSection,
    constants: tuple[ast.ParameterDecl, ...],
    params: Mapping[str, Any],
    scope: Scope,
    elaborator: Elaborator,
    bound: SectionParameters,
) -> None:
    """Binds parameters of a section to what is set, and others to their defaults."""
    shown = ast.ModelDecl(part.span, part.name or ast.Name(section.span, section.name), constants, part.body)
    bind_parameters(shown, params, scope, elaborator, bound)


def _drop_arguments(call: ast.Apply, constants: tuple[ast.ParameterDecl, ...], names: Container[str]) -> ast.Apply:
    """A call without the arguments for these parameters."""
    placed = [p.name.name for p in constants]
    positional = tuple(a for i, a in enumerate(call.positional) if i >= len(placed) or placed[i] not in names)
    return replace(call, positional=positional, keywords=tuple(k for k in call.keywords if k.name not in names))


def _build_objective(
    section: SelectedSection,
    statements: tuple[ast.Statement, ...],
    files: Scope,
    outside: Scope,
    origins: dict[str, Origin],
    body: ModelBody,
    params: dict[str, Any],
    session: ElaborationSession,
) -> Training | None:
    _name_outputs(body)
    frame = GraphFrame(Graph(f"{section.name}_objective", "model", section.span), body.frame, LabelAllocator(numbered=False), ())
    frame.graph.origins = origins
    names = Scope(_open_model_names(body, files), None)
    names.names = dict(outside.names)
    scope = frame.home = Scope(names, frame)
    said = _elaborate_statements(section, statements, scope, frame, body.elaborator)
    # Weights of the objective would not be in the model's state dict, and so would be lost after training.
    for node in find_trained_stages(frame.graph, body.frame.graph):
        session.report_problem(TrainedStage(node.op.name), node.span)
    if said.outputs is None or session.has_failed:
        return None
    joined = join_graphs(section, body, frame, scope, said.outputs)
    if joined is None:
        return None
    main = _write_out_model_symbols(joined, origins)
    differentiated = _mark_differentiated(joined, main, session)
    write_conversions(main, session.precision, session.untyped)
    free = tuple(n for n, d in session.dims.items() if not isinstance(d, int))
    return Training(
        section.name,
        section.model.name,
        Program(main, session.facts, free, tuple(session.conditions), session.dims),
        said.settings,
        section.span,
        said.losses,
        said.metric_spans | {name: scope.names[name].span or section.span for name in said.losses},
        section.several,
        params,
        differentiated,
        joined.added_inputs,
    )


class _Said(Record):
    """What the statements of a section say. `outputs` are None if one of them failed."""

    settings: tuple[Setting, ...]
    losses: tuple[str, ...]
    outputs: dict[str, Value] | None
    metric_spans: dict[str, Span]


def _elaborate_statements(
    section: SelectedSection, statements: tuple[ast.Statement, ...], scope: Scope, frame: GraphFrame, elaborator: Elaborator
) -> _Said:
    session = elaborator.session
    spans = {s.name.name: s.name.span for s in statements if isinstance(s, ast.Metric)}
    for name in RESERVED_METRIC_NAMES & spans.keys():
        session.report_problem(ReservedName(name, "it is a field of the metrics of a run"), spans[name])
    computed = tuple(_metric_as_assign(s) for s in statements if not isinstance(s, (ast.Setting, ast.Expect)))
    session.in_training = True
    with session.decisions.collect_into(frame.graph.decisions):
        if computed:
            elaborator.statements.run_body(ast.Body(section.chain[0].body.span, computed), scope, "the train section")
        settings = evaluate_settings(statements, scope, elaborator)
        losses = find_losses(settings, scope, session)
        outputs = collect_results(section, scope, losses, spans, session)
    return _Said(settings, tuple(losses), outputs, spans)


def _write_out_model_symbols(joined: JoinedGraphs, origins: dict[str, Origin]) -> Graph:
    """Write the values of the model's parameters into the objective's graph: a train file has constants for the section's parameters."""
    own = {name: value for name, value in collect_symbol_values(joined.model).items() if name not in origins}
    return write_out_symbols(joined.main, own, (joined.model,))


def _mark_differentiated(joined: JoinedGraphs, main: Graph, session: ElaborationSession) -> tuple[str, ...]:
    """Mark the values that a `gradient` differentiates by, and report gradients that are 0. Return the names of such inputs."""
    inner, lost_in_model = mark_differentiated(joined.model)
    for value in inner:
        value.differentiated = True
    differentiated, lost = mark_differentiated(main, joined.model)
    for node, of_parameter in lost_in_model:
        session.report_problem(NoDependence(of_parameter, joined.is_input_hidden), node.span)
    for node, of_parameter in lost:
        session.report_problem(NoDependence(of_parameter), node.span)
    return tuple(value.name for value in differentiated)


def _open_model_names(model: ModelBody, files: Scope) -> Scope:
    """A scope with the names of the model's body and parameters. Around them are the names of the section's file, `files`: the model may
    be from another file, whose blocks and functions the section does not see."""
    parameters = Scope(files, None)
    parameters.names = model.base_scope.names
    tensors = Scope(parameters, model.frame)
    tensors.names = model.scope.names
    return tensors


def _name_outputs(model: ModelBody) -> None:
    """Results of the model that the text does not name have the names that the compiled model has for them."""
    values = tensors_of(model.results.flow) or []
    for name, value in zip(output_names(model.results, len(values), set()), values, strict=True):
        if name not in model.scope.names and name.isidentifier():
            model.scope.bind_name(name, value, value.span)


def _metric_as_assign(statement: ast.Statement) -> ast.Statement:
    if isinstance(statement, ast.Metric):
        return ast.Assign(statement.span, (statement.name,), False, statement.value)
    return statement
