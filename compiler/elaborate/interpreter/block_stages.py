"""Blocks as stages: `x -> layer 64`.

The arguments and tensors of the use are bound, the body is elaborated as a graph of its own, or taken from the memo, and a call of the
graph is added. With `as _`, the stages of the body go into the graph of the use instead.

    >>> import netc
    >>> main = netc.compile("block layer(width) { dense width relu }; input 3 -> layer 8 -> layer 8 as _").program.main
    >>> [node.label for node in main.nodes]
    ['layer1', 'dense1', 'relu1']
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.record import replace

from ...errors.argument_errors import MissingArgument
from ...errors.structure_errors import ModelAsStage, ModesDiffer
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Value
from ..scopes.body_tensors import copy_with_symbols, name_tensor
from ..scopes.compile_time_values import UNKNOWN, AbsentTensor, Flow, TensorTuple, parts_of
from ..scopes.early_exits import Failure
from ..scopes.memo import MemoEntry
from ..scopes.scope import GIVEN, BlockDef, Scope
from .block_arguments import BoundParameters, ParameterBinder
from .block_tensors import BlockTensors, assign_tensors, declared_tensors, split_by_parameter
from .body_graphs import BodySyntax, elaborate_body
from .calls import emit_call, emit_inline
from .evaluator_protocol import EvaluatorPart, Interpreter
from .model_stages import ModelStages, ModelView
from .named_tensors import Named, NamedTensors
from .shape_patterns import ShapePatterns, axis_names
from .stage_labels import StageLabels


class BlockStages(EvaluatorPart):
    def __init__(
        self,
        interpreter: Interpreter,
        parameters: ParameterBinder,
        patterns: ShapePatterns,
        labels: StageLabels,
        named: NamedTensors,
        models: ModelStages,
    ) -> None:
        super().__init__(interpreter)
        self._parameters, self._patterns, self._labels, self._named = parameters, patterns, labels, named
        self._models = models

    def apply_block(self, node: ast.Apply, block: BlockDef, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """Uses a block or a model on its input. With `as _` its stages are inlined."""
        view = None if isinstance(block.node, ast.Block) else self._models.view_model(block)
        definition = block.node if view is None else view.block
        assert isinstance(definition, ast.Block)
        name = definition.name.name
        kind = "block" if view is None else "model"
        use = CallSite(node.span, f"in {kind} `{name}`, used here")
        written = node
        # Before the arguments: a tensor among the keywords is no compile-time value, and would be refused as an argument.
        node, named = self._named.extract_for_block(node, definition, scope)
        outside = Scope(block.scope, scope.frame)
        # Inlined, the block has no graph, so its sizes need no symbols of their own.
        if shared is None and self._labels.is_inline(node.label, scope):
            arguments = self._bind_arguments(definition, node, outside, scope, "")
            tensors = _assign_tensors(definition, flow, named, written)
            if view is not None:
                outside = self._models.bind_bases(view, arguments, outside)
            self._match_tensors(definition, view, tensors, tensors.values if tensors is not None else [], node, outside)
            return self._inline_body(definition, view, tensors, outside, use)
        arguments = self._bind_arguments(definition, node, outside, scope, self.session.symbol_prefix(definition, name))
        tensors = _assign_tensors(definition, flow, named, written)
        if view is not None:
            outside = self._models.bind_bases(view, arguments, outside)
        self._match_patterns(definition, view, arguments, tensors, node, outside)
        label = shared.label if shared is not None else self._labels.name_stage(node.label, name, node.span, scope)
        counts = None if tensors is None else tensors.counts
        syntax = BodySyntax(
            definition, lambda inner: self._run_body(definition, view, tensors, inner), name, "block", use, arguments, counts
        )
        flow = UNKNOWN if tensors is None else tensors.flow
        with self._mark_active(definition), _refuse_training_results(view, node):
            entry = elaborate_body(syntax, flow, outside, self.session)
        # The label `_` in the block says that it is this operator alone, so its keys have no level for the block.
        if entry.alone:
            return emit_inline(entry, flow, outside, self.session, label, node.span, arguments, shared)
        if node.label is None and shared is None and _is_single_operator(entry, scope):
            return emit_inline(entry, flow, outside, self.session, label, node.span, arguments)
        return emit_call(entry, flow, outside, self.session, label, node.span, shared, arguments)

    def _match_patterns(
        self,
        block: ast.Block,
        view: ModelView | None,
        bound: BoundParameters,
        tensors: BlockTensors | None,
        node: ast.Apply,
        outside: Scope,
    ) -> None:
        """Binds in `outside` the dimensions that the block's patterns name: in its own symbols."""
        own_tensors = [copy_with_symbols(v, bound.owner, i, {}) for i, v in enumerate(tensors.values)] if tensors is not None else []
        with self.session.decisions.collect_into(bound.decisions):
            self._match_tensors(block, view, tensors, own_tensors, node, outside)

    def _match_tensors(
        self,
        block: ast.Block,
        view: ModelView | None,
        tensors: BlockTensors | None,
        values: list[Value],
        node: ast.Apply,
        outside: Scope,
    ) -> None:
        if view is not None:
            self._models.match_inputs(view, tensors, values, node, outside)
        else:
            self._patterns.match_tensors(block, tensors, values, node, outside)

    def _run_body(
        self, definition: ast.Block, view: ModelView | None, tensors: BlockTensors | None, inner: Scope, inlined: bool = False
    ) -> Flow:
        """The body in a scope where `in` is its input. The declared tensors get their names."""
        # Here and not at the use, because a body that the memo has is not elaborated again.
        self.session.count_recursion(definition)
        parameters = declared_tensors(definition)
        body_input = inner.names["in"].value
        if tensors is not None and parameters and parameters[-1].many and not inlined:
            assert inner.frame is not None
            # `rest...` is one tuple for the graph, however many tensors this use passes.
            body_input = inner.frame.make_tuple(parameters[-1].name.name, sum(tensors.counts[:-1]))
        values: list[Flow | None] = [UNKNOWN] * len(parameters)
        if tensors is not None:
            as_tuple = body_input if isinstance(body_input, TensorTuple) else TensorTuple((body_input,))  # type: ignore[arg-type]
            values = split_by_parameter(parameters, tensors.counts, as_tuple)
        if view is not None:
            return self._models.run(view, values, inner)
        for parameter, value in zip(parameters, values, strict=True):
            self._bind_tensor(parameter, value, inner, not inlined)
        if definition.takes_none or (values and values[0] is None):
            del inner.names["in"]
        elif values:
            inner.bind_name("in", values[0])  # type: ignore[arg-type]
        return self.interpreter.run_body(definition.body, inner, f"the block `{definition.name.name}`")

    def _bind_tensor(self, parameter: ast.TensorParameter, value: Flow | None, inner: Scope, rename: bool) -> None:
        name = parameter.name.name
        if rename and isinstance(value, Value):
            name_tensor(name, value, axis_names(parameter, value.type.rank))
        binding = inner.bind_name(name, AbsentTensor(name) if value is None else value, parameter.span)
        self.session.index.record_binding(parameter.name, binding)
        if parameter.optional or parameter.many:
            some = value is not None and not (isinstance(value, TensorTuple) and not value.values)
            inner.bind_name(name + GIVEN, UNKNOWN if value is UNKNOWN else some)

    def _inline_body(
        self, definition: ast.Block, view: ModelView | None, tensors: BlockTensors | None, outside: Scope, use: CallSite
    ) -> Flow:
        """Runs the body of a block in the frame where it is used."""
        frame = outside.frame
        assert frame is not None
        inner = Scope(outside, frame)
        inner.sibling = outside
        inner.bind_name("in", UNKNOWN if tensors is None else tensors.flow)
        before, frame.trace = frame.trace, (use, *frame.trace)
        try:
            with self._mark_active(definition), self.session.limit_nesting(use.span), frame.inline_stages():
                return self._run_body(definition, view, tensors, inner, inlined=True)
        finally:
            frame.trace = before

    @contextmanager
    def _mark_active(self, definition: ast.Block) -> Iterator[None]:
        self.session.active.append(definition)
        try:
            yield
        finally:
            self.session.active.pop()

    def _bind_arguments(self, block: ast.Block, node: ast.Apply, outside: Scope, scope: Scope, prefix: str) -> BoundParameters:
        """The block's arguments. A missing one that the body uses as a tensor was meant to be the input."""
        bound = BoundParameters.make_empty(prefix)
        constants = tuple(p for p in block.parameters if isinstance(p, ast.ParameterDecl))
        try:
            self._parameters.bind_parameters(block.name.name, constants, node, outside, scope, bound)
            return bound
        except Failure as failure:
            problem = failure.problem
            if not isinstance(problem, MissingArgument) or problem.name not in _pipeline_heads(block.body):
                raise
            hint = f"the input is `in`, or a parameter with a shape: `block {problem.owner}({problem.name}: [...])`"
            raise Failure(replace(problem, hint=hint), failure.span, failure.marks) from None


