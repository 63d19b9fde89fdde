"""Groups: `( pipeline ) as label`, and tuples `(a, b)`.

A group with a label is a graph of its own, and a level in the names of its parameters. Without one, its stages are inlined.

    >>> import netc
    >>> list(netc.compile("input 3 -> (dense 4 as fc -> relu) as head -> (dense 2 as last)").parameters)
    ['head.fc.weight', 'head.fc.bias', 'last.weight', 'last.bias']
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace

from ...errors.argument_errors import ArgumentTwice, UnknownArgument
from ...ir.graph import SharedModule
from ..resource_limits import check_tuple
from ..scopes.compile_time_values import UNKNOWN, Flow, Operand, TensorTuple, main_result, parts_of
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from .body_graphs import BodySyntax, elaborate_body, warn_unused_input
from .calls import emit_call, emit_inline, forward_inputs
from .conditionals import Conditionals
from .evaluator_protocol import EvaluatorPart, Interpreter
from .freezing import TRAINABLE, freeze_new_nodes
from .pipelines import Pipelines
from .stage_arguments import ArgumentBinder
from .stage_labels import StageLabels


class Groups(EvaluatorPart):
    def __init__(
        self, interpreter: Interpreter, pipelines: Pipelines, arguments: ArgumentBinder, labels: StageLabels, conditionals: Conditionals
    ) -> None:
        super().__init__(interpreter)
        self._pipelines, self._arguments, self._labels, self._conditionals = pipelines, arguments, labels, conditionals

    def run_operand(self, node: ast.Group, scope: Scope) -> Operand:
        """A group as the head of a pipeline or as an operand."""
        with self._freeze_group(node, scope):
            return self._run_operand(node, scope)

    def _freeze_group(self, node: ast.Group, scope: Scope) -> AbstractContextManager[None]:
        """Return the context in which the group is elaborated, by its only keyword, `trainable`."""
        keyword = node.keywords[0] if node.keywords else None
        for unknown in node.keywords:
            if unknown.name != TRAINABLE:
                close = tuple(find_similar_names(unknown.name, [TRAINABLE]))
                raise Failure(UnknownArgument("(...)", unknown.name, close, (TRAINABLE,)), unknown.name_span)
        if keyword is None:
            return freeze_new_nodes(None, True, scope)
        if len(node.keywords) > 1:
            raise Failure(ArgumentTwice("(...)", TRAINABLE), node.keywords[1].span, ((keyword.span, "first here"),))
        return freeze_new_nodes(keyword, self._arguments.convert_flag("(...)", keyword, scope), scope)

    def _run_operand(self, node: ast.Group, scope: Scope) -> Operand:
        node = self._pass_label_on(node, scope)
        if node.label is not None:
            return self._run_with_label(node, None, scope, None)
        if len(node.members) == 1:
            return self._pipelines.run_pipeline(node.members[0], scope)
        return self._run_tuple(node, scope)

    def run_stage(self, node: ast.Group, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """A group on its input: a graph of its own if it has a label, otherwise inlined."""
        with self._freeze_group(node, scope):
            return self._run_stage(node, flow, scope, shared)

    def _run_stage(self, node: ast.Group, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        node = node if shared is not None else self._pass_label_on(node, scope)
        if node.label is not None or shared is not None:
            return self._run_with_label(node, flow, scope, shared)
        inner = Scope(scope, scope.frame)
        inner.bind_name("in", main_result(flow))
        return self._run_members(node, inner)

    def _pass_label_on(self, node: ast.Group, scope: Scope) -> ast.Group:
        """`(if ...) as _`: pass the label to the stage that each branch consists of."""
        # The branches may be a stage or a loop, which each know what `as _` means for them.
        choice = _only_choice(node)
        if choice is None or node.label is None or not self._labels.is_inline(node.label, scope):
            return node
        return replace(node, members=(replace(node.members[0], head=_label_branches(choice, node.label)),), label=None)

    def _run_with_label(self, node: ast.Group, flow: Flow | None, scope: Scope, shared: SharedModule | None) -> Flow:
        label = shared.label if shared is not None else self._labels.name_stage(node.label, "group", node.span, scope)
        entry = elaborate_body(BodySyntax(node, lambda inner: self._run_members(node, inner), label), flow, scope, self.session)
        choice = _only_choice(node)
        if choice is None or shared is not None:
            return emit_call(entry, flow, scope, self.session, label, node.span, shared)
        # A choice of one stage has the group's label as its own, without a level.
        if (entry.graph.nodes or entry.graph.declares) and not entry.single:
            return emit_call(entry, flow, scope, self.session, label, node.span)
        assert scope.frame is not None
        before = len(scope.frame.graph.nodes), len(scope.frame.graph.choices)
        result = emit_inline(entry, flow, scope, self.session, label) if entry.single else forward_inputs(entry, flow, scope)
        return self._conditionals.record_labeled_choice(choice, (flow, result), scope, *before)

    def _run_members(self, node: ast.Group, inner: Scope) -> Flow:
        return warn_unused_input(inner, self._run_tuple(node, inner), node.span, self.session)

    def _run_tuple(self, node: ast.Group, scope: Scope) -> Flow:
        """The members' results in one tuple; of a single member, its own result."""
        flows = [self._pipelines.run_for_tensors(member, scope) for member in node.members]
        if len(flows) == 1:
            return flows[0]
        members = [parts_of(result) for result in flows]
        if any(parts is None for parts in members):
            return UNKNOWN
        result = TensorTuple(tuple(part for parts in members if parts is not None for part in parts))
        check_tuple(result.values, node.span)
        return result


def _only_choice(node: ast.Group) -> ast.If | None:
    """The `if` that a group consists of: its label then belongs to the chosen stage, if that is one stage."""
    alone = node.members[0] if len(node.members) == 1 else None
    return alone.head if alone is not None and not alone.stages and isinstance(alone.head, ast.If) else None


def _label_branches(node: ast.If, label: ast.Label) -> ast.If:
    """The `if` with the label at the stage of each branch that consists of one."""
    otherwise = None if node.otherwise is None else _label_body(node.otherwise, label)
    return replace(node, then=_label_body(node.then, label), otherwise=otherwise)


def _label_body(body: ast.Body, label: ast.Label) -> ast.Body:
    match body.statements:
        case (ast.Flow(pipeline=ast.Pipeline(stages=(), head=ast.Apply(label=None) | ast.Repeat(label=None) as stage)) as flow,):
            head: ast.Tensor = replace(stage, label=label)
        case (ast.Flow(pipeline=ast.Pipeline(stages=(), head=ast.If() as choice)) as flow,):
            head = _label_branches(choice, label)
        case _:
            return body
    return replace(body, statements=(replace(flow, pipeline=replace(flow.pipeline, head=head)),))
