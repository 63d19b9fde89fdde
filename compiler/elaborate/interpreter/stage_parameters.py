"""Parameters of stages as tensors: `embed.weight`, where `embed` is the label of a stage above, or a shared stage that has been used.

`read_parameter` takes an expression of names and dots, and returns the tensor, or None if it is something else, such as the shape of a
tensor. The graph that has the stage has one node for each parameter that is read, which graphs within it capture as they do any tensor.

    >>> import netc
    >>> netc.compile("x = input [] int64; h = x -> embedding 10 4 as embed; h @ (embed.weight -> transpose 0 1)").outputs
    {'output': TensorType([N, 10])}
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names

from ...errors.parameter_errors import NoParameterToRead, NotUsedBefore
from ...ir.graph import CallNode, Node, SharedModule
from ...ir.graph_values import Value
from ...ir.walk import find_route
from ...ops.parameter_of import ParameterOf
from ...types.tensor_types import DType, Shape
from ...types.traced_ints import strip_formulas, substitute_values
from ..scopes.compile_time_values import Flow
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import GraphFrame, Scope, SharedDef
from .compile_time_expressions import attribute_of
from .evaluator_protocol import EvaluatorPart
from .nodes import NodeText, add_operator
from .shared_stages import specs_within

TENSOR_ATTRIBUTES = ("shape", "rank", "channels", "features", "dtype")
"""The attributes that tensors have: they are never parameters."""
Specs = dict[str, tuple[Shape, DType]]


def is_parameter(expr: ast.Expr, scope: Scope) -> bool:
    """Whether an expression is a parameter of a stage."""
    names = _dotted_names(expr)
    return names is not None and (_find_shared_stage(names, scope) is not None or _find_labeled_scope(names, scope) is not None)


class StageParameters(EvaluatorPart):
    def read_parameter(self, expr: ast.Attribute, scope: Scope) -> Flow | None:
        """The tensor; None if the expression is no parameter of a stage."""
        names = _dotted_names(expr)
        if names is None:
            return None
        if _find_shared_stage(names, scope) is not None:
            return self._read_shared_parameter(names, expr, scope)
        home = _find_labeled_scope(names, scope)
        return None if home is None else self._read_of_label(names, home, expr, scope)

    def _read_shared_parameter(self, names: list[str], expr: ast.Attribute, scope: Scope) -> Flow:
        assert scope.frame is not None
        home = _find_trained_model(scope.frame)
        binding = (home or scope).use_binding(names[0])
        assert binding is not None
        assert isinstance(binding.value, SharedDef)
        module = binding.value.module
        self.session.index.record_name(_root_name(expr).span, names[0], binding)
        if home is None:
            return self._read_of_module(names, module, expr, scope.frame)
        key = ".".join(names)
        if key not in home.names:
            assert home.frame is not None
            home.bind_name(key, self._read_of_module(names, module, expr, home.frame), expr.span)
        read = scope.use_binding(key)
        assert read is not None
        return read.value  # type: ignore[return-value]

    def _read_of_module(self, names: list[str], module: SharedModule, expr: ast.Attribute, frame: GraphFrame) -> Flow:
        """The parameter of a shared stage, wherever that is used."""
        first = self.session.shared_specs.get(id(module))
        if first is None:
            raise Failure(NotUsedBefore(names[0]), expr.span)
        own_specs = {name: (strip_formulas(shape), dtype) for name, (shape, dtype) in first[0].items()}
        return self._add_parameter_node(frame, "", names[0], ".".join(names[1:]), own_specs, expr, module)

    def _read_of_label(self, names: list[str], home: Scope, expr: ast.Attribute, scope: Scope) -> Flow:
        key = ".".join(names)
        # One node for each parameter: the second read finds the binding of the first.
        if key not in home.names:
            assert home.frame is not None
            path = ".".join(names[:-1])
            nodes = find_route(home.frame.graph, path)
            shared = next((m for m in home.frame.graph.declares if key.startswith(f"{m.label}.")), None)
            if not nodes and shared is not None:  # none of its uses is in this body
                return self._read_of_module([shared.label, *names[shared.label.count(".") + 1 :]], shared, expr, home.frame)
            if not nodes and names[0] in home.frame.labels.used and not find_route(home.frame.graph, names[0]):
                raise AlreadyReported  # the stage of that label has failed
            if not nodes or any(node.shared is not None for node in nodes[1:]):
                first = find_route(home.frame.graph, names[0])
                raise Failure(_unknown_parameter(names[0], ".".join(names[1:]), _specs_of_route(first) if first else {}), expr.span)
            tensor = scope.find_binding(names[0])
            if len(names) == 2 and names[1] not in _specs_of_route(nodes) and tensor is not None and isinstance(tensor[0].value, Value):
                attribute_of(tensor[0].value.type, expr)  # a tensor of that name, which has no such attribute either
            parameter = self._add_parameter_node(home.frame, path, path, names[-1], _specs_of_route(nodes), expr)
            home.bind_name(key, parameter, expr.span)
        binding = scope.use_binding(key)
        assert binding is not None
        self.session.index.record_name(_root_name(expr).span, names[0], None, None, "label")
        return binding.value  # type: ignore[return-value]

    def _add_parameter_node(
        self,
        frame: GraphFrame,
        path: str,
        stage: str,
        name: str,
        specs: Specs,
        expr: ast.Attribute,
        shared: SharedModule | None = None,
    ) -> Flow:
        if name not in specs:
            raise Failure(_unknown_parameter(stage, name, specs), expr.span)
        shape, dtype = specs[name]
        op = ParameterOf(path=path, parameter=name, shape=shape, dtype=dtype)
        label = "" if shared is not None else frame.labels.allocate_ordinal(op.name, expr.span)
        return add_operator(op, [], frame, self.session, NodeText(expr.span, label, lambda place: expr.span, shared))


def _unknown_parameter(stage: str, name: str, specs: Specs) -> NoParameterToRead:
    """The error that the stage has no such parameter. Parameters of stages inside are known by their paths."""
    known = [spec for spec in specs if spec and "." not in spec] or [spec for spec in specs if spec]
    return NoParameterToRead(stage, name, tuple(find_similar_names(name, known)), tuple(known))


def _specs_of_route(way: list[Node]) -> Specs:
    """The parameters of the last of the nodes, each within the one before it, as the graph of the first sees their sizes."""
    *around, last = way
    specs = specs_within(last.graph) if isinstance(last, CallNode) else {s.name: (s.shape, s.dtype) for s in last.specs}
    for call in reversed(way if isinstance(last, CallNode) else around):
        assert isinstance(call, CallNode)
        specs = {name: (substitute_values(shape, call.arguments), dtype) for name, (shape, dtype) in specs.items()}
    return specs


def _dotted_names(expr: ast.Expr) -> list[str] | None:
    """`embed.weight` as names, if it can be a parameter."""
    names: list[str] = []
    while isinstance(expr, ast.Attribute):
        names.append(expr.name)
        expr = expr.value
    if not isinstance(expr, ast.Name) or not names or names[0] in TENSOR_ATTRIBUTES:
        return None
    return [expr.name, *reversed(names)]


def _root_name(expr: ast.Expr) -> ast.Expr:
    while isinstance(expr, ast.Attribute):
        expr = expr.value
    return expr


def _find_shared_stage(names: list[str], scope: Scope) -> SharedDef | None:
    binding_and_scope = scope.find_binding(names[0])
    return binding_and_scope[0].value if binding_and_scope is not None and isinstance(binding_and_scope[0].value, SharedDef) else None


def _find_trained_model(frame: GraphFrame) -> Scope | None:
    """The scope of the model's statements, if the frame is in a train section: the stages, and so their parameters, are in the model."""
    current: GraphFrame | None = frame
    while current is not None and current.parent is not None:
        if current.graph.kind == "model":
            return current.parent.home
        current = current.parent
    return None


def _find_labeled_scope(names: list[str], scope: Scope) -> Scope | None:
    """The scope of the statements of the innermost body that has a stage with a label of this name."""
    current: Scope | None = scope
    while current is not None:
        # A train section sees the names of the model through a scope of its own.
        is_home = current.frame is not None and current.frame.home is not None and current.names is current.frame.home.names
        if is_home and current.frame is not None and _has_label(current.frame, names[0]):
            return current
        current = current.parent
    return None


def _has_label(frame: GraphFrame, label: str) -> bool:
    if frame.parent is not None and frame.labels is frame.parent.labels and not find_route(frame.graph, label):
        return False  # a `scan` shares the labels of the body around it, whose stage it is
    return label in frame.labels.used or label in frame.labels.levels
