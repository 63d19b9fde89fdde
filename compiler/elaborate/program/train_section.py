"""From a selected train section to its objective: the model's body, what the section computes of its tensors, and the evaluated settings.

In: a `SelectedSection`. Out: a `Training`, None if anything failed. The section is elaborated in a frame inside the model's: the tensors of
the model that it names are captured, and become further outputs of the model's graph. The objective's graph calls that graph, and computes
the loss and the metrics of its outputs and of the section's own inputs. Always: the objective's numbers have no symbols, because its module
has no parameters to pass them as. A name in a section is the number that it is bound to.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.binding_errors import ReservedName
from ...errors.training_errors import (
    LossNotFloat,
    LossNotScalar,
    ModelOfItself,
    NoLoss,
    NoOutInTraining,
    ParameterOfBoth,
    TrainedStage,
    WrongModelInput,
)
from ...ir.graph import CallNode, Graph, OpNode, Program
from ...ir.graph_values import Value
from ...ir.substitute_symbols import write_out_symbols
from ...ir.training_program import FIELDS, LOSS, MODEL, Training
from ...ir.walk import graphs, needed, symbol_values
from ...types.tensor_types import FLOAT32
from ..elaboration_session import ElaborationSession
from ..interpreter.block_arguments import UNTRACED, BoundParameters
from ..interpreter.body_graphs import finish
from ..interpreter.elaborator import Elaborator
from ..scopes.body_tensors import copied
from ..scopes.compile_time_values import UNKNOWN, TensorTuple, tensors, without_empty
from ..scopes.early_exits import Failure
from ..scopes.label_scope import LabelAllocator
from ..scopes.scope import GraphFrame, Scope
from .build_program import ModelBody, elaborate_model, output_names
from .casts import Casts
from .float_conversions import write_conversions
from .model_parameters import bind_parameters, reject_unknown
from .model_selection import SelectedModel
from .section_settings import evaluate_settings, without_mistaken
from .sections import SelectedSection, statements_of


def build_training(
    section: SelectedSection, files: Scope, params: Mapping[str, Any], dims: Mapping[str, int], session: ElaborationSession
) -> Training | None:
    """Elaborates the model and the section. `params` are the section's, and those of the model that the section does not set."""
    elaborator = Elaborator(session)
    outside = Scope(files, None)
    of_section, of_model = _parameters_of(section), [name.name for name in _parameter_nodes(section.model)]
    known = [*of_model, *(name for name in of_section if name not in of_model)]
    reject_unknown(params, known, session)
    _refuse_shared_names(section, session)
    given = {name: value for name, value in params.items() if name in of_model and name not in of_section}
    own = {name: value for name, value in params.items() if name in of_section}
    if section.model.node is not None:
        _bind_sections(section, own, outside, elaborator)
    for keyword in section.model_call.keywords if section.model_call is not None else ():
        with session.catching(()):
            given.setdefault(keyword.name, elaborator.evaluate(keyword.value, outside))
    statements = _without_out(without_mistaken(statements_of(section.chain), session), session)
    made = elaborate_model(section.model, files, given, dims, session, tuple(s for s in statements if not isinstance(s, ast.Setting)))
    if made is None or made.results.flow is UNKNOWN:
        return None
    if section.model.node is None:  # a file without a model: defaults may use its `let`s, which are evaluated by now
        _bind_sections(section, own, outside, elaborator)
    return _objective(section, statements, outside, made, given, session)


def _parameters_of(section: SelectedSection) -> list[str]:
    return [p.name.name for one in section.chain for p in one.parameters if isinstance(p, ast.ParameterDecl)]


def _parameter_nodes(model: SelectedModel) -> list[ast.Name]:
    """The parameters of the model; those of a file's own statements are its `let`s."""
    if model.node is None:
        return [s.name for s in model.body.statements if isinstance(s, ast.Let)]
    return [p.name for p in model.node.parameters if isinstance(p, ast.ParameterDecl)]


def _refuse_shared_names(section: SelectedSection, session: ElaborationSession) -> None:
    """Reports parameters of the section that have the name of one of the model and do not set it: a value could be meant for either."""
    of_model = {name.name: name.span for name in _parameter_nodes(section.model)}
    passed = {k.name for k in section.model_call.keywords} if section.model_call is not None else set()
    for parameter in (p for one in section.chain for p in one.parameters):
        name = parameter.name.name
        if name in of_model and name not in passed:
            marks = ((of_model[name], "the model's"),)
            session.report(ParameterOfBoth(name, section.model.name), parameter.name.span, marks)


def _without_out(statements: tuple[ast.Statement, ...], session: ElaborationSession) -> tuple[ast.Statement, ...]:
    """The statements without `out`, which is reported."""
    for statement in statements:
        if isinstance(statement, ast.Out):
            session.report(NoOutInTraining(), statement.span)
    return tuple(s for s in statements if not isinstance(s, ast.Out))


