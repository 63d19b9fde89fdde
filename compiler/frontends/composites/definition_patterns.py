"""Makes patterns of the definitions of operators, so that imports recognize what a model writes out.

The definition of `silu` is `x * sigmoid(x)`. Its pattern has a hole for x.

In: the rank of the tensors. Out: patterns, each with its operator. Always: a pattern is the operator's own definition
(netc.compiler.definitions), or another text of the same function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, takewhile
from typing import Any

from ...definitions import MissingDefinition, WrongDefinition, elaborate_definition, expand_program
from ...dims import Facts, make_symbol
from ...ir.graph import CallNode, Graph, OpNode, Program
from ...ir.inline_calls import inline_call
from ...ops.op_inputs import check_inputs
from ...ops.operand import NAMED, Input, Inputs
from ...ops.operator import Operator, OperatorError
from ...ops.parametric import Parametric
from ...types.tensor_types import BOOL, DTYPES, FLOAT32, TensorType
from ..graph_view import GraphView
from .pattern_matching import DROPPED, EPS, HIDDEN, POWER, SCALE, Pattern, UnusablePattern, make_pattern, match_patterns

RECOGNIZED = ("hardsigmoid", "silu", "mish", "hardswish", "softsign", "tanhshrink")
"""Operators that are recognized with the defaults of their arguments. They may have several inputs, some of them optional."""
_AXES = "let axes = [axis for axis in -(len(shape) if given(shape) else 1)..0]\n"
_FORMS: Mapping[str, tuple[str, ...]] = {
    "gelu": ("x / 2 * (1 + tanh(x * (2 / pi) ** 0.5 * (1 + 0.044715 * x * x)))",),
    "silu": ("x / (1 + exp(-x))",),
    "layer_norm": (f"{_AXES}(x - (x -> mean axis=axes keepdim=true)) / sqrt((x -> var axis=axes correction=0 keepdim=true) + eps)",),
}
"""Other definitions of some operators, as models and exporters write them."""
_HIDDEN_ATTENTION = "scores = q @ (k -> transpose (-2) (-1)) * scale; ({} -> softmax axis=-1 -> dropout dropout) @ v"
_HIDDEN_SCORES = {
    True: (f"(scores, mask) -> masked_fill ({HIDDEN})", f"(mask, scores) -> where ({HIDDEN}) reverse=true"),
    False: (f"(mask, scores) -> where ({HIDDEN})",),
}
"""The ways to hide scores by a bool mask, by whether it hides where it is true. If a mask hides all keys of a query, they all count the
same here, and none counts in `attention`. So these texts are attention for some masks only."""


@cache
def make_patterns(rank: int) -> tuple[Pattern, ...]:
    """Return the patterns for tensors of a rank."""
    type_ = _make_type_of_rank(rank)
    return tuple(pattern for op in _list_operators(type_) for pattern in find_patterns(op, type_))


@cache
def make_hidden_patterns(rank: int, *, hides: bool) -> tuple[Pattern, ...]:
    """Return the patterns of attention with hidden scores for tensors of a rank."""
    type_ = _make_type_of_rank(rank)
    types = (type_, type_, type_, type_.with_dtype(BOOL))
    return tuple(
        make_pattern(op, elaborate_definition(op, types, None, Facts.empty(), _HIDDEN_ATTENTION.format(hidden)))
        for op in _list_attentions()
        for hidden in _HIDDEN_SCORES[hides]
    )


def _make_type_of_rank(rank: int) -> TensorType:
    """Return a type whose axes all have one size, so that the inputs of an operator fit: queries and keys, the mask and the scores."""
    return TensorType(FLOAT32, (make_symbol("D"),) * rank)


def _list_attentions() -> Iterator[Operator]:
    make = Operator.registry.__getitem__
    yield from (make("attention")(scale=SCALE, dropout=dropout) for dropout in (0.0, DROPPED))


def _list_operators(x: TensorType) -> Iterator[Operator]:
    """Yield the operators to recognize, with their arguments."""
    make = Operator.registry.__getitem__
    yield from (make(name)() for name in RECOGNIZED)
    yield from (make("gelu")(approximate=word) for word in ("none", "tanh"))
    for count in range(1, x.rank):
        shape = None if count == 1 else x.shape[-count:]
        yield from (make(name)(shape=shape, affine=False, eps=EPS) for name in ("layer_norm", "rms_norm"))
    yield from (make("normalize")(axis=axis, p=POWER, eps=EPS) for axis in (*range(x.rank - 1), -1))
    yield from _list_attentions() if x.rank > 2 else ()


def find_patterns(op: Operator, x: TensorType) -> list[Pattern]:
    """Return the patterns of an operator whose inputs have the shape of `x`, and its element type if they may. None if it refuses the rank.

    Those with most inputs come first. An import meets the steps in order and has recognized the operator with fewer inputs before it meets
    the last step of the one with more, so a pattern has a form with that operator in it too.
    """
    result: list[Pattern] = []
    for names in _list_input_choices(op):
        chosen = _name_inputs(op, names)
        types = tuple(_choose_type(operand, x) for name, operand in op.operands.items() if name in names)
        graphs = list(_make_definition_graphs(chosen, types)) if _accepts_types(chosen, types) else []
        if result:
            graphs += [graph for graph in _make_definition_graphs(chosen, types) if _replace_matches(graph, result)]
        result = [make_pattern(chosen, graph) for graph in graphs] + result
    return result


def _list_input_choices(op: Operator) -> list[tuple[str, ...]]:
    """List the names of inputs that a use may have, fewest first."""
    for name, operand in op.operands.items():
        if operand.many:
            raise UnusablePattern(op, f"`{name}` is any number of tensors")
    needed = {name for name, operand in op.operands.items() if operand.required or (operand.or_number and op.args[name] is None)}
    parameters = op.as_tensors if isinstance(op, Parametric) else ()
    optional = [name for name, operand in op.operands.items() if operand.optional and name not in parameters]
    chosen = [needed | {*more} for count in range(len(optional) + 1) for more in combinations(optional, count)]
    return [tuple(name for name in op.operands if name in names) for names in chosen]


def _name_inputs(op: Operator, names: tuple[str, ...]) -> Operator:
    """Return the operator with its optional inputs named, as in `attention mask=m`."""
    unnamed = takewhile(lambda pair: pair[0] == pair[1] and not op.operands[pair[0]].optional, zip(names, op.operands, strict=False))
    # Inputs keep their order, so a name is needed only after the first optional one or a gap.
    rest = names[sum(1 for _ in unnamed) :]
    return type(op)(**{**op.args, NAMED: rest}) if rest else op


def _choose_type(operand: Input[Any] | Inputs, x: TensorType) -> TensorType:
    return x if x.dtype.name in operand.elements.names else x.with_dtype(DTYPES[operand.elements.names[0]])


def _accepts_types(op: Operator, types: tuple[TensorType, ...]) -> bool:
    """Return whether the operator declares such inputs and its definition accepts them.

    The operator's own rule is not asked, because it may refuse symbolic sizes.
    """
    bound_inputs = op.bind_inputs(types, Facts.empty())
    try:
        check_inputs(op.name, op.operands, bound_inputs, op.args)
        elaborate_definition(op, types, None, Facts.empty())
    except (OperatorError, MissingDefinition, WrongDefinition):
        return False
    return True


def _make_definition_graphs(op: Operator, types: tuple[TensorType, ...]) -> Iterator[Graph]:
    """Yield the definition, the definition with its composite operators expanded, and other forms."""
    for text in ("", *_FORMS.get(op.name, ())):
        # The other form is the approximation.
        if text and op.name == "gelu" and op.args["approximate"] != "tanh":
            continue
        graph = elaborate_definition(op, types, None, Facts.empty(), text)
        yield graph
        # A model may write out a composite operator within another one, such as softmax in attention.
        expanded = expand_program(Program(graph, Facts.empty(), ()), lambda operator: not operator.has_definition()).main
        if expanded is not graph:
            # Terms do not look into calls, so the expanded definition must be flat.
            while calls := [node for node in expanded.nodes if isinstance(node, CallNode)]:
                inline_call(expanded, calls[0])
            yield expanded


def _replace_matches(graph: Graph, patterns: Sequence[Pattern]) -> bool:
    """Replace the steps of a definition that match one of these patterns, in place. Returns whether there were any."""
    view = GraphView(graph, Facts.empty())
    replaced = False
    for node in graph.nodes[:-1]:
        if isinstance(node, OpNode) and (match := match_patterns(patterns, view, node)) is not None:
            replaced = match.replace_node(view, node) or replaced
    return replaced
