"""The classes to be emitted, as data: bodies of classes, and the classes that several bodies share.

A `ClassBody` is one graph written as a class of its own: its members (made by the constructor) and its steps (the statements of `forward`).
Its tensors, and tuples of them, are numbered: the body's inputs first, then the results of the steps in order. Bodies with the same code
become one `ClassDef`: one body with an `Argument` wherever they differed, and for every graph the values of the arguments.
Two blocks `dense(64)` and `dense(32)` so become one class whose constructor takes `features`.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence

from netc.dsl.record import Record, replace
from netc.dsl.trees import rewrite_downward, shape_key, walk_tree

from ....ir.choices import Key
from ....ir.graph import CallNode, Graph
from ..identifiers import are_consecutive
from .class_tree import FlagRef
from .framework import Framework
from .framework import MemberKind as MemberKind
from .python_expressions import AttributeCode, CallCode, Code, Infix, Literal, Method, Prefix, SelfMember, Subscript

Guards = tuple[tuple[Key, bool], ...]
"""The `if`s around a member or step, the outermost first: the key of each, and whether it is in the branch where the condition holds."""


class Member(Record):
    """A member of a class. `node` is the index of the node that it belongs to."""

    label: str
    kind: MemberKind
    code: Code
    node: int = -1
    guards: Guards = ()


ExpressionKind = typing.Literal["call", "method", "infix", "other", "return"]
# The shares of a line by which `forward` decides whether an expression is nested in another one.
_WEIGHTS: dict[ExpressionKind, int] = {"call": 4, "method": 2, "infix": 1, "other": 1, "return": 0}
_KINDS: dict[type[Code], ExpressionKind] = {
    Method: "method",
    Infix: "infix",
    Prefix: "infix",
    AttributeCode: "other",
    Subscript: "method",
    SelfMember: "other",
}


def classify_expression(code: Code) -> ExpressionKind:
    """The kind of an expression."""
    return _KINDS.get(type(code), "call")


class StepInfo(Record):
    """The properties of a step that decide the layout of `forward`. `weight` is the share of a line that an expression takes."""

    operator: str
    parametric: bool = False
    module: bool = False
    activation: bool = False
    call: bool = False
    kind: ExpressionKind = "call"
    either: bool = False
    """It is in one branch of an `if`: another step has the same outputs."""

    @property
    def weight(self) -> int:
        return _WEIGHTS[self.kind]


class Loop(Record):
    """`for variable in members: states = step`: one step for each member of a list, on the result of the previous one."""

    members: Code
    variable: str
    states: tuple[int, ...]
    """The tensors that the first member takes."""
    slots: tuple[tuple[int, ...], ...] = ()
    """For each result of a member, the outputs of the step that receive it: states, then lists that it is appended to. If empty, the
    results are the states."""
    items: tuple[str, ...] = ()
    """Names for the results that go to lists only."""


class Step(Code):
    """`outputs = code`. In a loop, `code` is one iteration: `Name(variable)` called on `ValueRef`s, of which the first are the states, and
    on `ElementCode`s. The outputs are the states after the loop, then the lists that it collects."""

    code: Code
    outputs: tuple[int, ...]
    traits: StepInfo
    loop: Loop | None = None
    mode: bool | None = None
    """Only in training (True), only in evaluation (False), or in both. Two steps with the same outputs, one of each mode, are an `if`."""
    node: int = -1
    guards: Guards = ()
    end: Key | None = None
    """The `if` whose result this step is, if it only puts tensors together."""

    @property
    def repeats(self) -> bool:
        """Whether it is a loop over members, or over an axis of tensors."""
        return self.loop is not None or isinstance(self.code, ScanCode)


class ScanCode(Code):
    """A loop over an axis of tensors. The outputs are the last states, then the results of all iterations, stacked.

    The tensors in `starts` become the `states`. In each iteration, each of `parts` is a slice of one of the tensors `scanned`. The last of
    `steps` has no outputs: its code is a tuple of the new states and of the results of the iteration. Tensors in the loop share the
    numbering of the tensors around it.
    """

    starts: tuple[Code, ...]
    scanned: tuple[Code, ...]
    steps: tuple[Step, ...]
    states: tuple[int, ...]
    parts: tuple[int, ...]
    axes: tuple[int, ...]
    stacked: tuple[int, ...]
    reverse: bool
    is_function: bool = False
    """The steps are a function that `Framework.scan` calls, rather than a loop."""

    @property
    def inner_tensors(self) -> tuple[int, ...]:
        """The numbers of the tensors in the loop."""
        return (*self.states, *self.parts, *(o for step in self.steps for o in step.outputs))


class SizeSymbol(Record):
    """A run-time size that is read off a tensor: `(input.shape[axis] - minus) * times // by`. `given`: its name comes from the spec."""

    name: str
    input: int
    axis: int
    minus: int = 0
    times: int = 1
    by: int = 1
    given: bool = False


class ModuleRule(Record):
    """`statement`, in terms of `NewModule`, for every module of a class, at any depth. With `needed`, only for modules that have it."""

    function: str
    statement: Code
    needed: Code | None = None


class ClassBody:
    """One graph as a class of its own. `keyed`: modules are accessed by `self["0"]`, as labels such as `0` are not attribute names."""

    def __init__(self, graph: Graph, framework: Framework) -> None:
        self.graph = graph
        self.framework = framework
        self.keyed = False
        self.chain: CallCode | None = None
        """The call that makes a row of modules, if the class is only that. It then has no members and no steps."""
        self.base_class = ""
        """The class that it extends, if it is not the framework's usual one."""
        self.names: list[str] = []
        self.roles: list[str] = []
        """By tensor, the argument name in the stages that take it: a hint for a variable's name."""
        self.inputs = len(graph.grouped_inputs)
        self.members: list[Member] = []
        self.ties: list[tuple[Code, Code]] = []
        self.starts: list[tuple[Code, Code]] = []
        """The modules whose buffers are computed from the first value of a parameter, each with that parameter."""
        self.norms: list[tuple[Code, Code]] = []
        """The parameters that start as the norms of the rows of another parameter, each with the other one."""
        self.steps: list[Step] = []
        self.outputs: tuple[Code, ...] = ()
        self.shared_labels: list[str] = []
        self.symbols: list[SizeSymbol] = []
        self.rules: tuple[ModuleRule, ...] = ()
        """The rules that the constructor applies to all modules, at its end."""
        self.ends: dict[Key, tuple[list[Code], list[Code]]] = {}
        """For each `if`, its input tensors and its results."""
        self.tests: dict[Key, Code] = {}
        """The conditions of `if`s that were decided differently in the bodies of the class."""
        self.taken: dict[Key, bool] = {}
        """For each of these conditions, whether it holds here. The other branch has the code of another body."""
        self.passed: list[tuple[str, Code]] = []
        """Numbers that the caller passes, and any tensor if there are no inputs: a name and, in terms of the caller, the value."""

    @property
    def is_list(self) -> bool:
        """Whether the members are modules numbered from 0, so that it is a list of them."""
        return self.keyed and all(m.kind == "module" for m in self.members) and are_consecutive(m.label for m in self.members)

    def list_constructor_code(self) -> list[Code]:
        """List the code of everything that the constructor makes."""
        return [m.code for m in self.members] + ([] if self.chain is None else [self.chain])

    def copy(self) -> ClassBody:
        copied = ClassBody(self.graph, self.framework)
        # The lists are shared: whoever changes a copy assigns new ones.
        copied.__dict__.update(self.__dict__)
        return copied

    @property
    def decorators(self) -> list[str]:
        """The decorators of the method: one if it computes a tensor by which the model differentiates."""
        return [self.framework.differentiating] if self.framework.differentiating and _differentiates(self.graph) else []

    def rewrite_code(self, change: Callable[[Code], Code | None]) -> None:
        """Apply `change` to all code, as `tree.rewrite` does."""
        self.members = [replace(m, code=rewrite_downward(m.code, change)) for m in self.members]
        self.steps = [replace(s, code=rewrite_downward(s.code, change)) for s in self.steps]
        self.tests = {key: rewrite_downward(test, change) for key, test in self.tests.items()}
        if self.chain is not None:
            self.chain = rewrite_downward(self.chain, change)

    def list_forward_conditions(self) -> list[Key]:
        """The conditions that `forward` depends on."""
        refs = [p.key for s in self.steps for p in walk_tree(s.code) if isinstance(p, FlagRef)]
        return list(dict.fromkeys([*refs, *(key for s in self.steps for key, _ in s.guards)]))

    def find_optional_members(self) -> dict[Key, str]:
        """Return the conditions that decide about exactly one module, which is None if the condition does not hold, each with its label."""
        # A module in a list or dictionary is reached by its key, so it cannot be None.
        if self.keyed:
            return {}
        inside: dict[Key, list[Member]] = {}
        for member in self.members:
            for key, _ in member.guards:
                inside.setdefault(key, []).append(member)
        alone = {key: several[0] for key, several in inside.items() if len(several) == 1 and several[0].guards[0] == (key, True)}
        return {
            key: m.label
            for key, m in alone.items()
            if m.kind == "module" and len(m.guards) == 1 and self.framework.is_attribute_name(m.label)
        }

    def make_shape_key(self) -> object:
        """Return a key that is equal for bodies that differ in nothing but literals."""
        members = tuple((m.label, m.kind, shape_key(m.code)) for m in self.members)
        steps = tuple((shape_key(s.code), s.outputs, s.traits, s.loop, s.mode) for s in self.steps)
        symbols = tuple((s.input, s.axis, s.minus, s.times, s.by) for s in self.symbols)
        border = (self.inputs, self.outputs, tuple(self.shared_labels), len(self.passed), symbols)
        chain = None if self.chain is None else shape_key(self.chain)
        # Names of inputs may differ: the merged class takes the names of its first body.
        return (self.keyed, chain, members, (*self.ties, *self.starts, *self.norms), steps, border, tuple(self.names[self.inputs :]))


