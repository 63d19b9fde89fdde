"""The errors for programs that the writer of Python cannot write."""

from __future__ import annotations

from collections.abc import Iterator, Set

from ...analysis.state_dict import collect_parameters
from ...definitions import DefinitionFile
from ...dims import Dim, free_symbols
from ...errors.problem import Problem
from ...errors.target_errors import SourceUnsupported, UnsupportedByTarget
from ...ir.graph import CallNode, Graph, Node, OpNode, Program, SharedModule
from ...ir.walk import collect_graphs


class UnsupportedInPython(UnsupportedByTarget):
    """Raised while a program is written. `node` is the stage, or else the graph that has it."""

    def __init__(self, problem: Problem, node: Node | SharedModule | Graph) -> None:
        super().__init__(problem, node.span)
        self.node = node

    def locate_stage(self, main: Graph) -> None:
        """Find the stage in the text for a node of a definition: the use of the operator that has the definition."""
        order = collect_graphs(main)
        users = {id(node.graph): (node, graph) for graph in order for node in graph.nodes if isinstance(node, CallNode)}
        graph = next((graph for graph in order if any(node is self.node for node in graph.nodes)), main)
        while self.span is not None and isinstance(self.span.file, DefinitionFile) and id(graph) in users:
            if self.span.file.operator not in self.within:
                self.within.append(self.span.file.operator)
            user, graph = users[id(graph)]
            self.span = user.span


def different_modules(stage: str, framework: str) -> Problem:
    """Describe that uses of a shared stage need modules of different classes, or with different arguments."""
    advice = "give all uses inputs with the same number of axes, or declare a shared stage for each kind of input"
    return SourceUnsupported(stage, framework, "its uses need different modules", advice)


class LackingWord(Exception):
    """The framework has no word for something that a class needs. `str()` gives a noun for it."""


class TakenLabel(LackingWord):
    """Modules of the framework keep a name of this kind for themselves."""

    def __init__(self, label: str) -> None:
        super().__init__(f"the label `{label}`")
        self.label = label

    def locate_stage(self, main: Graph, framework: str) -> UnsupportedInPython:
        """Return the error at the first stage with the label."""
        nodes = (node for graph in collect_graphs(main) for node in (*graph.declares, *graph.nodes))
        stage = next((node for node in nodes if self.label in node.label.split(".")), main)
        reason = f"modules of {framework} keep names of this kind for themselves"
        return UnsupportedInPython(SourceUnsupported(str(self), framework, reason, "choose another label"), stage)


def refuse_hidden_labels(program: Program, attributes: Set[str]) -> None:
    """Refuse labels that begin with `_`, for a framework that does not train such members: of trained parameters, and names that every
    module has."""
    infos = collect_parameters(program)
    trained = {label for key, info in infos.items() if info.trainable and not info.frozen for label in key.split(".")}
    nodes = (node for graph in collect_graphs(program.main) for node in (*graph.declares, *graph.nodes))
    for label in (label for node in nodes for label in node.label.split(".")):
        if label.startswith("_") and (label in trained or label in attributes):
            raise TakenLabel(label)


class MissingSize(UnsupportedInPython):
    """A program needs a size that its inputs do not have."""

    def __init__(self, size: Dim, main: Graph, framework: str) -> None:
        node = next((n for n in _iterate_operators(main) if _introduces_size(n, size)), None)
        what = "the model" if node is None else f"`{node.op.name}`"
        reason = f"no axis of an input is `{size}`, or determines it"
        super().__init__(SourceUnsupported(what, framework, reason, "declare an input with an axis of this size"), node or main)


def _iterate_operators(main: Graph) -> Iterator[OpNode]:
    return (node for graph in collect_graphs(main) for node in graph.nodes if isinstance(node, OpNode))


def _introduces_size(node: OpNode, size: Dim) -> bool:
    """Whether a size occurs in the results of a stage, and not in its inputs."""
    names = free_symbols(size)
    input_names = {name for value in node.inputs for axis in value.type.shape for name in free_symbols(axis)}
    output_names = {name for value in node.outputs for axis in value.type.shape for name in free_symbols(axis)}
    return bool(names & output_names) and not names <= input_names


class UnknownSymbol(AssertionError):
    """A number is computed from a symbol that neither its graph nor a graph around it has. This is a bug of netc."""

    def __init__(self, name: str, graph: object) -> None:
        super().__init__(f"{graph} has a number that is computed from {name!r}, which has no value there")
