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

from collections.abc import Container, Iterator, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.binding_errors import ReservedName
from ...errors.structure_errors import NoDependence
from ...errors.training_errors import (
    ModelOfItself,
    NoOutInTraining,
    ParameterOfBoth,
    TrainedStage,
    WrongModelInput,
)
from ...ir.differentiated_values import mark_differentiated
from ...ir.graph import CallNode, Graph, Node, OpNode, Program
from ...ir.graph_values import Value, flatten_parts
from ...ir.substitute_symbols import write_out_symbols
from ...ir.training_program import MODEL, RESERVED_METRIC_NAMES, Training
from ...ir.unique import make_unique_name
from ...ir.walk import collect_symbol_values, find_needed_nodes
from ...types.tensor_types import FLOAT32
from ...types.traced_ints import Origin, strip_formulas
from ..elaboration_session import ElaborationSession
from ..interpreter.block_arguments import SECTION, SectionParameters, match_arguments
from ..interpreter.body_graphs import close_frame
from ..interpreter.elaborator import Elaborator
from ..scopes.body_tensors import copy_tensor
from ..scopes.compile_time_values import UNKNOWN, Flow, TensorTuple, drop_empty_tuples, tensors_of
from ..scopes.early_exits import Failure
from ..scopes.label_scope import LabelAllocator
from ..scopes.scope import GraphFrame, Scope
from .build_program import ModelBody, elaborate_model, output_names
from .casts import Casts
from .float_conversions import write_conversions
from .model_parameters import bind_parameters, reject_unknown
from .model_selection import SelectedModel
from .reused_stages import find_trained_stages, move_reused_stages
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
    spans = {s.name.name: s.name.span for s in statements if isinstance(s, ast.Metric)}
    for name in RESERVED_METRIC_NAMES & spans.keys():
        session.report_problem(ReservedName(name, "it is a field of the metrics of a run"), spans[name])
    computed = tuple(_metric_as_assign(s) for s in statements if not isinstance(s, (ast.Setting, ast.Expect)))
    session.in_training = True
    with session.decisions.collect_into(frame.graph.decisions):
        if computed:
            body.elaborator.statements.run_body(ast.Body(section.chain[0].body.span, computed), scope, "the train section")
        settings = evaluate_settings(statements, scope, body.elaborator)
        losses = find_losses(settings, scope, session)
        outputs = collect_results(section, scope, losses, spans, session)
    # Weights of the objective would not be in the model's state dict, and so would be lost after training.
    for node in find_trained_stages(frame.graph, body.frame.graph):
        session.report_problem(TrainedStage(node.op.name), node.span)
    if outputs is None or session.has_failed:
        return None
    computed_inputs = _computed_inputs(body, scope, session)
    own_inputs = len(body.frame.graph.inputs)
    places = {name: scope.names[name].span or value.span for name, value in computed_inputs.items()}
    move_reused_stages(frame, body.frame, computed_inputs, outputs, places, session)
    added_inputs = len(body.frame.graph.inputs) - own_inputs
    if session.has_failed:
        return None
    model = _model_graph(section, body, frame)
    main = _call_model(model, frame, computed_inputs, outputs, section, session)
    if main is None:
        return None
    own = {name: value for name, value in collect_symbol_values(model).items() if name not in origins}
    main = write_out_symbols(main, own, (model,))
    inner, lost_in_model = mark_differentiated(model)
    for value in inner:
        value.differentiated = True
    differentiated, lost = mark_differentiated(main, model)
    # The model's uses of its stages in the section do not see how the section computes its inputs.
    through_input = bool(added_inputs) and len(computed_inputs) > added_inputs
    for node, of_parameter in lost_in_model:
        session.report_problem(NoDependence(of_parameter, through_input), node.span)
    for node, of_parameter in lost:
        session.report_problem(NoDependence(of_parameter), node.span)
    write_conversions(main, session.precision, session.untyped)
    free = tuple(n for n, d in session.dims.items() if not isinstance(d, int))
    program = Program(main, session.facts, free, tuple(session.conditions), session.dims)
    spans |= {name: scope.names[name].span or section.span for name in losses}
    return Training(
        section.name,
        section.model.name,
        program,
        settings,
        section.span,
        tuple(losses),
        spans,
        section.several,
        params,
        tuple(value.name for value in differentiated),
        added_inputs,
    )


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


def _model_graph(section: SelectedSection, model: ModelBody, frame: GraphFrame) -> Graph:
    """The model's graph, whose outputs are the model's and then the other tensors that the section names."""
    close_frame(model.frame, drop_empty_tuples(model.results.flow), model.elaborator.session)
    graph = model.frame.graph
    graph.output_names = list(output_names(model.results, len(graph.outputs), {v.name for v in graph.inputs}))
    for value in frame.outer.values():
        if all(value is not v for v in (*graph.inputs, *graph.outputs)):
            graph.outputs.append(value)
            graph.output_names.append(make_unique_name(value.name or f"value{len(graph.outputs)}", {*graph.output_names}))
    _drop_evaluation_outputs(graph, model.results.flow, frame)
    # The model is called by the objective here, so it is no longer the outermost graph.
    graph.kind = "block"
    return graph