def _bind_sections(section: SelectedSection, params: Mapping[str, Any], scope: Scope, elaborator: Elaborator) -> None:
    """Binds the parameters of a section, and through its arguments the parameters of the sections it is derived from, in one scope.

    A value of `params` sets the parameter of the first section that has the name, in place of its argument. The parameters have no symbols,
    because the model may have a parameter with the same name and another value.
    """
    left = dict(params)
    for index, one in enumerate(section.chain):
        constants = tuple(p for p in one.parameters if isinstance(p, ast.ParameterDecl))
        own = {p.name.name: left.pop(p.name.name) for p in constants if p.name.name in left}
        if not index:
            _bind_set(one, section, constants, own, scope, elaborator)
            continue
        base = section.chain[index - 1].base
        assert base is not None
        _bind_set(one, section, tuple(p for p in constants if p.name.name in own), own, scope, elaborator)
        rest, arguments = tuple(p for p in constants if p.name.name not in own), _without(base, constants, own)
        with elaborator.session.catching(()):
            elaborator.parameters.bind(base.name, rest, arguments, scope, scope, BoundParameters.empty(UNTRACED))


def _bind_set(
    one: ast.TrainDecl,
    section: SelectedSection,
    constants: tuple[ast.ParameterDecl, ...],
    params: Mapping[str, Any],
    scope: Scope,
    elaborator: Elaborator,
) -> None:
    """Binds parameters of a section to what is set, and others to their defaults."""
    shown = ast.ModelDecl(one.span, one.name or ast.Name(section.span, section.name), constants, one.body)
    bind_parameters(shown, params, scope, elaborator, BoundParameters.empty(UNTRACED))


def _without(call: ast.Apply, constants: tuple[ast.ParameterDecl, ...], names: Container[str]) -> ast.Apply:
    """A call without the arguments for these parameters."""
    placed = [p.name.name for p in constants]
    positional = tuple(a for i, a in enumerate(call.positional) if i >= len(placed) or placed[i] not in names)
    return replace(call, positional=positional, keywords=tuple(k for k in call.keywords if k.name not in names))


def _objective(
    section: SelectedSection,
    statements: tuple[ast.Statement, ...],
    outside: Scope,
    made: ModelBody,
    params: dict[str, Any],
    session: ElaborationSession,
) -> Training | None:
    _name_outputs(made)
    frame = GraphFrame(Graph(f"{section.name}_objective", "model", section.span), made.frame, LabelAllocator(numbered=False), ())
    names = Scope(made.scope, None)
    names.names = dict(outside.names)
    scope = frame.home = Scope(names, frame)
    spans = {s.name.name: s.name.span for s in statements if isinstance(s, ast.Metric)}
    for name in FIELDS & spans.keys():
        session.report(ReservedName(name, "it is a field of the metrics of a run"), spans[name])
    computed = tuple(_as_assign(s) for s in statements if not isinstance(s, (ast.Setting, ast.ExpectCondition, ast.ExpectShape)))
    session.in_training = True
    with session.decisions.within(frame.graph.decisions):
        if computed:
            made.elaborator.statements.run(ast.Body(section.chain[0].body.span, computed), scope, "the train section")
        outputs = _results(section, scope, spans, session)
        settings = evaluate_settings(statements, scope, made.elaborator)
    for node in [n for g in graphs(frame.graph) for n in g.nodes if isinstance(n, OpNode) and any(s.trainable for s in n.specs)]:
        session.report(TrainedStage(node.op.name), node.span)
    if outputs is None or session.failed:
        return None
    model = _model_graph(section, made, frame)
    given = _computed_inputs(made, scope, session)
    main = None if session.failed else _call(model, frame, given, outputs, section, session)
    if main is None:
        return None
    main = write_out_symbols(main, symbol_values(model), (model,))
    write_conversions(main, session.precision, session.untyped)
    free = tuple(n for n, d in session.dims.items() if not isinstance(d, int))
    program = Program(main, session.facts, free, tuple(session.conditions), session.dims)
    place = scope.names[LOSS].span or section.span
    return Training(section.name, section.model.name, program, settings, section.span, place, spans, section.several, params)


def _name_outputs(made: ModelBody) -> None:
    """Results of the model that the text does not name have the names that the compiled model has for them."""
    values = tensors(made.results.flow) or []
    for name, value in zip(output_names(made.results, len(values), set()), values, strict=True):
        if name not in made.scope.names and name.isidentifier():
            made.scope.bind(name, value, value.span)


def _as_assign(statement: ast.Statement) -> ast.Statement:
    if isinstance(statement, ast.Metric):
        return ast.Assign(statement.span, (statement.name,), False, statement.value)
    return statement


