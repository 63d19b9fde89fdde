"""Builds a program from a selected model: its parameters, its dimensions, its body, its outputs, and its expectations, in this order.

>>> import netc
>>> program = netc.compile("x = input 3; h = x -> dense 4; out h, (x -> dense 2); expect params == 24").program
>>> program.main.inputs, program.main.outputs
([<x: [N, 3]>], [<h: [N, 4]>, <value: [N, 2]>])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...errors.structure_errors import NoDependence, NoInput, NoResult
from ...ir.differentiated_values import mark_differentiated
from ...ir.graph import Graph, OpNode, Program
from ...ir.graph_values import flatten_parts
from ...ir.walk import join_labels
from ..elaboration_session import ElaborationSession
from ..index import Recorder
from ..interpreter.assignments import BodyResult
from ..interpreter.body_graphs import close_frame
from ..interpreter.elaborator import Elaborator
from ..model_precision import FULL
from ..scopes.compile_time_values import UNKNOWN, TensorTuple, drop_empty_tuples
from ..scopes.label_scope import LabelAllocator
from ..scopes.scope import GraphFrame, LazyLet, Scope
from .expectations import check_expectations
from .model_dimensions import declare_dimensions
from .model_parameters import bind_parameters, bind_set_lets, resolve_base
from .model_selection import SelectedModel
from .written_batches import warn_of_batches


class ModelBody(Record):
    """An elaborated model, before its graph is closed.

    `parameter_scope` has the model's parameters, and `base_scope` the parameters of the model that it is derived from.
    """

    elaborator: Elaborator
    frame: GraphFrame
    scope: Scope
    body: ast.Body
    results: BodyResult
    parameter_scope: Scope
    base_scope: Scope


def build_program(
    selected: SelectedModel, files: Scope, params: Mapping[str, Any], dims: Mapping[str, int], session: ElaborationSession
) -> Program | None:
    """Elaborates the model's body. None if anything failed."""
    model = elaborate_model(selected, files, params, dims, session)
    if model is None:
        return None
    close_frame(model.frame, drop_empty_tuples(model.results.flow), session)
    graph, flow = model.frame.graph, model.results.flow
    if isinstance(flow, TensorTuple) and flow.training is not None:
        graph.training_outputs = list(flatten_parts(flow.training))
    # The frame is closed in any case, so that its ties are checked too.
    if flow is UNKNOWN:
        return None
    if not session.has_failed and session.precision != FULL:
        # A late import: models of float32, which are most, need no casts.
        from .float_conversions import write_conversions

        write_conversions(graph, session.precision, session.untyped)
    if not session.has_failed:  # after an error, a stage may lack its tensor
        _mark_differentiated(graph, session)
    program = _make_program(graph, model.results, selected, model.body, session)
    if not session.has_failed:
        # The expectations of a derived model are about its own parameters, not its base's.
        outer = model.scope if model.base_scope is model.parameter_scope else Scope(model.parameter_scope, model.frame)
        check_expectations(selected, program, params, outer, model.elaborator)
        warn_of_batches(model.body, graph, session)
    return program


def _mark_differentiated(graph: Graph, session: ElaborationSession) -> None:
    """Mark the tensors by which the model differentiates, and report gradients of nothing."""
    differentiated, lost = mark_differentiated(graph)
    for node, of_parameter in lost:
        session.report_problem(NoDependence(of_parameter), node.span)
    for value in differentiated:
        value.differentiated = True


