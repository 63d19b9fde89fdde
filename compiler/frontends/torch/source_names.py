"""Names tensors after the Python source: the variables that a module's code assigns, and the arguments of its `forward`.

In: the nodes of a call, with the stack traces that torch.export keeps. Out: names for the tensors that have one in the source. Always: a
name is a word of the source, and no code is run for it. The writer of the text decides whether the language allows the name.

A statement assigns a node if something outside of the statement reads the node. In `x = norm(a + b)`, only the statement itself reads the
sum, and a later one reads the norm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import getitem

from torch.fx import Node

from netc.dsl.record import Record

from ...ir.graph import Graph, has_operator
from ...ir.graph import Node as GraphNode
from ...ir.graph_values import Value
from ...ops.arithmetic import Add, Div, Mul, Sub
from ...ops.elementwise import Neg
from ...ops.operator import Operator
from ...ops.shape import Cast, Expand, Flatten, Layout, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from .module_calls import CallTree, ModuleCall
from .python_assignments import Frame, Statement, parse_frames

_REARRANGING: tuple[type[Operator], ...] = (Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
"""Operators whose result has the same elements in another form."""
_UNINFORMATIVE = (Layout, Add, Div, Mul, Neg, Sub)
"""Operators whose name tells less about their result than the variable to which it leads."""


class _Place(Record):
    """A statement that runs inside the functions `around`. `is_assigned`: nodes outside of the statement read the node."""

    around: tuple[Frame, ...]
    statement: Statement
    is_assigned: bool


class SourceNames:
    """The names in one exported program. `read`: its stack traces are from code that this process runs, so its files may be read."""

    def __init__(self, tree: CallTree, *, read: bool) -> None:
        self.tree = tree
        self.read = read
        self.order = {node: number for number, node in enumerate(tree.home)}

    def name_tensors(self, graph: Graph, call: ModuleCall, known: Mapping[Node, object], inputs: Mapping[Node, Value]) -> None:
        """Name the tensors in the graph of a call. `inputs` are its inputs.

        A variable that is assigned once is a better name than the label of the tensor's stage. A variable that is assigned several times,
        as `x` often is, is a worse one.
        """
        for node, name in self._find_argument_names(inputs, call):
            inputs[node].name = name
        makers = {id(value): node for node in graph.nodes for value in node.outputs}
        computed = {node: value for node, value in known.items() if isinstance(value, Value) and id(value) in makers}
        nodes = sorted(computed, key=lambda node: self.order.get(node, -1))
        # Reversed, so that the first name of a tensor wins.
        names = {id(computed[node]): (computed[node], name) for node, name in reversed(list(self._find_assigned_names(nodes, call)))}
        counts = Counter(name for _, name in names.values())
        counts.update(value.name for value in graph.inputs)
        for value, name in names.values():
            if counts[name] == 1 or not _has_label(makers[id(value)]):
                value.name = name
        for node in nodes:
            self._name_step(computed[node], makers[id(computed[node])], self._find_place(node, call))
        _propagate_names(graph, makers)

    def _find_assigned_names(self, nodes: Sequence[Node], call: ModuleCall) -> Iterator[tuple[Node, str]]:
        """Yield the nodes that statements assign, with their names. The nodes of one execution of a statement follow each other."""
        places = [(node, place) for node in nodes if (place := self._find_place(node, call)) is not None and place.is_assigned]
        for place, run in groupby(places, lambda pair: pair[1]):
            yield from _pair_targets([node for node, _ in run], place.statement.targets)

    def _name_step(self, value: Value, maker: GraphNode, place: _Place | None) -> None:
        """Give an intermediate tensor of a statement the name of its target, if nothing else names it."""
        targets = () if place is None or place.is_assigned else place.statement.targets
        if len(targets) == 1 and not value.name and has_operator(maker, _UNINFORMATIVE) and not maker.label:
            value.name = targets[0]

    def _find_place(self, node: Node, call: ModuleCall) -> _Place | None:
        """Return the outermost statement that assigns the node, seen from its readers, or else the innermost one that contains them all."""
        frames = self._read_frames(node)
        partings = [_find_parting(frames, self._read_frames(user)) for user in self._find_readers(node, call)]
        depth, is_same = min((parting for parting in partings if parting is not None), default=(-1, True))
        if depth < 0:
            return None
        return _Place(frames[:depth], frames[depth].statement, not is_same)

    def _find_readers(self, node: Node, call: ModuleCall) -> Iterator[Node]:
        for user in node.users:
            if user in self.tree.home and call in self.tree.home[user].enclosing_calls():
                yield user

    def _read_frames(self, node: Node) -> tuple[Frame, ...]:
        return parse_frames(node.meta.get("stack_trace") or "", read=self.read)

    # --- arguments -----------------------------------------------------------------------------------------------------------

    def _find_argument_names(self, inputs: Mapping[Node, Value], call: ModuleCall) -> Iterator[tuple[Node, str]]:
        """Yield the names of `forward`'s arguments for the inputs.

        An input gets an argument that is its only remaining candidate. Inputs with the same candidates get them in order, if there are as
        many.
        """
        candidates = {node: words for node in inputs if (words := self._find_argument_candidates(node, call))}
        while candidates:
            decided = next((node for node, words in candidates.items() if len(words) == 1), None)
            if decided is None:
                words = next(iter(candidates.values()))
                alike = [node for node, others in candidates.items() if set(others) == set(words)]
                pairs = list(zip(alike, words, strict=True)) if len(alike) == len(words) else []
                yield from pairs
                return
            (word,) = candidates.pop(decided)
            yield decided, word
            candidates = {
                node: rest for node, words in candidates.items() if (rest := tuple(candidate for candidate in words if candidate != word))
            }

    def _find_argument_candidates(self, node: Node, call: ModuleCall) -> tuple[str, ...]:
        """Return the arguments of `forward` that occur in every statement that reads the tensor."""
        candidates: tuple[str, ...] | None = None
        for user in self._find_readers(node, call):
            # A reader in an inner module has the `forward` functions of all modules in its stack. The one of this call is `above` from the
            # end.
            above = len(self.tree.home[user].enclosing_calls()) - len(call.enclosing_calls())
            forwards = [frame for frame in self._read_frames(user) if frame.function == "forward"]
            words = forwards[-1 - above].statement.parameters if above < len(forwards) else ()
            if words:
                candidates = words if candidates is None else tuple(word for word in candidates if word in words)
        return candidates or ()


def _find_parting(frames: Sequence[Frame], others: Sequence[Frame]) -> tuple[int, bool] | None:
    """Return where the stack traces of a node and its reader part.

    The result is the depth of the function in which they are in different statements, and false. Or it is the depth of the innermost
    statement that contains both, and true. None if nothing is known.
    """
    for depth, (frame, other) in enumerate(zip(frames, others, strict=False)):
        if frame != other:
            differ = (frame.file, frame.function) == (other.file, other.function)
            return (depth, False) if differ else (depth - 1, True) if depth else None
    shared = min(len(frames), len(others))
    return (shared - 1, True) if shared else None


def _pair_targets(nodes: Sequence[Node], targets: Sequence[str]) -> Iterable[tuple[Node, str]]:
    """Pair the nodes of a statement with its targets.

    Elements of one tuple are paired by their numbers, as many nodes as targets in order, and a single target with the last node.
    """
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
    """Return whether the stage that made the tensor has a label, which is a name for it."""
    return len(node.outputs) == 1 and bool(node.label)


def _propagate_names(graph: Graph, makers: Mapping[int, GraphNode]) -> None:
    """Give a tensor that is read once the name of its rearranged form: `q, k, v = (heads(t) for t in qkv)` names the parts of qkv too."""
    uses = Counter(id(value) for value in (*(v for node in graph.nodes for v in node.inputs), *graph.outputs))
    for node in reversed(graph.nodes):
        if has_operator(node, _REARRANGING) and len(node.inputs) == 1:
            (value,) = node.inputs
            maker = makers.get(id(value))
            if not value.name and uses[id(value)] == 1 and maker is not None and not _has_label(maker):
                value.name = node.outputs[0].name
