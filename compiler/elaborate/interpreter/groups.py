"""Groups: `( pipeline ) as label`, and tuples `(a, b)`."""

from __future__ import annotations

from contextlib import AbstractContextManager

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near

from ...errors.names import ArgumentTwice, UnknownArgument
from ...ir.graph import SharedModule
from ..limits import check_tuple
from ..scopes.failures import Failure
from ..scopes.scope import Scope
from ..scopes.values import UNKNOWN, Flow, Operand, TensorTuple, main_result, parts_of
from .arguments import Arguments
from .base import Interpreter, Part
from .bodies import BodySyntax, elaborate_body, warn_unused_input
from .calls import emit_call
from .freezing import TRAINABLE, freezing
from .pipelines import Pipelines
from .stage_labels import StageLabels


class Groups(Part):
    def __init__(self, interpreter: Interpreter, pipelines: Pipelines, arguments: Arguments, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._pipelines, self._arguments, self._labels = pipelines, arguments, labels

    def operand(self, node: ast.Group, scope: Scope) -> Operand:
        """A group as the head of a pipeline or as an operand."""
        with self._freezing(node, scope):
            return self._operand(node, scope)

    def _freezing(self, node: ast.Group, scope: Scope) -> AbstractContextManager[None]:
        """While the group is elaborated: its one keyword is `trainable`."""
        keyword = node.keywords[0] if node.keywords else None
        for unknown in node.keywords:
            if unknown.name != TRAINABLE:
                close = tuple(near(unknown.name, [TRAINABLE]))
                raise Failure(UnknownArgument("(...)", unknown.name, close, (TRAINABLE,)), unknown.name_span)
        if keyword is None:
            return freezing(None, True, scope)
        if len(node.keywords) > 1:
            raise Failure(ArgumentTwice("(...)", TRAINABLE), node.keywords[1].span, ((keyword.span, "first here"),))
        return freezing(keyword, self._arguments.flag("(...)", keyword, scope), scope)

    def _operand(self, node: ast.Group, scope: Scope) -> Operand:
        if node.label is not None:
            return self._labelled(node, None, scope, None)
        if len(node.members) == 1:
            return self._pipelines.run(node.members[0], scope)
        return self._tuple(node, scope)

    def stage(self, node: ast.Group, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """A group on its input: a graph of its own if it has a label, otherwise inlined."""
        with self._freezing(node, scope):
            return self._stage(node, flow, scope, shared)

    def _stage(self, node: ast.Group, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        if node.label is not None or shared is not None:
            return self._labelled(node, flow, scope, shared)
        inner = Scope(scope, scope.frame)
        inner.bind("in", main_result(flow))
        return self._members(node, inner)

    def _labelled(self, node: ast.Group, flow: Flow | None, scope: Scope, shared: SharedModule | None) -> Flow:
        label = shared.label if shared is not None else self._labels.of_stage(node.label, "group", node.span, scope)
        entry = elaborate_body(BodySyntax(node, lambda inner: self._members(node, inner), label), flow, scope, self.session)
        return emit_call(entry, flow, scope, self.session, label, node.span, shared)

    def _members(self, node: ast.Group, inner: Scope) -> Flow:
        return warn_unused_input(inner, self._tuple(node, inner), node.span, self.session)

    def _tuple(self, node: ast.Group, scope: Scope) -> Flow:
        """The members' results in one tuple; of a single member, its own result."""
        flows = [self._pipelines.tensors(member, scope) for member in node.members]
        if len(flows) == 1:
            return flows[0]
        found = [parts_of(one) for one in flows]
        if any(parts is None for parts in found):
            return UNKNOWN
        made = TensorTuple(tuple(part for parts in found if parts is not None for part in parts))
        check_tuple(made.values, node.span)
        return made
