"""Names of tensors from the Python source: the variables to which a module's code assigns them, and the arguments of its `forward`.

In: the nodes that are tensors of a call, with the stack traces that torch.export keeps. Out: names for those that have one there.
Always: a name is a word of the source and nothing more; whether the language can have it is decided when the text is written.

A node is what a statement assigns if something outside of that statement reads it: of `x = norm(a + b)` the sum is read by the same
statement alone, and the norm by a later one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import getitem

from torch.fx import Node

from netc.dsl.record import Record

from ...ir.graph import Graph, OpNode
from ...ir.graph import Node as GraphNode
from ...ir.values import Value
from ...ops.arithmetic import Add, Div, Mul, Sub
from ...ops.base import Operator
from ...ops.elementwise import Neg
from ...ops.shape import Cast, Expand, Flatten, Layout, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from .modules import CallTree, ModuleCall
from .statements import Frame, Statement, frames_of

_ARRANGED: tuple[type[Operator], ...] = (Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
"""Operators whose result is the same tensor in another form."""
_UNTELLING = (Layout, Add, Div, Mul, Neg, Sub)
"""Operators that say less of their result than the variable does of which it is a step."""


class _Place(Record):
    """A statement that runs in the functions `around`, and whether nodes elsewhere read what the node is there."""

    around: tuple[Frame, ...]
    statement: Statement
    is_assigned: bool


class SourceNames:
    """Those of one exported program. `read`: its traces are those of code that this process runs, whose files may be read."""

    def __init__(self, tree: CallTree, *, read: bool) -> None:
        self.tree = tree
        self.read = read
        self.order = {node: at for at, node in enumerate(tree.home)}

    def name_tensors(self, graph: Graph, call: ModuleCall, known: Mapping[Node, object], given: Mapping[Node, Value]) -> None:
        """Names the tensors of the graph of a call; `given` are those that come from around. A variable that is assigned once says more
        than the label of the stage that made the tensor, and one that is assigned again and again, as `x` often is, says less."""
        for node, name in self._argument_names(given, call):
            given[node].name = name
        makers = {id(value): node for node in graph.nodes for value in node.outputs}
        made = {node: value for node, value in known.items() if isinstance(value, Value) and id(value) in makers}
        nodes = sorted(made, key=lambda node: self.order.get(node, -1))
        names = {id(made[node]): (made[node], name) for node, name in reversed(list(self._assigned_names(nodes, call)))}
        counts = Counter(name for _, name in names.values())
        counts.update(value.name for value in graph.inputs)
        for value, name in names.values():
            if counts[name] == 1 or not _has_label(makers[id(value)]):
                value.name = name
        for node in nodes:
            self._name_step(made[node], makers[id(made[node])], self._find_place(node, call))
        _pass_on(graph, makers)

    def _assigned_names(self, nodes: Sequence[Node], call: ModuleCall) -> Iterator[tuple[Node, str]]:
        """The nodes that statements assign, with the names. What one run of a statement assigns is one after the other."""
        places = [(node, place) for node in nodes if (place := self._find_place(node, call)) is not None and place.is_assigned]
        for place, run in groupby(places, lambda pair: pair[1]):
            yield from _pair_targets([node for node, _ in run], place.statement.targets)

    def _name_step(self, value: Value, maker: GraphNode, place: _Place | None) -> None:
        """Names a step towards what a statement assigns as that, if nothing else says what it is."""
        targets = () if place is None or place.is_assigned else place.statement.targets
        if len(targets) == 1 and not value.name and isinstance(maker, OpNode) and isinstance(maker.op, _UNTELLING) and not maker.label:
            value.name = targets[0]

    def _find_place(self, node: Node, call: ModuleCall) -> _Place | None:
        """The outermost statement in whose place the node is for the nodes of the call that read it: the one that assigns it, or the one
        that all of them are in."""
        frames = self._frames(node)
        partings = [_find_parting(frames, self._frames(user)) for user in self._readers(node, call)]
        depth, is_same = min((parting for parting in partings if parting is not None), default=(-1, True))
        if depth < 0:
            return None
        return _Place(frames[:depth], frames[depth].statement, not is_same)

    def _readers(self, node: Node, call: ModuleCall) -> Iterator[Node]:
        for user in node.users:
            if user in self.tree.home and call in self.tree.home[user].chain():
                yield user

    def _frames(self, node: Node) -> tuple[Frame, ...]:
        return frames_of(node.meta.get("stack_trace") or "", read=self.read)

    # --- arguments -----------------------------------------------------------------------------------------------------------

    def _argument_names(self, given: Mapping[Node, Value], call: ModuleCall) -> Iterator[tuple[Node, str]]:
        """What `forward` calls the tensors that it is given: the only argument that all statements which read one can mean, those that
        others are left out; and as many as a statement has, in their order."""
        left = {node: words for node in given if (words := self._argument_candidates(node, call))}
        while left:
            found = next((node for node, words in left.items() if len(words) == 1), None)
            if found is None:
                words = next(iter(left.values()))
                alike = [node for node, others in left.items() if set(others) == set(words)]
                pairs = list(zip(alike, words, strict=True)) if len(alike) == len(words) else []
                yield from pairs
                return
            (word,) = left.pop(found)
            yield found, word
            left = {node: rest for node, words in left.items() if (rest := tuple(one for one in words if one != word))}

    def _argument_candidates(self, node: Node, call: ModuleCall) -> tuple[str, ...]:
        """The arguments that are read by all statements of a `forward` which read the tensor."""
        found: tuple[str, ...] | None = None
        for user in self._readers(node, call):
            above = len(self.tree.home[user].chain()) - len(call.chain())
            forwards = [frame for frame in self._frames(user) if frame.function == "forward"]
            words = forwards[-1 - above].statement.parameters if above < len(forwards) else ()
            if words:
                found = words if found is None else tuple(word for word in found if word in words)
        return found or ()


def _find_parting(frames: Sequence[Frame], others: Sequence[Frame]) -> tuple[int, bool] | None:
    """The depth of the function in which a node and one that reads it are of different statements; or of the innermost statement that they
    are both in, and true. None if nothing is known."""
    for depth, (one, other) in enumerate(zip(frames, others, strict=False)):
        if one != other:
            differ = (one.file, one.function) == (other.file, other.function)
            return (depth, False) if differ else (depth - 1, True) if depth else None
    shared = min(len(frames), len(others))
    return (shared - 1, True) if shared else None


def _pair_targets(nodes: Sequence[Node], targets: Sequence[str]) -> Iterable[tuple[Node, str]]:
    """What a statement assigns: the parts of one tuple by their numbers, as many tensors as targets in their order, or the last tensor."""
    is_tuple = all(node.target is getitem for node in nodes) and len({node.args[0] for node in nodes}) == 1
    pairs: list[tuple[Node, str]] = []
    if is_tuple and len(targets) > 1:
        pairs = [(node, targets[int(node.args[1])]) for node in nodes if int(node.args[1]) < len(targets)]  # type: ignore[arg-type]
    elif len(nodes) == len(targets):
        pairs = list(zip(nodes, targets, strict=True))
    elif len(targets) == 1 and not is_tuple:
        pairs = [(nodes[-1], targets[0])]
    return [(node, name) for node, name in pairs if name.strip("_")]


def _has_label(node: GraphNode) -> bool:
    """Whether the stage that made the tensor has a label, which says what it is."""
    return len(node.outputs) == 1 and bool(node.label)


def _pass_on(graph: Graph, makers: Mapping[int, GraphNode]) -> None:
    """Names a tensor that is read once as what is only another form of it: of `q, k, v = (heads(t) for t in qkv)` the parts of qkv."""
    uses = Counter(id(value) for value in (*(v for node in graph.nodes for v in node.inputs), *graph.outputs))
    for node in reversed(graph.nodes):
        if isinstance(node, OpNode) and isinstance(node.op, _ARRANGED) and len(node.inputs) == 1:
            (value,) = node.inputs
            maker = makers.get(id(value))
            if not value.name and uses[id(value)] == 1 and maker is not None and not _has_label(maker):
                value.name = node.outputs[0].name
