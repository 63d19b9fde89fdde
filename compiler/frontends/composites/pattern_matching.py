"""Matches a node and the operators before it against patterns of operators.

In: patterns, and a view of a graph. Out: the operator that is written out there, with its inputs. Always: each input is one tensor of the
graph, wherever the definition has it. The operator accepts these inputs and gives the type of the result. Nothing else reads a matrix
product within, or anything computed from it, so no product is computed twice, and nothing is drawn twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from netc.dsl.record import Record

from ...dims import Facts
from ...ir.graph import Graph, OpNode
from ...ir.graph_values import Value
from ...ops.attention import Attention
from ...ops.linear_algebra import Matmul
from ...ops.operator import Operator, OperatorError
from ...ops.shape import Permute, Transpose
from ...types.tensor_types import TensorType
from ..graph_view import GraphView
from .tensor_terms import CLAMPS, Call, Leaf, Product, Sum, Term, Terms
from .term_matching import FILLED, Matcher

EPS, POWER, SCALE, DROPPED, HIDDEN = 1.0737e-3, 1.9371, 1.0359e-2, 1.1953e-1, -1.7319e9
NUMBERS = {EPS: "eps", POWER: "p", SCALE: "scale", DROPPED: "dropout", HIDDEN: FILLED}
"""Numbers that stand for arguments in a pattern. They are odd on purpose: no definition has them, and no arithmetic of a definition gives
them."""


class UnusablePattern(ValueError):
    """The definition of an operator that no graph can match."""

    def __init__(self, op: Operator, why: str) -> None:
        super().__init__(f"imports cannot recognize `{op.name}`: {why}")


class Pattern(Record):
    """An operator's definition as a term. `holes` are the keys of its inputs, in order."""

    op: Operator
    term: Term
    holes: tuple[int, ...]
    last: frozenset[str]
    """The names of the operators that may be the last step, so that most patterns are skipped without a match."""
    kept: Graph
    """The definition's graph. It keeps the values alive whose `id` is a hole."""

    def make_operator(self, x: TensorType, numbers: Mapping[object, Any]) -> Operator:
        """Return the operator for a first input of this type. `numbers` are the arguments that the match bound."""
        arguments = dict(self.op.args)
        for name, value in self.op.args.items():
            if isinstance(value, float) and value in NUMBERS:
                arguments[name] = _round_number(numbers[NUMBERS[value]])
        if arguments.get("shape") is not None:
            arguments["shape"] = x.shape[-len(arguments["shape"]) :]
        if isinstance(self.op, Attention) and _is_usual_scale(arguments["scale"], x.shape[-1]):
            arguments["scale"] = None
        return type(self.op)(**arguments)


def _round_number(number: float) -> float:
    """Remove the rounding errors of normalized sums, and return an int if the number is one."""
    number = float(f"{number:.16g}")
    return int(number) if number == int(number) else number


def _is_usual_scale(scale: float, features: object) -> bool:
    """Return whether the number is attention's default scale. Exporters round it to float32."""
    return isinstance(features, int) and isclose(scale * features**0.5, 1.0, rel_tol=1e-6)


class Recognized(Record):
    """An operator that was written out, with its arguments and inputs. `before` are permutations of inputs that must come first. `filled`
    is the number in place of hidden scores, if the pattern has one."""

    op: Operator
    inputs: tuple[Value, ...]
    before: tuple[OpNode, ...]
    filled: float | None

    def replace_node(self, view: GraphView, node: OpNode, op: Operator | None = None, inputs: tuple[Value, ...] | None = None) -> bool:
        """Replace the node by the operator, or by another one. Returns whether the type of the result stays the same."""
        if not view.replace_operator(node, op or self.op, self.inputs if inputs is None else inputs):
            return False
        for before in self.before:
            view.insert_before(before, node)
        return True


def make_pattern(op: Operator, graph: Graph) -> Pattern:
    """Make the pattern of a definition. Raises `UnusablePattern` if no graph can match it."""
    makers = {id(value): node for node in graph.nodes if isinstance(node, OpNode) for value in node.outputs}
    if len(graph.outputs) != 1:
        raise UnusablePattern(op, f"its definition has {len(graph.outputs)} results")
    term = Terms(lambda value: makers.get(id(value)), graph.outputs[0]).term
    holes = tuple(id(value) for value in graph.inputs)
    leaves = {leaf.key for leaf in _walk_leaves(term)}
    if leaves - {*holes}:
        raise UnusablePattern(op, "its definition has a parameter, or a step that is no function of float tensors")
    if {*holes} - leaves:
        raise UnusablePattern(op, "its definition does not use all of its inputs")
    return Pattern(op, term, holes, _list_last_operators(term), graph)


