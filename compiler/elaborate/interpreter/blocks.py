"""Blocks as stages: arguments and tensors bound, the body elaborated, a call added."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.record import replace

from ...errors.names import MissingArgument
from ...errors.structure import ModelAsStage
from ...ir.graph import OpNode, SharedModule, Value
from ..scopes.failures import Failure
from ..scopes.memo import Entry
from ..scopes.scope import BlockDef, Scope, name_tensor, with_named_sizes
from ..scopes.values import UNKNOWN, Flow, main_result, tensors
from .base import Interpreter, Part
from .bodies import BodySyntax, elaborate_body
from .calls import emit_call, emit_inline
from .parameters import BoundParameters, Parameters
from .patterns import Patterns, axis_names
from .stage_labels import StageLabels, is_inline

Definition = ast.Block | ast.ModelDecl


class Blocks(Part):
    def __init__(self, interpreter: Interpreter, parameters: Parameters, patterns: Patterns, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._parameters, self._patterns, self._labels = parameters, patterns, labels

    def apply(self, node: ast.Apply, block: BlockDef, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """Uses a block on its input. With `as _` its stages are inlined."""
        definition, name = block.node, block.node.name.name
        self._check_usable(node, definition)
        outside = Scope(block.scope, scope.frame)
        use = CallSite(node.span, f"in block `{name}`, used here")
        if shared is None and is_inline(node.label):
            self._bind_arguments(definition, node, outside, scope, "")
            self._patterns.match(definition, tensors(flow), node, outside)
            return self._inline(definition, flow, outside, use)
        arguments = self._bind(definition, node, flow, outside, scope)
        label = shared.label if shared is not None else self._labels.of_stage(node.label, name, node.span, scope)
        syntax = BodySyntax(definition, lambda inner: self._run(definition, inner), name, "block", use, arguments)
        with self._active(definition):
            entry = elaborate_body(syntax, flow, outside, self.session)
        if node.label is None and shared is None and _is_single_operator(entry, scope):
            return emit_inline(entry, flow, outside, self.session, label, node.span, arguments)
        return emit_call(entry, flow, outside, self.session, label, node.span, shared, arguments)

    def _bind(self, definition: Definition, node: ast.Apply, flow: Flow, outside: Scope, scope: Scope) -> BoundParameters:
        """The parameters, and in `outside` also the dimensions that the block's patterns name: in its own symbols."""
        owner = self.session.owner(definition, definition.name.name)
        arguments = self._bind_arguments(definition, node, outside, scope, owner)
        values = tensors(flow)
        own = values and [with_named_sizes(v, owner, i, {}) for i, v in enumerate(values)]
        with self.session.decisions.within(arguments.decisions):
            self._patterns.match(definition, own, node, outside)
        return arguments

    def _run(self, definition: Definition, inner: Scope, rename: bool = True) -> Flow:
        """The body in a scope where `in` is its input. The declared tensors get their names."""
        self.session.count_recursion(definition)
        declared = [p for p in definition.parameters if isinstance(p, ast.TensorParameter)]
        values = tensors(inner.names["in"].value)  # type: ignore[arg-type]
        for index, parameter in enumerate(declared):
            name, value = parameter.name.name, values[index] if values is not None else UNKNOWN
            if rename and isinstance(value, Value):
                name_tensor(name, value, axis_names(parameter, value.type.rank))
            self.session.index.bound(parameter.name, inner.bind(name, value, parameter.span))
        if declared and values is not None:
            inner.bind("in", inner.names[declared[0].name.name].value)
        return self.interpreter.body(definition.body, inner, f"the block `{definition.name.name}`")

    def _inline(self, definition: Definition, flow: Flow, outside: Scope, use: CallSite) -> Flow:
        """Runs the body of a block in the frame where it is used."""
        frame = outside.frame
        assert frame is not None
        inner = Scope(outside, frame)
        inner.sibling = outside
        inner.bind("in", main_result(flow))
        before, frame.trace = frame.trace, (use, *frame.trace)
        try:
            with self._active(definition), self.session.nested(use.span), frame.inlining():
                return self._run(definition, inner, rename=False)
        finally:
            frame.trace = before

    @contextmanager
    def _active(self, definition: Definition) -> Iterator[None]:
        self.session.active.append(definition)
        try:
            yield
        finally:
            self.session.active.pop()

    def _bind_arguments(self, block: Definition, node: ast.Apply, outside: Scope, scope: Scope, prefix: str) -> BoundParameters:
        """The block's arguments. A missing one that the body uses as a tensor was meant to be the input."""
        bound = BoundParameters.empty(prefix)
        constants = tuple(p for p in block.parameters if isinstance(p, ast.ParameterDecl))
        try:
            self._parameters.bind(block.name.name, constants, node, outside, scope, bound)
            return bound
        except Failure as failure:
            problem = failure.problem
            if not isinstance(problem, MissingArgument) or problem.name not in _heads(block.body):
                raise
            hint = f"the input is `in`, or a parameter with a shape: `block {problem.owner}({problem.name}: [...])`"
            raise Failure(replace(problem, hint=hint), failure.span, failure.marks) from None

    def _check_usable(self, node: ast.Apply, definition: Definition) -> None:
        name = definition.name.name
        if isinstance(definition, ast.ModelDecl):
            raise Failure(ModelAsStage(name), node.name_span, ((definition.name.span, "declared here"),))


def _heads(body: ast.Body) -> list[str]:
    """The names that a body's pipelines begin with."""
    pipelines = [s.pipeline if isinstance(s, ast.Flow) else s.value for s in body.statements if isinstance(s, (ast.Flow, ast.Assign))]
    return [p.head.name for p in pipelines if isinstance(p.head, ast.Apply) and p.stages]


def _is_single_operator(entry: Entry, scope: Scope) -> bool:
    """Whether a block is one operator whose names do not change if it is inlined.

    A buffer that is not persistent would get a number for its name in a sequence.
    """
    if entry.failed or not entry.single or scope.frame is None:
        return False
    stage = entry.graph.nodes[0]
    if not isinstance(stage, OpNode):
        return False
    return not stage.specs or not (scope.frame.labels.numbered or any(spec.persistent for spec in stage.specs))
