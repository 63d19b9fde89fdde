"""Parameters of blocks that are stages, such as `activation=relu`: which nodes are made by them.

`record_stage_parameter` takes a name after an arrow, or the name of an activation after a stage's arguments, and its scope. It adds entries
to `Graph.stages`, so that an emitted class can take the stage as an argument. Only a stage that becomes one operator has an entry.

    >>> import netc
    >>> (call,) = netc.compile("block b(act=relu) { dense 4 -> act }; input 3 -> b act=gelu").program.main.nodes
    >>> call.graph.stages
    {'gelu1': StageParameter(name='act', default=relu())}
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from netc.dsl import ast

from ...ir.graph import Graph, OpNode
from ...ir.parameter_stages import StageParameter
from ...ir.walk import find_enclosing_block
from ...ops.operator import Operator
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import OperatorRef
from ..scopes.scope import Scope, StageClosure

_NOTHING = nullcontext()


def record_stage_parameter(name: str, scope: Scope, session: ElaborationSession) -> AbstractContextManager[None]:
    """Notes the operator that is added meanwhile, if `name` is a parameter of the block."""
    parameter = _stage_parameter(name, scope, session)
    return _NOTHING if parameter is None or scope.frame is None else _record_new_node(parameter, scope.frame.graph)


@contextmanager
def _record_new_node(parameter: StageParameter, graph: Graph) -> Iterator[None]:
    before = len(graph.nodes)
    yield
    added = graph.nodes[before:]
    if len(added) == 1 and isinstance(added[0], OpNode) and added[0].shared is None:
        graph.stages[added[0].label] = parameter


def _stage_parameter(name: str, scope: Scope, session: ElaborationSession) -> StageParameter | None:
    binding_and_scope = scope.find_binding(name)
    if binding_and_scope is None or scope.frame is None or not isinstance(binding_and_scope[0].value, (OperatorRef, StageClosure)):
        return None
    # The name must be the block's own parameter: a `let` of that name is decided inside the block.
    if find_enclosing_block(scope.frame.graph).arguments.get(name) is not binding_and_scope[0].value:
        return None
    return StageParameter(name, _default_operator(name, scope, session))


def _default_operator(name: str, scope: Scope, session: ElaborationSession) -> Operator | None:
    """The operator that the block's parameter is by default."""
    block = next((a for a in reversed(session.active) if isinstance(a, ast.Block)), None)
    declared = (p for p in block.parameters if isinstance(p, ast.ParameterDecl)) if block is not None else ()
    default = next((p.default for p in declared if p.name.name == name), None)
    if not isinstance(default, ast.Name) or scope.find_binding(default.name) is not None:
        return None
    cls = Operator.registry.get(default.name)
    arguments = {} if cls is None else session.defaults.get(cls.name, {})
    if cls is None or any(a.name not in arguments for a in cls.required):
        return None
    return cls(**arguments)