def elaborate_model(
    selected: SelectedModel,
    files: Scope,
    params: Mapping[str, Any],
    dims: Mapping[str, int],
    session: ElaborationSession,
    also: tuple[ast.Statement, ...] = (),
) -> ModelBody | None:
    """Binds the model's parameters, declares the dimensions of its inputs and of the inputs in `also`, and runs its statements. `files` is
    the scope of the file that selects the model."""
    elaborator = Elaborator(session)
    files = selected.scope or files
    parameter_scope = outside = Scope(files, None)
    scope = Scope(outside, None)
    body = selected.body
    if selected.node is None:
        lets = bind_set_lets(selected, params, files, scope, elaborator)
        origins, arguments = lets.origins, lets.values
    else:
        origins = bind_parameters(selected.node, params, outside, elaborator)
    if selected.node is not None and selected.node.base is not None:
        with session.catch_failures(()):
            body, outside = resolve_base(selected.node, outside, files, elaborator, origins)
        if body is selected.body:
            return None
    frame = GraphFrame(Graph(selected.name, "model", body.span), None, LabelAllocator(numbered=False), ())
    frame.graph.origins = origins
    frame.graph.decisions = session.decisions.current
    scope.parent, scope.frame, frame.home = outside, frame, scope
    # A statement may not bind the name of a parameter, which is in another scope of the same body.
    scope.sibling = files if selected.node is None else outside
    frame.graph.arguments = arguments if selected.node is None else {k: b.value for k, b in (outside.names | parameter_scope.names).items()}
    declare_dimensions(ast.Body(body.span, (*body.statements, *also)), scope, elaborator, dims)
    results = elaborator.statements.run_body(body, scope, "the model")
    _evaluate_repeated_lets(elaborator)
    return ModelBody(elaborator, frame, scope, body, results, parameter_scope, outside)


def _evaluate_repeated_lets(elaborator: Elaborator) -> None:
    """Evaluate the `let`s of files that only reused bodies read: an editor shows their values. The reused bodies have noted what is inside
    the `let`s already."""
    session = elaborator.session
    index, session.index = session.index, Recorder()
    for file, name in sorted(session.body_recorder.repeated_lets) if session.body_recorder is not None else ():
        binding = session.files[file].names.get(name) if file in session.files else None
        if binding is not None and isinstance(let := binding.value, LazyLet):
            with session.catch_failures(()):
                session.bind_lazily(binding, elaborator.evaluate(let.node.value, let.scope))
    session.index = index


def _make_program(graph: Graph, results: BodyResult, selected: SelectedModel, body: ast.Body, session: ElaborationSession) -> Program:
    if not graph.inputs:
        session.report_problem(NoInput(), selected.span)
    if not graph.outputs:
        session.report_problem(NoResult("the model"), _result_span(body))
    graph.output_names = list(output_names(results, len(graph.outputs), {v.name for v in graph.inputs} | _own_keys(graph)))
    free = tuple(n for n, d in session.dims.items() if not isinstance(d, int))
    return Program(graph, session.facts, free, tuple(session.conditions), session.dims)


def _own_keys(graph: Graph) -> set[str]:
    """The keys of parameters that have no level of names above them."""
    return {join_labels(node.label, spec.name) for node in graph.nodes if isinstance(node, OpNode) for spec in node.specs}


def _result_span(body: ast.Body) -> Span:
    """The statement that gives the result, for a body whose result is empty."""
    outs = [s for s in body.statements if isinstance(s, ast.Out)]
    return (outs or body.statements)[-1].span


def output_names(results: BodyResult, count: int, used: set[str]) -> Iterable[str]:
    """The names of the outputs: as bound, else `output`, or `output1` and so on for several.

    In an ONNX graph they must differ from the names of the inputs and parameters, `used`, and from each other: an input that is also an
    output gets a `_` appended, and at further ones `_2`, `_3` and so on.
    """
    # Counted for each name, so that one tensor as ten thousand outputs takes linear time.
    used, repeated = set(used), dict.fromkeys(used, 0)
    names = results.names if len(results.names) == count else ("",) * count
    for index, name in enumerate(names):
        wanted = candidate = name or ("output" if count == 1 else f"output{index + 1}")
        while candidate in used:
            repeated[wanted] = repeated.get(wanted, 0) + 1
            candidate = f"{wanted}_" if repeated[wanted] == 1 else f"{wanted}_{repeated[wanted]}"
        used.add(candidate)
        yield candidate
