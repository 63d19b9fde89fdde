"""Let a model take the rows of the embedding of its tokens, `inputs_embeds`, instead of the tokens.

In: the graph of a model that looks its tokens up once. Out: the same graph, in which `TokenEmbedding` takes the new input, and every graph
around it passes the input on. A model with another use of its tokens raises `NotPretrained`.
"""

from __future__ import annotations

from typing import Any

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Value
from ....ops.dense import Embedding
from ....types.traced_ints import substitute_values
from .interface_operators import TokenEmbedding
from .pretrained_program import EMBEDS, NotPretrained


def rewrite_embedding(main: Graph, tokens: Value) -> tuple[str, tuple[Any, Any]]:
    """Let the model take the rows of the embedding of its tokens instead of the tokens. Return the path of the embedding, and its
    sizes."""
    path: list[Node] = []
    graph = main
    while True:
        takers = [n for n in graph.nodes if any(v is tokens for v in n.inputs)]
        looked_up = [n for n in takers if isinstance(n, OpNode) and isinstance(n.op, Embedding)]
        if len(looked_up) > 1:
            raise NotPretrained("it has more than one embedding of its tokens")
        if looked_up:
            break
        deeper = [n for n in takers if isinstance(n, CallNode) and _looks_up(n.graph, n.graph.inputs[n.inputs.index(tokens)])]
        if len(deeper) != 1:
            raise NotPretrained("it looks its tokens up in no embedding, or in several")
        path.append(deeper[0])
        graph, tokens = deeper[0].graph, deeper[0].graph.inputs[deeper[0].inputs.index(tokens)]
    (node,) = looked_up
    assert isinstance(node, OpNode)
    if len(node.inputs) > 1:
        raise NotPretrained("the weight of its embedding is computed")
    calls = [n for n in path if isinstance(n, CallNode)]
    _thread_embeds(main, node, calls, graph)
    sizes = (node.op.args["num"], node.op.args["dim"])
    for call in reversed(calls):
        sizes = tuple(substitute_values(size, call.arguments) for size in sizes)
    return ".".join(n.label for n in (*path, node) if n.label), sizes


def _looks_up(graph: Graph, tokens: Value) -> bool:
    return any(
        isinstance(n.op, Embedding) if isinstance(n, OpNode) else _looks_up(n.graph, n.graph.inputs[n.inputs.index(tokens)])
        for n in graph.nodes
        if any(v is tokens for v in n.inputs)
    )


def _thread_embeds(main: Graph, node: OpNode, path: list[CallNode], graph: Graph) -> None:
    """Replace the embedding, and pass its rows through the calls around it."""
    (rows,) = node.outputs
    owners = [main, *(call.graph for call in path)]
    kind = rows.type
    values = {id(graph): Value(kind, rows.span, EMBEDS)}
    for owner, call in zip(reversed(owners[:-1]), reversed(path), strict=True):
        # sizes of a block are formulas of its own parameters, which its callers do not have
        kind = kind.with_shape(substitute_values(kind.shape, call.arguments))
        values[id(owner)] = Value(kind, rows.span, EMBEDS)
    for owner in owners:
        owner.inputs.append(values[id(owner)])
        owner.captures += owner is not main
    for owner, call in zip(owners, path, strict=False):
        call.inputs = (*call.inputs, values[id(owner)])
    index = next(i for i, n in enumerate(graph.nodes) if n is node)
    op = TokenEmbedding(**node.op.args)
    graph.nodes[index] = OpNode(op, (values[id(graph)],), node.outputs, node.label, node.span, node.specs, node.tie, node.shared)
    rows.name = rows.name or EMBEDS
