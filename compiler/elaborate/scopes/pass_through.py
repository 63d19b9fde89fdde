"""Tensors that a sequence only passes through go around it, so that the skips of a U-Net are not passed from level to level.

`call_signature` takes a finished graph and returns its `CallSignature`, which maps the inputs and captures of a call to the graph's own;
the graph keeps the tensors that it reads. A block keeps the tensors it declares and the results it returns; only groups, loops and their
iterations, which have no declared interface, are simplified. A tuple is passed through as a whole, or not at all.

    >>> import netc
    >>> text = "x = input 3; y = x -> relu; (x, y) -> repeat 2 as g { (a, b) = in; c = b -> exp; out a, c }"
    >>> call = netc.compile(text).program.main.nodes[1]
    >>> call.inputs, call.graph.outputs
    ((<y: [N, 3]>,), [<value: [N, 3]>])
"""

from __future__ import annotations

from netc.dsl.record import Record

from ...ir.graph import Graph, OpNode
from ...ir.graph_values import ReturnedTuple, TupleSlice, ValueTuple, flatten_parts


class CallSignature(Record):
    """How a call maps to its graph.

    `inputs` has the inputs that the graph takes, by their indices among the inputs and captures of the body; `tuples` has its tuples in the
    same way. `results` has, for each result before a tuple at the end, its index among the outputs of the call followed by all inputs and
    captures. `rest` is the index of the tuple at the end among the tuples of the body, `RETURNED` if the call returns it, None without one.
    """

    inputs: tuple[int, ...]
    results: tuple[int, ...]
    tuples: tuple[int, ...]
    rest: int | None


RETURNED = -1


def call_signature(graph: Graph) -> CallSignature:
    """Removes from the graph the outputs that are inputs or duplicates, and the inputs that nothing else reads."""
    inputs, leading, tuples = list(graph.inputs), graph.single_outputs, list(graph.tuples)
    used = {id(v) for node in graph.nodes for v in node.inputs}
    passed = _find_passed_tuple(graph)
    input_indices = {id(v): i for i, v in enumerate(inputs)}
    returned = list({id(v): v for v in leading if id(v) not in input_indices}.values())
    rest = None if not graph.tails else RETURNED if passed is None else passed
    has_results = graph.nodes and (returned or rest == RETURNED)
    lists = any(tail.listed for tail in graph.tails)
    # Nothing to simplify, or an interface that the text has declared.
    if graph.kind != "sequence" or lists or not has_results or (len(returned) == len(leading) and passed is None):
        rest = RETURNED if graph.tails else None
        return CallSignature(tuple(range(len(inputs))), tuple(range(len(leading))), tuple(range(len(tuples))), rest)
    through = (
        {id(v) for v in leading if id(v) in input_indices}
        - used
        - {id(v) for i, value_tuple in enumerate(tuples) if i != passed for v in value_tuple.values}
    )
    if passed is not None:
        through |= {id(v) for v in tuples[passed].values}
        # The passed tuple is the only tail, and now goes around the graph.
        graph.tails = ()
    kept = tuple(i for i, v in enumerate(inputs) if id(v) not in through)
    kept_tuples = tuple(i for i in range(len(tuples)) if i != passed)
    # The captures are the last inputs: those among them that stay are counted anew.
    graph.captures = sum(i >= len(inputs) - graph.captures for i in kept)
    graph.inputs = [inputs[i] for i in kept]
    graph.outputs = [*returned, *(v for tail in graph.tails for v in flatten_parts(tail.parts))]
    graph.tuples = [tuples[i] for i in kept_tuples]
    for value_tuple in graph.tuples:
        # The position of a tuple counts the inputs before it, some of which are gone now.
        value_tuple.at = sum(i < value_tuple.at for i in kept)
    index = {id(v): i for i, v in enumerate(returned)}
    return CallSignature(
        kept, tuple(index.get(id(v), len(graph.outputs) + input_indices.get(id(v), 0)) for v in leading), kept_tuples, rest
    )


def _find_passed_tuple(graph: Graph) -> int | None:
    """The number of the tuple that the body gets and returns as it is, if it does."""
    match graph.tails:
        case (ReturnedTuple((TupleSlice(of, 0, 0),)),) if of in graph.tuples and not of.from_end and not _is_tuple_used(of, graph):
            return graph.tuples.index(of)
    return None


def _is_tuple_used(value_tuple: ValueTuple, graph: Graph) -> bool:
    """Whether a node takes the tuple, which may be empty, or something of it."""
    ids = {id(value_tuple), *(id(v) for v in value_tuple.values)}
    for node in graph.nodes:
        parts = [node.parts] if isinstance(node, OpNode) else node.tuples
        inputs = (*node.inputs, *(p.of for some in parts for p in some if isinstance(p, TupleSlice)))
        if any(id(v) in ids for v in inputs):
            return True
    return any(id(v) in ids for v in graph.single_outputs)
