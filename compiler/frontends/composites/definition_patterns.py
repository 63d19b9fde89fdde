"""The definitions that imports recognize, as terms.

In: the rank of the tensors that an operator is looked for on. Out: patterns, each with the operator that it is. Always: a pattern is the
operator's own definition (netc.compiler.definitions), or another text of the same function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from netc.dsl.record import Record

from ...definitions import define, expand_program
from ...dims import Facts, symbol
from ...ir.graph import CallNode, Graph, OpNode, Program
from ...ir.inline_calls import open_call
from ...ops.operator import Operator
from ...types.tensor_types import FLOAT32, TensorType
from .tensor_terms import Term, Terms

EPS, POWER = 1.0737e-3, 1.9371
NUMBERS = {EPS: "eps", POWER: "p"}
"""Numbers that stand for arguments in a pattern: they are in no definition."""
_ACTIVATIONS = ("hardsigmoid", "silu", "mish", "hardswish", "softsign", "tanhshrink")
_AXES = "let axes = [axis for axis in -(len(shape) if given(shape) else 1)..0]\n"
_FORMS: Mapping[str, tuple[str, ...]] = {
    "gelu": ("x / 2 * (1 + tanh(x * (2 / pi) ** 0.5 * (1 + 0.044715 * x * x)))",),
    "silu": ("x / (1 + exp(-x))",),
    "layer_norm": (f"{_AXES}(x - (x -> mean axis=axes keepdim=true)) / sqrt((x -> var axis=axes correction=0 keepdim=true) + eps)",),
}
"""Other texts of some operators, as models and exporters write them."""


class Pattern(Record):
    """An operator's definition as a term. `hole` is the key of its input."""

    op: Operator
    term: Term
    hole: int
    kept: Graph
    """Holds the value whose identity is the hole."""

    def arguments(self, x: TensorType, numbers: Mapping[object, Any]) -> dict[str, Any]:
        """The arguments of the operator on this input; `numbers` are those that were found."""
        found = dict(self.op.args)
        for name, value in self.op.args.items():
            if isinstance(value, float) and value in NUMBERS:
                number = numbers[NUMBERS[value]]
                found[name] = int(number) if number == int(number) else number
        if found.get("shape") is not None:
            found["shape"] = x.shape[-len(found["shape"]) :]
        return found


@cache
def patterns(rank: int) -> tuple[Pattern, ...]:
    """The patterns on tensors of a rank."""
    type_ = TensorType(FLOAT32, tuple(symbol(f"D{axis}") for axis in range(rank)))
    return tuple(_pattern(op, graph, type_) for op in _operators(type_) for graph in _graphs(op, type_))


def _operators(x: TensorType) -> Iterator[Operator]:
    """The operators that are looked for, with their arguments."""
    make = Operator.registry.__getitem__
    yield from (make(name)() for name in _ACTIVATIONS)
    yield from (make("gelu")(approximate=word) for word in ("none", "tanh"))
    for count in range(1, x.rank):
        shape = None if count == 1 else x.shape[-count:]
        yield from (make(name)(shape=shape, affine=False, eps=EPS) for name in ("layer_norm", "rms_norm"))
    yield from (make("normalize")(axis=axis, p=POWER, eps=EPS) for axis in (*range(x.rank - 1), -1))


def _graphs(op: Operator, x: TensorType) -> Iterator[Graph]:
    """The definition, with the composite operators in it and without them, and other forms."""
    for text in ("", *_FORMS.get(op.name, ())):
        if text and op.name == "gelu" and op.args["approximate"] != "tanh":
            continue
        graph = define(op, (x,), None, Facts.nothing(), text)
        yield graph
        expanded = expand_program(Program(graph, Facts.nothing(), ()), lambda operator: not operator.has_definition()).main
        if expanded is not graph:
            while calls := [node for node in expanded.nodes if isinstance(node, CallNode)]:
                open_call(expanded, calls[0])
            yield expanded


def _pattern(op: Operator, graph: Graph, x: TensorType) -> Pattern:
    makers = {id(value): node for node in graph.nodes if isinstance(node, OpNode) for value in node.outputs}
    (result,) = graph.outputs
    return Pattern(op, Terms(lambda value: makers.get(id(value)), result).term, id(graph.inputs[0]), graph)
