"""The typed graph: programs, graphs and their nodes as plain data.

A `Graph` is one body: the model itself, a block used with certain arguments and input types, or a sequence (a labeled group, a repeat or
one of its iterations). Its nodes are in the order of computation: operators (`OpNode`) and uses of other graphs (`CallNode`). The same
`Graph` object may be called many times; each call has a label of its own, and the parameters' names are the labels on the way, joined by
dots. Values are identified by object, not by name.

Always (checked by verify.py): every input of a node is an input of its graph or an output of an earlier node. The inputs and outputs of a
call have the types of the called graph's inputs and outputs. Labels within a graph are unique, except for the labels of shared stages.

    >>> import netc
    >>> main = netc.compile("block layer(width) { dense width relu }; input 3 -> layer 4 as a -> layer 4 as b").program.main
    >>> [(call.label, call.graph.name, [node.label for node in call.graph.nodes]) for call in main.nodes]
    [('a', 'layer', ['dense1', 'relu1']), ('b', 'layer', ['dense1', 'relu1'])]
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
    """One application of an operator. `label` is its name in the state dict, within the graph. Operators without parameters have a label
    too.

    `tie`: a parameter that is the parameter of another stage, see `Tie`. `shared`: set if the node is a use of a shared stage, whose
    parameters are in the graph that declares it. `parts` are its inputs, if some of them are slices of tuples. `frozen`: its parameters are
    not trained. `rule_dtypes`: the element types that its type rule has seen, if its inputs must be converted to them; empty in a finished
    program. `frame`: the block to which it belonged, in a graph whose calls were inlined.
    """

    __slots__ = ("frame", "frozen", "inputs", "label", "op", "outputs", "parts", "rule_dtypes", "shared", "span", "specs", "tie")

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
        rule_dtypes: tuple[DType, ...] = (),
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
        self.rule_dtypes = rule_dtypes
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
    """The loop of a call: the called graph is one step, which runs for each position of an axis.

    The first inputs of the call are the initial `states`, and the next are the scanned tensors. A step gets the current states, and a slice
    of each scanned tensor at its position along the axis in `axes`. The first outputs are the states after the last step. The others are
    the results of all steps, stacked along the axis in `stacked`. `length` is the number of steps. With `reverse`, the last position comes
    first.
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

    def step_input_types(self, inputs: Sequence[TensorType]) -> list[TensorType]:
        """The types of the inputs of a step, by the types of the inputs of the call."""
        scanned = zip(inputs[self.states : self.own_count], self.axes, strict=True)
        return [*inputs[: self.states], *(t.with_shape((*t.shape[:a], *t.shape[a + 1 :])) for t, a in scanned), *inputs[self.own_count :]]

    def output_types(self, step_types: Sequence[TensorType]) -> list[TensorType]:
        """The types of the outputs of the call, by the types of the outputs of a step."""
        steps = zip(step_types[self.states :], self.stacked, strict=True)
        return [*step_types[: self.states], *(t.with_shape((*t.shape[:a], self.length, *t.shape[a:])) for t, a in steps)]


class CallNode:
    """A use of a graph. `modules` has the shared stages passed to it, one for each of `graph.modules`. `arguments` has the value of each
    symbol of `graph.origins`, which may have a formula over the symbols of the calling graph. `tuples` has the arguments for each of
    `graph.tuples`, and `tails` its results that are tuples, one for each of `graph.tails`. With `scan`, it is a loop. `frozen`: no
    parameter inside is trained. `frame` is as in an `OpNode`."""

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
        """The inputs with each tuple as one item: one for each of the graph's `grouped_inputs`."""
        grouped: list[Value | Parts] = []
        position = 0
        for group, parts in zip(self.graph.tuples, self.tuples, strict=True):
            grouped += self.inputs[position : group.at]
            grouped.append(parts)
            position = group.at + len(group.values)
        return [*grouped, *self.inputs[position:]]

    @property
    def grouped_outputs(self) -> list[Value | ValueTuple]:
        """The results with each tuple as one item."""
        return [*self.outputs[: self.tails[0].at], *self.tails] if self.tails else list(self.outputs)


class Iteration(Record):
    """The number of an iteration, and the prefixes of that number in the labels of its nodes: `attns.` for `attns.0`."""

    number: int
    prefixes: tuple[str, ...]


Node = OpNode | CallNode