def match_patterns(patterns: Iterable[Pattern], view: GraphView, node: OpNode) -> Recognized | None:
    """Return the first operator whose pattern ends in this node and that accepts the bound inputs, or None."""
    (result, *others) = node.outputs
    candidates = [pattern for pattern in patterns if node.op.name in pattern.last]
    # Most nodes end here, before any term is made.
    if not candidates or others or not result.type.dtype.is_float:
        return None
    # The terms of the node are made once for all patterns.
    terms = Terms(view.find_maker, result)
    for pattern in candidates:
        matcher = Matcher(terms, frozenset(pattern.holes), NUMBERS)
        for bound in matcher.match_term(pattern.term, terms.term, {}):
            match = _build_result(pattern, terms, bound, node)
            if _has_result_type(match.op, match.inputs, result.type) and _is_alone(view, terms, [bound[hole] for hole in pattern.holes]):
                return match
    return None


def _build_result(pattern: Pattern, terms: Terms, bound: Mapping[object, Any], node: OpNode) -> Recognized:
    inputs, before = list[Value](), list[OpNode]()
    for hole in pattern.holes:
        source = terms.find_source(bound[hole])
        assert source is not None, "a hole is bound to nothing else"
        value, order = source
        # The definition may read an input with its axes in another order than the graph has it.
        if order != (*range(len(order)),):
            before.append(_make_permutation(value, order, node))
            value = before[-1].outputs[0]
        inputs.append(value)
    return Recognized(pattern.make_operator(inputs[0].type, bound), tuple(inputs), tuple(before), bound.get(FILLED))


def _make_permutation(x: Value, order: tuple[int, ...], node: OpNode) -> OpNode:
    moved = [axis for axis, old in enumerate(order) if axis != old]
    op = Transpose(a=moved[0], b=moved[1]) if len(moved) == 2 else Permute(axes=order)
    result = Value(x.type.with_shape(tuple(x.type.shape[axis] for axis in order)), node.span)
    return OpNode(op, (x,), (result,), "", node.span, ())


def _is_alone(view: GraphView, terms: Terms, holes: Sequence[Term]) -> bool:
    """Return whether nothing else reads a matrix product within the match, or anything computed from it."""
    steps = terms.find_steps({*holes, *(hole.inputs[0] for hole in holes if isinstance(hole, Call) and hole.name == "permute")})
    read = [id(value) for step in steps for value in step.inputs]
    costly = set[int]()
    # Cheap elementwise steps may be computed twice: other readers keep their own copy.
    for step in steps[:-1]:
        if isinstance(step.op, Matmul) or not costly.isdisjoint(map(id, step.inputs)):
            costly.add(id(step.outputs[0]))
            if any(view.count_uses(result) > read.count(id(result)) for result in step.outputs):
                return False
    return True


def _has_result_type(op: Operator, inputs: tuple[Value, ...], result: TensorType) -> bool:
    """Return whether an operator accepts these inputs and has a result of this type."""
    try:
        return op.check_and_infer(op.bind_inputs(tuple(value.type for value in inputs), Facts.empty())) == (result,)
    except OperatorError:
        return False


def _walk_leaves(term: Term) -> Iterator[Leaf]:
    match term:
        case Leaf():
            yield term
        case Product(_, items) | Sum(_, items):
            for item, _ in items:
                yield from _walk_leaves(item)
        case Call():
            for item in term.inputs:
                yield from _walk_leaves(item)


def _list_last_operators(term: Term) -> frozenset[str]:
    """Return the operators that may make a tensor of this term. A number times a call may also be inside of the call, as with `clamp`."""
    match term:
        case Sum():
            return frozenset({"add", "sub"})
        case Product(_, ((Call() as call, 1.0),)):
            return frozenset({"mul", "div"}) | _list_last_operators(call)
        case Call():
            return CLAMPS if term.name in CLAMPS else frozenset({term.name})
    return frozenset({"mul", "div"})