def _drop_evaluation_outputs(graph: Graph, flow: Flow, frame: GraphFrame) -> None:
    """Drop the outputs that the model has in evaluation alone, unless the section reads them, and the stages without parameters that only
    they need: the scores of a large vocabulary, for example, which `linear_cross_entropy` does without."""
    if not isinstance(flow, TensorTuple) or flow.training is None:
        return
    kept = {id(value) for value in (*flatten_parts(flow.training), *frame.outer.values())}
    pairs = [(v, name) for v, name in zip(graph.outputs, graph.output_names, strict=True) if id(v) in kept]
    graph.outputs, graph.output_names = [value for value, _ in pairs], [name for _, name in pairs]
    stateful = [node for node in graph.nodes if _has_state(node)]
    needed = find_needed_nodes(graph.nodes, [*graph.outputs, *(v for node in stateful for v in node.outputs)])
    graph.nodes, graph.size = needed, sum(node.graph.size if isinstance(node, CallNode) else 1 for node in needed)


def _has_state(node: Node) -> bool:
    """Whether a node has parameters or buffers, or is a use of a module that has."""
    if isinstance(node, OpNode):
        return bool(node.specs) or node.shared is not None
    return node.shared is not None or bool(node.modules) or any(map(_has_state, node.graph.nodes))


def _computed_inputs(model: ModelBody, scope: Scope, session: ElaborationSession) -> dict[str, Value]:
    """The inputs of the model that the section computes: those whose names it binds."""
    computed: dict[str, Value] = {}
    for value in model.frame.graph.inputs:
        bound = scope.names.get(value.name)
        if bound is None or not isinstance(bound.value, Value):
            continue
        span = bound.span or value.span
        with session.catch_failures(()):
            converted = _cast_to_type_of(bound.value, value, scope)
            if converted.type != value.type:
                raise Failure(WrongModelInput(value.name, value.type, converted.type), span, ((value.span, "declared here"),))
            computed[value.name] = converted
    return computed


def _cast_to_type_of(value: Value, wanted: Value, scope: Scope) -> Value:
    """A tensor of float32 as an input of a model of another type takes it."""
    if (
        value.type == wanted.type
        or value.type.dtype != FLOAT32
        or value.type.with_dtype(wanted.type.dtype) != wanted.type
        or scope.frame is None
    ):
        return value
    # A section computes in float32 at least, also for a model in bfloat16.
    node = Casts().make_cast(value, wanted.type.dtype, value.span, scope.frame.graph)
    scope.frame.graph.nodes.append(node)
    return node.outputs[0]


def _make_results(model: Graph, inner: dict[int, Value]) -> Iterator[Value]:
    """Yield the tensors that a call of the model makes: those that the section uses, if there are any.

    An output may be an input of the model too, or the same tensor as another output. The section uses the input, or the first of them, and
    a graph makes each of its tensors once.
    """
    made = {id(value) for value in model.inputs}
    for value in model.outputs:
        used = None if id(value) in made else inner.get(id(value))
        made.add(id(value))
        yield used or Value(value.type, value.span, spatial=value.spatial, weak=value.weak)


def _call_model(
    model: Graph,
    frame: GraphFrame,
    computed: dict[str, Value],
    outputs: dict[str, Value],
    section: SelectedSection,
    session: ElaborationSession,
) -> Graph | None:
    """The objective's graph: what the section computes for the model, the call of the model, and what the section computes of that. None
    if the first needs the last."""
    graph, captured = frame.graph, frame.outer
    inner = {id(outer): value for value in graph.inputs if (outer := captured.get(id(value))) is not None}
    passed, model_inputs = list[Value](), list[Value]()
    for source in model.inputs:
        value = computed.get(source.name) or inner.get(id(source)) or copy_tensor(source)
        if source.name not in computed:
            value.name = source.name
            model_inputs.append(value)
        passed.append(value)
    inputs = tuple(passed)
    before = list(find_needed_nodes(graph.nodes, list(computed.values())))
    computed_by_model = {id(inner[id(v)]) for v in model.outputs if id(v) in inner and all(v is not i for i in model.inputs)}
    for node in before:
        if any(id(v) in computed_by_model for v in node.inputs):
            session.report_problem(ModelOfItself(tuple(computed)), node.span)
            return None
    results = tuple(_make_results(model, inner))
    arguments = {name: origin.value for name, origin in model.origins.items() if isinstance(origin.value, (int, float))}
    call = CallNode(model, inputs, results, MODEL, section.span, arguments=arguments)
    section_inputs = [v for v in graph.inputs if id(v) not in captured]
    graph.inputs = [*model_inputs, *section_inputs]
    # Nodes must be in an order in which each input exists: first what the model takes, then the model.
    early = {id(n) for n in before}
    graph.nodes = [*before, call, *(n for n in graph.nodes if id(n) not in early)]
    graph.captures = 0
    graph.tuples = []
    graph.size += model.size
    graph.outputs = list(outputs.values())
    graph.output_names = list(outputs)
    return graph
