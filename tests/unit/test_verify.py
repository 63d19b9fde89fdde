"""The promises of graph.py: what breaks them is found."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

import netc
import netc.analysis
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.elaborate import Elaboration
from netc.compiler.ir.graph import CallNode, Graph, OpNode, Program, SharedModule, Tie
from netc.compiler.ir.graph_values import ReturnedTuple, TupleSlice, Value, ValueTuple
from netc.compiler.ir.verify import GraphInvalid, verify_program
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.operator import OpInputs
from netc.compiler.types.tensor_types import FLOAT32, TensorType
from netc.dsl.source import SourceFile, Span

SPAN = Span(SourceFile("<test>", "x"), 0, 1)
N = make_symbol("N")


def value(*shape: int, name: str = "") -> Value:
    return Value(TensorType(FLOAT32, (N, *shape)), SPAN, name)


def dense(source: Value, label: str, shared: SharedModule | None = None) -> OpNode:
    op = Dense(units=4)
    given = OpInputs((source.type,), Facts.empty(), ("x",))
    return OpNode(op, (source,), (value(4),), label, SPAN, op.parameters(given), shared=shared)


def body() -> Graph:
    graph = Graph("body", "block", SPAN)
    graph.inputs = [value(4, name="in")]
    graph.nodes = [dense(graph.inputs[0], "dense1")]
    graph.outputs = [graph.nodes[0].outputs[0]]
    graph.size = 1
    return graph


def model() -> Graph:
    """x -> dense a -> the body, called b -> the body, called c."""
    graph, inner = Graph("m", "model", SPAN), body()
    graph.inputs = [value(4, name="x")]
    first = dense(graph.inputs[0], "a")
    second = CallNode(inner, first.outputs, (value(4),), "b", SPAN)
    third = CallNode(inner, second.outputs, (value(4),), "c", SPAN)
    graph.nodes = [first, second, third]
    graph.outputs = [third.outputs[0]]
    graph.output_names = ["output"]
    graph.size = 3
    return graph


def check(graph: Graph) -> None:
    verify_program(Program(graph, Facts.empty(), ("N",)))


def test_a_sound_graph_passes() -> None:
    check(model())


Break = Callable[[Graph], None]
BROKEN: dict[str, Break] = {
    "which is not made before it": lambda g: g.nodes.reverse(),
    "has no result": lambda g: setattr(g.nodes[0], "outputs", ()),
    "is made twice": lambda g: setattr(g.nodes[2], "outputs", g.nodes[1].outputs),
    "is not made in it": lambda g: g.outputs.append(value(4)),
    "names for": lambda g: g.output_names.append("another"),
    "its size is": lambda g: setattr(g, "size", 7),
    "two nodes have the label": lambda g: setattr(g.nodes[2], "label", "a"),
    "where its graph has": lambda g: setattr(g.nodes[1], "outputs", (value(5),)),
    "its graph 1": lambda g: setattr(g.nodes[1], "inputs", (g.inputs[0], g.inputs[0])),
    "takes 4 tensors": lambda g: setattr(g.nodes[0], "inputs", (g.inputs[0],) * 4),
    "uses a shared stage": lambda g: setattr(g.nodes[0], "shared", SharedModule("s", SPAN)),
    "passes 1 shared": lambda g: setattr(g.nodes[1], "modules", (SharedModule("s", SPAN),)),
    "ties gain": lambda g: setattr(g.nodes[0], "tie", Tie("gain", "b", "weight", SPAN)),
    "takes something from outside": lambda g: setattr(g, "captures", 1),
    "is not part of the inputs": lambda g: g.tuples.append(ValueTuple("kept", (value(4),), 0)),
    "do not end with the tuples": lambda g: setattr(g, "tails", (ReturnedTuple((g.inputs[0],)),)),
    "other tensors than its tuples have": lambda g: setattr(g.nodes[0], "parts", g.outputs),
    "has other tuples of results": lambda g: setattr(g.nodes[1], "tails", (ValueTuple("", g.nodes[1].outputs, 0),)),
    "passes other tuples": lambda g: setattr(g.nodes[1], "tuples", ((g.inputs[0],),)),
    "calls itself": lambda g: g.nodes[1].graph.nodes.append(CallNode(g, (), (), "d", SPAN)),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_graph_is_found(text: str) -> None:
    graph = model()
    BROKEN[text](graph)
    with pytest.raises(GraphInvalid, match=re.escape(text)):
        check(graph)


def test_tuples_pass() -> None:
    """A call that passes its inputs as a tuple, and gets one back."""
    graph, inner = Graph("m", "model", SPAN), Graph("inner", "sequence", SPAN)
    first, kept = value(4, name="x"), (value(4), value(4))
    inner.inputs, inner.outputs = [first, *kept], [first, kept[0]]
    inner.tuples = [ValueTuple("kept", kept, 1)]
    inner.tails = (ReturnedTuple((TupleSlice(inner.tuples[0], 0, 1),)),)
    graph.inputs = [value(4, name="a"), value(4, name="b"), value(4, name="c")]
    results = (value(4), value(4))
    tails = (ValueTuple("", results[1:], 1),)
    call = CallNode(inner, tuple(graph.inputs), results, "l", SPAN, tuples=(tuple(graph.inputs[1:]),), tails=tails)
    graph.nodes, graph.outputs = [call], list(results)
    check(graph)


def test_a_shared_label_may_be_there_twice() -> None:
    graph = model()
    module = SharedModule("s", SPAN)
    graph.declares.append(module)
    again = dense(graph.outputs[0], "s", module)
    more = dense(again.outputs[0], "s", module)
    graph.nodes += [again, more]
    graph.size += 2
    check(graph)


def test_deep_and_long_graphs() -> None:
    graph, inner = Graph("m", "model", SPAN), body()
    graph.inputs = [value(4, name="x")]
    last = graph.inputs[0]
    for index in range(20_000):
        call = CallNode(inner, (last,), (value(4),), str(index), SPAN)
        graph.nodes.append(call)
        last = call.outputs[0]
    graph.outputs = [last]
    graph.size = 20_000
    check(graph)


def broken(*_: object, **__: object) -> Elaboration:
    """An elaboration with a mistake: the output is made nowhere."""
    graph = model()
    graph.outputs = [value(4)]
    return Elaboration(Program(graph, Facts.empty(), ()), [])


def test_every_graph_is_verified_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netc.analysis, "elaborate", broken)
    with pytest.raises(GraphInvalid, match="is not made in it"):
        netc.compile("input 3 -> relu")


def test_every_graph_is_verified_in_processes_that_tests_start() -> None:
    code = "import netc.cli, netc.compiler.ir.verify as v; v.verify_program = lambda program: print(program.main.name); netc.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "-e", "model seen { input 3 -> relu }"], capture_output=True, text=True, check=True
    )
    assert "seen" in done.stdout