@contextmanager
def _refuse_training_results(view: ModelView | None, node: ast.Apply) -> Iterator[None]:
    """Report results that differ in training at the use of the model, because its text may be in another file."""
    try:
        yield
    except Failure as failure:
        if view is None or not isinstance(failure.problem, ModesDiffer):
            raise
        names = [p.name.name for p in view.block.parameters if isinstance(p, ast.ParameterDecl) and isinstance(p.default, ast.Boolean)]
        advice = f"its parameter may leave out the results of training: `{names[0]}=false`" if names else ""
        help_ = advice or "write the results that both have as a model of its own"
        # The failure was at a line of the model's own text, where the author of the use can change nothing.
        problem = ModelAsStage(view.block.name.name, "its results in training are others than in evaluation", help_)
        raise Failure(problem, node.name_span, ((view.block.name.span, "declared here"),)) from None


def _assign_tensors(block: ast.Block, flow: Flow, named: Named, node: ast.Apply) -> BlockTensors | None:
    """Assign the tensors of a use to the block's parameters. None if one of the tensors has failed."""
    parts = parts_of(flow)
    return None if parts is None else assign_tensors(block, parts, named, node)


def _pipeline_heads(body: ast.Body) -> list[str]:
    """The names that a body's pipelines begin with."""
    pipelines = [s.pipeline if isinstance(s, ast.Flow) else s.value for s in body.statements if isinstance(s, (ast.Flow, ast.Assign))]
    return [p.head.name for p in pipelines if isinstance(p.head, ast.Apply) and p.stages]


def _is_single_operator(entry: MemoEntry, scope: Scope) -> bool:
    """Whether a block is one operator whose names do not change if it is inlined.

    A buffer that is not persistent would get a number for its name in a sequence.
    """
    if entry.failed or not entry.single or scope.frame is None:
        return False
    stage = entry.graph.nodes[0]
    if not isinstance(stage, OpNode):
        return False
    return not stage.specs or not (scope.frame.labels.numbered or any(spec.persistent for spec in stage.specs))