def _results(section: SelectedSection, scope: Scope, metrics: dict[str, Span], session: ElaborationSession) -> dict[str, Value] | None:
    """The loss and the metrics, each one number."""
    if LOSS not in scope.names:
        session.report(NoLoss(), section.span)
        return None
    found: dict[str, Value] = {}
    for name in (LOSS, *metrics):
        flow = scope.names[name].value
        values = tensors(flow) if isinstance(flow, (Value, TensorTuple)) else None
        if flow is UNKNOWN or values is None:
            continue
        span = scope.names[name].span or section.span
        with session.catching(()):
            found[name] = _number(name, values, span)
    return found if len(found) == 1 + len(metrics) else None


def _number(name: str, values: list[Value], span: Span) -> Value:
    value = values[0]
    if len(values) != 1 or value.type.rank:
        raise Failure(LossNotScalar(name, value.type), span, ((value.span, f"{value.type}"),))
    if name == LOSS and value.type.dtype.kind != "float":
        raise Failure(LossNotFloat(value.type), span)
    return value


def _model_graph(section: SelectedSection, made: ModelBody, frame: GraphFrame) -> Graph:
    """The model's graph, whose outputs are the model's and then the other tensors that the section names."""
    finish(made.frame, without_empty(made.results.flow), made.elaborator.session)
    graph = made.frame.graph
    graph.output_names = list(output_names(made.results, len(graph.outputs), {v.name for v in graph.inputs}))
    for value in frame.outer.values():
        if all(value is not v for v in (*graph.inputs, *graph.outputs)):
            graph.outputs.append(value)
            graph.output_names.append(value.name or f"value{len(graph.outputs)}")
    graph.kind = "block"
    return graph


def _computed_inputs(made: ModelBody, scope: Scope, session: ElaborationSession) -> dict[str, Value]:
    """The inputs of the model that the section computes: those whose names it binds."""
    found: dict[str, Value] = {}
    for value in made.frame.graph.inputs:
        bound = scope.names.get(value.name)
        if bound is None or not isinstance(bound.value, Value):
            continue
        span = bound.span or value.span
        with session.catching(()):
            given = _in_type_of(bound.value, value, scope)
            if given.type != value.type:
                raise Failure(WrongModelInput(value.name, value.type, given.type), span, ((value.span, "declared here"),))
            found[value.name] = given
    return found


def _in_type_of(value: Value, wanted: Value, scope: Scope) -> Value:
    """A tensor of float32 as an input of a model of another type takes it."""
    if (
        value.type == wanted.type
        or value.type.dtype != FLOAT32
        or value.type.with_dtype(wanted.type.dtype) != wanted.type
        or scope.frame is None
    ):
        return value
    node = Casts().make(value, wanted.type.dtype, value.span, scope.frame.graph)
    scope.frame.graph.nodes.append(node)
    return node.outputs[0]


def _call(
    model: Graph,
    frame: GraphFrame,
    given: dict[str, Value],
    outputs: dict[str, Value],
    section: SelectedSection,
    session: ElaborationSession,
) -> Graph | None:
    """The objective's graph: what the section computes for the model, the call of the model, and what the section computes of that. None
    if the first needs the last."""
    graph, captured = frame.graph, frame.outer
    inner = {id(outer): value for value in graph.inputs if (outer := captured.get(id(value))) is not None}
    passed: list[Value] = []
    for source in model.inputs:
        value = given.get(source.name) or inner.get(id(source)) or copied(source)
        if source.name not in given:
            value.name = source.name
        passed.append(value)
    inputs = tuple(passed)
    before = list(needed(graph.nodes, list(given.values())))
    made_by_model = {id(inner[id(v)]) for v in model.outputs if id(v) in inner and all(v is not i for i in model.inputs)}
    for node in before:
        if any(id(v) in made_by_model for v in node.inputs):
            session.report(ModelOfItself(tuple(given)), node.span)
            return None
    results = tuple(inner.get(id(v)) or Value(v.type, v.span, spatial=v.spatial, weak=v.weak) for v in model.outputs)
    arguments = {name: origin.value for name, origin in model.origins.items() if isinstance(origin.value, (int, float))}
    call = CallNode(model, inputs, results, MODEL, section.span, arguments=arguments)
    own = [v for v in graph.inputs if id(v) not in captured]
    taken = [v for v in inputs if all(v is not g for g in given.values()) and all(v is not o for o in own)]
    graph.inputs = [*taken, *own]
    early = {id(n) for n in before}
    graph.nodes = [*before, call, *(n for n in graph.nodes if id(n) not in early)]
    graph.captures = 0
    graph.tuples = []
    graph.size += model.size
    graph.outputs = list(outputs.values())
    graph.output_names = list(outputs)
    return graph