class ConstructorArgument(Record):
    """An argument of a constructor, with one of the `values` for each instance. `keyword`: calls write its name. `optional`: they write it
    only where the value is not the `default`."""

    name: str
    values: tuple[Literal, ...]
    keyword: bool = False
    optional: bool = False
    default: Literal = None
    stored: bool = False
    unneeded: bool = False
    constant: bool = False
    """`forward` uses it, so the constructor keeps it. `unneeded`: it is None where nothing uses it. `constant`: it cannot
    vary, so that it is a variable rather than an argument."""


class ClassDef:
    """A class of the emitted file, for the graphs of `bodies`. `name` stays empty until all classes are known."""

    def __init__(self, base: str, bodies: list[ClassBody]) -> None:
        self.base = base
        self.name = ""
        self.graphs = [b.graph for b in bodies]
        self.body = bodies[0]
        self.parameters: list[ConstructorArgument] = []
        self.constants: list[ConstructorArgument] = []
        """Variables of the constructor, each with one value."""
        self.format_size: Callable[[Sequence[object]], str] = lambda values: ""
        """Writes a size, given its values in all graphs, in terms of the parameters. Empty if no parameter explains it."""
        self.common_formula: Callable[[Sequence[object]], object] = lambda values: None
        """Returns the one formula of a size, given its values in all graphs, over the parameters. None if there is none."""
        self.widths: set[str] = set()
        """The parameters that are numbers of channels or features."""

    @property
    def all_arguments(self) -> list[ConstructorArgument]:
        """All names that the constructor defines: arguments and constants."""
        return [*self.parameters, *self.constants]

    def __repr__(self) -> str:
        return f"<class {self.name or self.base}>"


class ClassRef(Code):
    """A reference to an emitted class by identity, because its name is decided last."""

    cls: ClassDef


def _differentiates(graph: Graph) -> bool:
    """Whether a tensor of a graph, or of a loop at run time in it, is one by which the model differentiates."""
    made = (*graph.inputs, *(value for node in graph.nodes for value in node.outputs))
    # The stages of a loop are written in the method around it.
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return any(value.differentiated for value in made) or any(map(_differentiates, loops))
