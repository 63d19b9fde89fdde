"""Stages that share parameters: `shared embed = dense 64` is declared once, and elaborated at each use `x -> embed`.

The names in the stage are resolved where it is declared. All uses must need parameters of the same shapes.

    >>> import netc
    >>> list(netc.compile("shared embed = dense 4; x = input 4; x -> embed -> embed").parameters)
    ['embed.weight', 'embed.bias']
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span

from ...errors.argument_errors import UnknownArgument
from ...errors.limit_errors import Recursion
from ...errors.parameter_errors import SharedConflict
from ...ir.graph import CallNode, Graph, OpNode, SharedModule
from ...ir.walk import join_labels
from ...types.tensor_types import show_shape
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import Flow
from ..scopes.early_exits import Failure
from ..scopes.scope import GraphFrame, Scope, SharedDef
from .block_arguments import extra_argument_hint, surplus_argument
from .evaluator_protocol import EvaluatorPart, Interpreter
from .stage_labels import StageLabels


class SharedStages(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._labels = labels

    def declare_stage(self, node: ast.Shared, scope: Scope) -> SharedDef:
        """The identity of a shared stage, and its label in the graph under construction: its own, or else its name."""
        assert scope.frame is not None
        label: ast.Label | None = getattr(node.stage, "label", None)
        if label is not None:
            text = self._labels.claim_label(label, scope, scope.frame)
        else:
            text = self._labels.claim_name(node.name.name, node.name.span, scope.frame)
        module = SharedModule(text, node.span)
        scope.frame.graph.declares.append(module)
        return SharedDef(node.stage, scope, module)

    def use_stage(self, node: ast.Apply, shared: SharedDef, flow: Flow, scope: Scope) -> Flow:
        """The stage on its input: its names are resolved in the scope of its declaration, its nodes are added where it is used."""
        if node.positional:
            raise surplus_argument(node.name, 0, node.positional[0], extra_argument_hint(node.positional[0], node))
        if node.keywords:
            raise Failure(UnknownArgument(node.name, node.keywords[0].name), node.keywords[0].name_span)
        session = self.session
        # A shared stage that uses itself would need its own result to compute it.
        if any(a is shared.module for a in session.active):
            binding_and_scope = scope.find_binding(node.name)
            place = (
                binding_and_scope[0].span if binding_and_scope is not None and binding_and_scope[0].span is not None else shared.module.span
            )
            raise Failure(Recursion(node.name, "shared stage"), node.name_span, ((place, f"`{node.name}` is defined here"),))
        inside = _scope_in_frame(shared.scope, scope.frame)
        session.active.append(shared.module)
        session.shared_uses.append(node.name_span)
        try:
            return self.interpreter.run_stage(shared.stage, flow, inside, shared.module)
        finally:
            session.active.pop()
            session.shared_uses.pop()


def _scope_in_frame(scope: Scope, frame: GraphFrame | None) -> Scope:
    return scope if scope.frame is frame else Scope(scope, frame)


def check_same_parameters(module: SharedModule, specs: dict[str, Any], span: Span, session: ElaborationSession) -> None:
    """Rejects a use whose parameters differ from the first use's."""
    span = session.shared_uses[-1] if session.shared_uses else span
    first = session.shared_specs.setdefault(id(module), (specs, span))
    for name in {**first[0], **specs}:
        before, other = first[0].get(name), specs.get(name)
        if before is not None and other is not None and before == other:
            for a, b in zip(before[0], other[0], strict=True):
                # Recorded as a decision: another number for one of them would need parameters of another shape.
                session.deciding.are_equal(a, b)
        if before != other:
            problem = SharedConflict(module.label, name or "value", *_format_specs(before, other))
            raise Failure(problem, span, ((first[1], "first used here"),))


def _format_specs(*specs: Any) -> tuple[str, ...]:
    """The two, by what differs: shapes, or types too."""
    plain = len({s[1] for s in specs if s is not None}) < 2
    return tuple("absent" if s is None else show_shape(s[0]) + ("" if plain else f" {s[1]}") for s in specs)


def specs_within(graph: Graph) -> dict[str, Any]:
    """The shapes of all parameters inside a graph, by their names relative to it, in the order of the graph."""
    specs: dict[str, Any] = {}
    stack: list[tuple[Graph, str]] = [(graph, "")]
    while stack:
        current, prefix = stack.pop()
        inside: list[tuple[Graph, str]] = []
        for node in current.nodes:
            path = join_labels(prefix, node.label)
            # Its parameters live where it was declared, which is outside of this graph.
            if node.shared is not None and all(m is not node.shared for m in current.declares):
                continue
            if isinstance(node, OpNode):
                specs.update({join_labels(path, s.name): (s.shape, s.dtype) for s in node.specs})
            elif isinstance(node, CallNode):
                inside.append((node.graph, path))
        stack += reversed(inside)
    return specs
