"""The definitions of operators as patterns, and the node of a graph that is the last step of one.

In: patterns, and the operators that make the tensors of a graph. Out: the operator that is written out there, with its inputs. Always: each
input is one tensor of the graph, wherever the definition has it, and the operator takes these inputs and gives the type of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from netc.dsl.record import Record

from ...dims import Facts
from ...ir.graph import Graph, OpNode
from ...ir.graph_values import Value
from ...ops.operator import Operator, OperatorError
from ...types.tensor_types import TensorType
from .tensor_terms import CLAMPS, Call, Leaf, Product, Sum, Term, Terms
from .term_matching import Matcher

EPS, POWER = 1.0737e-3, 1.9371
NUMBERS = {EPS: "eps", POWER: "p"}
"""Numbers that stand for arguments in a pattern: they are in no definition."""


class UnusablePattern(ValueError):
    """The definition of an operator that cannot be recognized, whatever a graph has."""

    def __init__(self, op: Operator, why: str) -> None:
        super().__init__(f"imports cannot recognize `{op.name}`: {why}")


class Pattern(Record):
    """An operator's definition as a term. `holes` are the keys of its inputs, in order."""

    op: Operator
    term: Term
    holes: tuple[int, ...]
    last: frozenset[str]
    """The operators that may be the last step."""
    kept: Graph
    """Holds the values whose identities are the holes."""

    def operator(self, x: TensorType, numbers: Mapping[object, Any]) -> Operator:
        """The operator with its arguments, on a first input of this type; `numbers` are those that were found."""
        arguments = dict(self.op.args)
        for name, value in self.op.args.items():
            if isinstance(value, float) and value in NUMBERS:
                number = numbers[NUMBERS[value]]
                arguments[name] = int(number) if number == int(number) else number
        if arguments.get("shape") is not None:
            arguments["shape"] = x.shape[-len(arguments["shape"]) :]
        return type(self.op)(**arguments)


class Recognized(Record):
    """An operator that was written out, with its arguments and its inputs."""

    op: Operator
    inputs: tuple[Value, ...]


def make_pattern(op: Operator, graph: Graph) -> Pattern:
    """The pattern of a definition. Raises `UnusablePattern` if no graph can have it."""
    makers = {id(value): node for node in graph.nodes if isinstance(node, OpNode) for value in node.outputs}
    if len(graph.outputs) != 1:
        raise UnusablePattern(op, f"its definition has {len(graph.outputs)} results")
    term = Terms(lambda value: makers.get(id(value)), graph.outputs[0]).term
    holes = tuple(id(value) for value in graph.inputs)
    leaves = {leaf.key for leaf in _leaves(term)}
    if leaves - {*holes}:
        raise UnusablePattern(op, "its definition has a parameter, or a step that is no function of float tensors")
    if {*holes} - leaves:
        raise UnusablePattern(op, "its definition does not use all of its inputs")
    return Pattern(op, term, holes, _last_operators(term), graph)


def match_patterns(patterns: Iterable[Pattern], maker: Callable[[Value], OpNode | None], node: OpNode) -> Recognized | None:
    """The operator that a node is the last step of: the first one whose pattern matches and that takes the inputs found."""
    (result, *others) = node.outputs
    candidates = [pattern for pattern in patterns if node.op.name in pattern.last]
    if not candidates or others or not result.type.dtype.is_float:
        return None
    terms = Terms(maker, result)
    for pattern in candidates:
        matcher = Matcher(terms, frozenset(pattern.holes), NUMBERS)
        for bound in matcher.match(pattern.term, terms.term, {}):
            values = [terms.value(bound[hole]) for hole in pattern.holes]
            inputs = tuple(value for value in values if value is not None)
            op = pattern.operator(inputs[0].type, bound)
            if len(inputs) == len(values) and _gives(op, inputs, result.type):
                return Recognized(op, inputs)
    return None


def _gives(op: Operator, inputs: tuple[Value, ...], result: TensorType) -> bool:
    """Whether an operator takes these inputs and its result is of this type."""
    try:
        return op.infer(op.bind(tuple(value.type for value in inputs), Facts.nothing())) == (result,)
    except OperatorError:
        return False


def _leaves(term: Term) -> Iterator[Leaf]:
    match term:
        case Leaf():
            yield term
        case Product(_, items) | Sum(_, items):
            for item, _ in items:
                yield from _leaves(item)
        case Call():
            for item in term.inputs:
                yield from _leaves(item)


def _last_operators(term: Term) -> frozenset[str]:
    """The operators that may make a tensor of this term: a number times a call is also written inside of the call, as `clamp` is."""
    match term:
        case Sum():
            return frozenset({"add", "sub"})
        case Product(_, ((Call() as call, 1.0),)):
            return frozenset({"mul", "div"}) | _last_operators(call)
        case Call():
            return CLAMPS if term.name in CLAMPS else frozenset({term.name})
    return frozenset({"mul", "div"})
