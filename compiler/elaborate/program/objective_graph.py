"""Joins the graphs of a model and of a train section into the objective's graph.

The section's frame is inside the model's. What the section captures becomes outputs of the model's graph, and the objective's graph calls
the model's graph between what the section computes for it and what the section computes of its results.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "x = input 3; y = x -> dense 1; train { seen = input 3; x = seen * 2; loss = y -> mean; optimizer sgd }"
    >>> main = analyze_training(SourceFile("<text>", text), Choice()).training.program.main
    >>> [node.label for node in main.nodes], main.inputs
    (['mul1', 'model', 'mean1'], [<seen: [N, 3]>])
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl.record import Record

from ...errors.training_errors import ModelOfItself, WrongModelInput
from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value, flatten_parts
from ...ir.training_program import MODEL
from ...ir.unique import make_unique_name
from ...ir.walk import find_needed_nodes
from ...types.tensor_types import FLOAT32
from ..elaboration_session import ElaborationSession
from ..interpreter.body_graphs import close_frame
from ..scopes.body_tensors import copy_tensor
from ..scopes.compile_time_values import Flow, TensorTuple, drop_empty_tuples
from ..scopes.early_exits import Failure
from ..scopes.scope import GraphFrame, Scope
from .build_program import ModelBody, output_names
from .casts import Casts
from .reused_stages import move_reused_stages
from .sections import SelectedSection


class JoinedGraphs(Record):
    """The objective's graph `main`, the model's graph that it calls, and the number of inputs that the model got for stages that the
    section applies to other tensors. `is_input_hidden`: the model's uses of its stages do not see how the section computes its inputs."""

    main: Graph
    model: Graph
    added_inputs: int
    is_input_hidden: bool


def join_graphs(
    section: SelectedSection, body: ModelBody, frame: GraphFrame, scope: Scope, outputs: dict[str, Value]
) -> JoinedGraphs | None:
    """Return the objective's graph, whose outputs are `outputs`, and the model's. None if something was reported."""
    session = body.elaborator.session
    computed = _find_computed_inputs(body, scope, session)
    own_inputs = len(body.frame.graph.inputs)
    places = {name: scope.names[name].span or value.span for name, value in computed.items()}
    move_reused_stages(frame, body.frame, computed, outputs, places, session)
    added_inputs = len(body.frame.graph.inputs) - own_inputs
    if session.has_failed:
        return None
    model = _close_model_graph(section, body, frame)
    main = _call_model(model, frame, computed, outputs, section, session)
    return None if main is None else JoinedGraphs(main, model, added_inputs, bool(added_inputs) and len(computed) > added_inputs)


def _close_model_graph(section: SelectedSection, model: ModelBody, frame: GraphFrame) -> Graph:
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


def _find_computed_inputs(model: ModelBody, scope: Scope, session: ElaborationSession) -> dict[str, Value]:
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