def has_operator(node: Node | None, operators: type[Operator] | tuple[type[Operator], ...] | UnionType) -> TypeGuard[OpNode]:
    """Whether a node applies one of these operators."""
    return isinstance(node, OpNode) and isinstance(node.op, operators)


Kind = Literal["model", "block", "sequence", "branches", "scan"]


class Graph:
    """One body: a model, a block for certain arguments and input types, or a part of them. `__init__` describes the fields."""

    def __init__(self, name: str, kind: Kind, span: Span, arguments: dict[str, Any] | None = None) -> None:
        self.name = name
        self.kind: Kind = kind
        """`model`, `block`, `sequence` (members are numbered from 0; an `nn.Sequential` if it is a chain), `branches` (an `each`: one node
        a branch, all with the same input) or `scan` (a step, called once and without a label: its labels and symbols belong to the graph
        around it)."""
        self.span = span
        self.arguments = arguments or {}
        """The compile-time arguments of a block or model."""
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.outputs: list[Value] = []
        self.output_names: list[str] = []
        self.modules: list[SharedModule] = []
        """The shared stages that are used inside and declared outside."""
        self.declares: list[SharedModule] = []
        """The shared stages that are declared here."""
        self.captures = 0
        """The number of the last inputs that are tensors of the surrounding body, rather than inputs of its own."""
        self.tuples: list[ValueTuple] = []
        """The inputs that are passed as tuples. All others are passed one by one."""
        self.tails: tuple[ReturnedTuple, ...] = ()
        """The tuples with which the outputs end."""
        self.origins: dict[str, Origin] = {}
        """The symbols of its own in the formulas of its integers: its block's parameters and the sizes of its inputs. Other symbols belong
        to the graphs around it."""
        self.flags: dict[str, bool] = {}
        """The defaults of the block's boolean parameters."""
        self.decisions: Decided = {}
        """The comparisons that made it what it is: if one of them did not hold, it would be another graph."""
        self.count: int | None = None
        """The number of iterations of a `repeat` over a number, if all iterations but the first are alike."""
        self.around: Graph | None = None
        """The graph in which it was elaborated first. It may contain symbols of that graph."""
        self.choices: list[Choice] = []
        """The `if`s of its text, in their order."""
        self.stages: dict[str, StageParameter] = {}
        """By label, the operators that its block takes as parameters."""
        self.sizes: dict[str, SymDim] = {}
        """The names in its text for sizes: sizes that are known at run time, and formulas of integers."""
        self.has_modes = False
        """Whether it has an `if training`."""
        self.training_outputs: list[Value] | None = None
        """The outputs of a model in training, if they differ from the outputs in evaluation."""
        self.iteration: Iteration | None = None
        """Set for one iteration of an imported loop over several lists of modules. Its call has no label."""
        self.size = 0
        """The number of operators inside. Operators of called graphs count at each call."""
        self.letters = 0
        """The number of characters of all labels on the way to these operators. It is limited, because a short text can make very long
        keys."""
        self.makers: tuple[dict[int, Node], int] = ({}, 0)
        """The nodes that made each value, by the id of the value, and the number of nodes in this index: a cache of
        elaborate/interpreter/input_sources.py."""
        self.seen_from: object = None
        """Its only stage with the values of the last caller: a cache of elaborate/interpreter/calls.py."""

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.nodes)} nodes>"

    @property
    def grouped_inputs(self) -> list[Value | ValueTuple]:
        """The inputs with each tuple as one item."""
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
        """The outputs with each tuple as one item."""
        return [*self.single_outputs, *(tail.parts for tail in self.tails)]


class StatedClaim(Record):
    """`expect output ignores mask`: a claim that the text states about an output. It is checked once the program is complete."""

    output: str
    verb: str
    name: str
    span: Span


class Program:
    """A checked model: its main graph and the facts about its dimensions.

    `symbols` has the free symbolic dimensions, `N` first if it is used. `conditions` has the conditions of every `where`, in plain symbols,
    with their texts. The proofs rest on them, so the sizes of real inputs must meet them. `dims` has the form of each declared name under
    the conditions: S is `2*T` if `S == 2 * T`. `derived` caches the results of analyses, by their classes. `text` is the text from which
    the program was elaborated, if it was elaborated in float32 and without fixed dimensions: then it says the same as the program.
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
        self.claims: tuple[StatedClaim, ...] = ()
