"""The typed graph: programs, graphs and their nodes as plain data.

A `Graph` is one body: the model itself, a block used with certain arguments and input types, or a sequence (a labeled group, a repeat or
one of its iterations). Its nodes are in the order of computation: operators (`OpNode`) and uses of other graphs (`CallNode`). The same
`Graph` object may be called many times; each call has a label of its own, and the parameters' names are the labels on the way, joined by
dots. Values are identified by object, not by name.

Always (checked by verify.py): every input of a node is an input of its graph or an output of an earlier node. The inputs and outputs of a
call have the types of the called graph's inputs and outputs. Labels within a graph are unique, except for the labels of shared stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Literal, TypeGuard

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Dim, Facts, SymDim, WhereCondition
from ..ops.operator import Operator, ParameterSpec
from ..types.tensor_types import DType, TensorType
from ..types.traced_ints import Decided, Origin
from .choices import Choice
from .frames import Frame
from .graph_values import Parts, ReturnedTuple, Value, ValueTuple, flatten_parts
from .parameter_stages import StageParameter
from .program_text import ProgramText


class SharedModule:
    """A `shared` stage, the identity of one set of parameters. `label` is its name in the graph that declares it."""

    __slots__ = ("label", "span")

    def __init__(self, label: str, span: Span) -> None:
        self.label = label
        self.span = span


class OpNode:
    """An operator applied. `label` is its name in the state dict, within the graph; operators without parameters have one too.

    `tie`: the local names of parameters that are those of another stage, with its position: see `Tie`. `shared`: set when the node is
    a use of a shared stage; if the graph did not declare it, the parameters live where it was declared. `parts` are its inputs, if some of
    them are parts of tuples. `frozen`: its parameters are not trained. `taken`: the element types that its rule has seen, if its inputs are
    to be converted to them; empty in a finished program. `frame`: the block that it was part of, in a graph whose calls were opened.
    """

    __slots__ = ("frame", "frozen", "inputs", "label", "op", "outputs", "parts", "shared", "span", "specs", "taken", "tie")

    def __init__(
        self,
        op: Operator,
        inputs: tuple[Value, ...],
        outputs: tuple[Value, ...],
        label: str,
        span: Span,
        specs: tuple[ParameterSpec, ...],
        tie: Tie | None = None,
        shared: SharedModule | None = None,
        parts: Parts = (),
        frozen: bool = False,
        taken: tuple[DType, ...] = (),
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.outputs = outputs
        self.label = label
        self.span = span
        self.specs = specs
        self.tie = tie
        self.shared = shared
        self.parts = parts
        self.frozen = frozen
        self.taken = taken
        self.frame: Frame | None = None


class Tie:
    """`tie=wte`: the parameter `name` of the node is the parameter `target_name` of the stage at `path` (labels, from the node's own
    graph inwards, joined by dots)."""

    __slots__ = ("name", "path", "span", "target_name")

    def __init__(self, name: str, path: str, target_name: str, span: Span) -> None:
        self.name = name
        self.path = path
        self.target_name = target_name
        self.span = span


class Scan(Record):
    """What makes a call a loop: its graph is one step, which runs for each position of an axis.

    The first inputs of the call are what the `states` start with, and the next are scanned: a step gets the states as they are, and of
    each scanned tensor what is at its position on the axis of `axes`. The first outputs are the states after the last step, and the
    others are what all steps gave, stacked along the axis of `stacked`. `length` is the number of steps. With `reverse` the last position
    is first.
    """

    states: int
    axes: tuple[int, ...]
    stacked: tuple[int, ...]
    length: Dim
    reverse: bool = False

    @property
    def own_count(self) -> int:
        """The number of inputs that are not captured."""
        return self.states + len(self.axes)

    def step_input_types(self, given: Sequence[TensorType]) -> list[TensorType]:
        """The types that a step gets of the inputs of the call."""
        scanned = zip(given[self.states : self.own_count], self.axes, strict=True)
        return [*given[: self.states], *(t.with_shape((*t.shape[:a], *t.shape[a + 1 :])) for t, a in scanned), *given[self.own_count :]]

    def output_types(self, made: Sequence[TensorType]) -> list[TensorType]:
        """The types of the outputs of the call, given those of a step."""
        steps = zip(made[self.states :], self.stacked, strict=True)
        return [*made[: self.states], *(t.with_shape((*t.shape[:a], self.length, *t.shape[a:])) for t, a in steps)]


class CallNode:
    """A use of a graph. `modules` are the shared stages passed to it, one for each of `graph.modules`; `arguments` has, for each symbol of
    `graph.origins`, the number that it is here, which may be traced to the symbols of the calling graph. `tuples` are what it passes as
    each of `graph.tuples`, and `tails` its results that are tuples, one for each of `graph.tails`. With `scan` it is a loop. `frozen`:
    no parameter inside is trained. `frame` is as for an `OpNode`."""

    __slots__ = (
        "arguments",
        "frame",
        "frozen",
        "graph",
        "inputs",
        "label",
        "modules",
        "outputs",
        "scan",
        "shared",
        "span",
        "tails",
        "tuples",
    )

    def __init__(
        self,
        graph: Graph,
        inputs: tuple[Value, ...],
        outputs: tuple[Value, ...],
        label: str,
        span: Span,
        modules: tuple[SharedModule, ...] = (),
        shared: SharedModule | None = None,
        arguments: Mapping[str, int | float] | None = None,
        tuples: tuple[Parts, ...] = (),
        tails: tuple[ValueTuple, ...] = (),
        scan: Scan | None = None,
        frozen: bool = False,
    ) -> None:
        self.graph = graph
        self.inputs = inputs
        self.outputs = outputs
        self.label = label
        self.span = span
        self.modules = modules
        self.shared = shared
        self.arguments = arguments or {}
        self.tuples = tuples
        self.tails = tails
        self.scan = scan
        self.frozen = frozen
        self.frame: Frame | None = None

    @property
    def grouped_inputs(self) -> list[Value | Parts]:
        """The inputs as they are passed, one for each of the graph's `grouped_inputs`."""
        grouped: list[Value | Parts] = []
        position = 0
        for group, parts in zip(self.graph.tuples, self.tuples, strict=True):
            grouped += self.inputs[position : group.at]
            grouped.append(parts)
            position = group.at + len(group.values)
        return [*grouped, *self.inputs[position:]]

    @property
    def grouped_outputs(self) -> list[Value | ValueTuple]:
        """Its results, a tuple as one."""
        return [*self.outputs[: self.tails[0].at], *self.tails] if self.tails else list(self.outputs)


class Iteration(Record):
    """The number of an iteration, and what comes before that number in the labels of its nodes: `attns.` of `attns.0`."""

    number: int
    prefixes: tuple[str, ...]


Node = OpNode | CallNode


def has_operator(node: Node | None, operators: type[Operator] | tuple[type[Operator], ...] | UnionType) -> TypeGuard[OpNode]:
    """Whether a node applies one of these operators."""
    return isinstance(node, OpNode) and isinstance(node.op, operators)


Kind = Literal["model", "block", "sequence", "branches", "scan"]


class Graph:
    """One body.

    `kind` is `model`, `block`, `sequence` (members are numbered from 0, an `nn.Sequential` when it is a chain), `branches` (an
    `each`: one call or operator a branch on the same input) or `scan` (a step of a `scan`, called once, without a label: its labels and its
    symbols are those of the graph around it). `arguments` are the compile-time arguments of a block or model.
    `modules` are the shared stages that are used inside and declared outside. `captures` counts the trailing inputs that are tensors of
    the surrounding body rather than inputs of its own. `tuples` are the inputs that are passed as tuples; `tails` are the tuples with
    which the outputs end: all others are passed one by one. `sizes` are the names that the body uses for sizes: those known at run
    time, and the formulas of integers. `origins` are the symbols to which the integers in it are traced: its block's parameters and the
    sizes of its inputs; others belong to the graphs around it. `decisions` are what it depends on in addition: it would be another graph if
    one did not hold. `count` is the number of iterations of a `repeat` over a number, if all but the first are alike. `around` is the graph
    in which it was elaborated first, whose symbols it may have too. `choices` are the `if`s of its text, in their order. `stages` has, by
    label, the operators that its block takes as parameters. `flags` are the defaults of its booleans. `has_modes`: it
    has an `if training`; `training_outputs` are those of a model that are others in training. `iteration` is set for one iteration of an
    imported loop over several lists of modules, whose call has no label.
    """

    def __init__(self, name: str, kind: Kind, span: Span, arguments: dict[str, Any] | None = None) -> None:
        self.name = name
        self.kind: Kind = kind
        self.span = span
        self.arguments = arguments or {}
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.outputs: list[Value] = []
        self.output_names: list[str] = []
        self.modules: list[SharedModule] = []
        self.declares: list[SharedModule] = []
        self.captures = 0
        self.tuples: list[ValueTuple] = []
        self.tails: tuple[ReturnedTuple, ...] = ()
        self.origins: dict[str, Origin] = {}
        self.flags: dict[str, bool] = {}
        self.decisions: Decided = {}
        self.count: int | None = None
        self.around: Graph | None = None
        self.choices: list[Choice] = []
        self.stages: dict[str, StageParameter] = {}
        self.sizes: dict[str, SymDim] = {}
        self.has_modes = False
        self.training_outputs: list[Value] | None = None
        self.iteration: Iteration | None = None
        self.size = 0
        """Operators inside, those of called graphs counted at each call."""
        self.letters = 0
        """The characters of the labels that lead to them."""
        self.makers: tuple[dict[int, Node], int] = ({}, 0)
        """The nodes that made each value, by the id of the value, and the number of nodes in this index: a cache of
        elaborate/interpreter/input_sources.py."""
        self.seen_from: object = None
        """Its only stage as the last caller sees it: a cache of elaborate/interpreter/calls.py."""

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.nodes)} nodes>"

    @property
    def grouped_inputs(self) -> list[Value | ValueTuple]:
        """The inputs as they are passed, a tuple as one."""
        grouped: list[Value | ValueTuple] = []
        position = 0
        for group in self.tuples:
            grouped += self.inputs[position : group.at]
            grouped.append(group)
            position = group.at + len(group.values)
        return [*grouped, *self.inputs[position:]]

    @property
    def single_outputs(self) -> list[Value]:
        """The outputs that are not part of `tails`."""
        return self.outputs[: len(self.outputs) - sum(len(flatten_parts(tail.parts)) for tail in self.tails)]

    @property
    def grouped_outputs(self) -> list[Value | Parts]:
        """The outputs as they are returned, a tuple as one."""
        return [*self.single_outputs, *(tail.parts for tail in self.tails)]


class Program:
    """A whole checked model: its main graph and what is known of its dimensions.

    `symbols` are the symbolic dimensions that are free, `N` first if it is used. `conditions` are those of every `where`, in plain symbols,
    with their texts: what the proofs rest on, and what the sizes of real inputs must keep. `dims` says what each declared name is by the
    conditions: of `S == 2 * T`, S is `2*T`. `derived` caches the results of analyses, by their classes. `text` is the text that says the
    same, for a program that was elaborated from one in float32, without fixed dimensions.
    """

    def __init__(
        self,
        main: Graph,
        facts: Facts,
        symbols: tuple[str, ...],
        conditions: tuple[tuple[WhereCondition, str], ...] = (),
        dims: Mapping[str, Dim] | None = None,
    ) -> None:
        self.main = main
        self.facts = facts
        self.symbols = symbols
        self.conditions = conditions
        self.dims = dims or {}
        self.derived: dict[type, Any] = {}
        self.text: ProgramText | None = None
