"""The tree of a body of a spec, before it becomes text.

In: a graph, which body_trees.py reads. Out: records that are equal if and only if their texts are. Always: tensors are numbered in the
order in which a body makes them, not named. Each literal is a leaf of its own, so that two bodies can be compared without their literals.

    >>> from netc.dsl.trees import shape_key
    >>> small, large = (Stage("conv", (("channels", Literal(width, "channels")),)) for width in (64, 128))
    >>> small == large, shape_key(small) == shape_key(large)
    (False, True)
    >>> list(iterate_tensors(Binary("+", Ref(0), Ref(2))))
    [0, 2]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, ClassVar

from netc.dsl.record import Record, replace
from netc.dsl.trees import Tree, rewrite_upward, walk_tree

from ...ops.argument import REQUIRED


class Literal(Tree):
    """A value that is known at compile time: an argument of an operator, or an item of an iteration's list.

    `name` is the name of the argument, from which a parameter takes its name, and `default` the argument's default. `axes`: the value is
    the same for a number of axes, `3x3`.
    """

    is_literal: ClassVar[bool] = True

    value: Any
    name: str = ""
    default: Any = REQUIRED
    axes: int = 1


class FixedLiteral(Literal):
    """An infinite number or NaN. An operator's argument or a table can be one, `masked_fill (-inf)`, but no parameter of a block."""

    is_literal: ClassVar[bool] = False


def make_literal_of(value: Any, name: str, default: Any = REQUIRED) -> Literal:
    return (FixedLiteral if isinstance(value, float) and not isfinite(value) else Literal)(value, name, default)


class Activation(Record):
    """An activation as a value: `relu`, `(leaky_relu 0.2)`."""

    operator: str
    arguments: tuple[tuple[str, Any], ...] = ()


class ListOf(Tree):
    """`[2, 3]`: a list of literals. If `joined`, numbers are written `2x3`."""

    items: tuple[Any, ...]
    joined: bool = False


class Ref(Tree):
    """A tensor of the body: first the inputs, then the tensors that statements name."""

    number: int


class Given(Tree):
    """`in`: the input of a block, group or loop."""


class TupleOf(Tree):
    """`(a, b)`."""

    items: tuple[Any, ...]


class Binary(Tree):
    """`a + b`, where either operand may be a literal."""

    symbol: str
    left: Any
    right: Any


class Prefix(Tree):
    """`-a`, `not a`."""

    symbol: str
    operand: Any


class FunctionCall(Tree):
    """`sin(a)`, `where(a, b, c)`, in the formula of a table."""

    function: str
    arguments: tuple[Any, ...]


class IndexName(Tree):
    """The index along an axis of a table."""

    name: str


class ListItem(Tree):
    """`[0.1, 0.2][i]`, in the formula of a table."""

    values: Any
    at: tuple[Any, ...]


class Stage(Tree):
    """`conv 64 3x3 stride=2 relu as conv1`.

    `callee` is the name of an operator, a `BlockFamily`, a `SharedStage`, or a literal that is an activation. `arguments` include those
    with their default value. `tensors` are passed by name, a string or an `OptionalInput`. `label` is None without one. `activation` is a
    literal.
    """

    callee: Any
    arguments: tuple[tuple[str, Any], ...] = ()
    tensors: tuple[tuple[str, Any], ...] = ()
    activation: Any = None
    label: str | None = None


class SharedStage(Record):
    """A shared stage, by its label in the body that declares it."""

    label: str


class CallMapping(Record):
    """For each input of the block the number of the graph's input, and for each result of the graph the number of the block's result."""

    inputs: tuple[int, ...]
    results: tuple[int, ...]


class OptionalInput(Record):
    """The name of the optional input of a block. The block is a `BlockFamily`, because it gets its names later."""

    of: Any

    @property
    def name(self) -> str:
        return str(self.of.inputs[-1])

    @property
    def results(self) -> int:
        """The number of the block's results."""
        return len(self.of.body.results)


class Group(Tree):
    """`( a -> b ) as name`."""

    stages: tuple[Any, ...]
    label: str


class Loop(Tree):
    """`repeat 3 as layers { ... }`. `over` is a `ListOf` the items that `binders` name, or the literal number of iterations. `start` is
    the number of the first iteration if labels have it, `{i}`. `label` is None in a sequence, where members are counted anyway. `body` is
    an expression in which `Given` is the input of the iteration."""

    over: Any
    binders: tuple[str, ...]
    body: Any
    label: str | None
    start: int | None = None


class Choice(Tree):
    """`if flag { stages } else { others }`. `name` is a name for the flag."""

    flag: Any
    stages: tuple[Any, ...]
    others: tuple[Any, ...]
    name: str


class Scanned(Tree):
    """`scan (h = start) axis=1 { statements; out results }`. `states` are the numbers of the states with their first values. The
    statements assign their new values."""

    states: tuple[tuple[int, Any], ...]
    axes: Any
    reverse: Any
    statements: tuple[Any, ...]
    results: tuple[Any, ...]


class IfGiven(Tree):
    """`if given(x) { x } else { statements; result }`. Both branches are `Steps`."""

    tensor: Any
    given: Any
    otherwise: Any


class Picked(Tree):
    """One of several results of a call, by its number, as the result of an iteration of a loop."""

    value: Any
    number: int
    count: int


class InMode(Tree):
    """`if training { out a, b } else { out c }`: the results of a model."""

    training: tuple[Any, ...]
    evaluation: tuple[Any, ...]


class Item(Tree):
    """The value of a loop's binder. `up` is the number of loops between the loop and the value."""

    number: int
    up: int = 0


class IfFirst(Tree):
    """`(a if i == 0 else b)`: a literal of the first iteration, and one of all others."""

    first: Literal
    others: Literal
    up: int = 0


class Declaration(Tree):
    """`input 3x224x224`: an input of the model, by its number."""

    number: int


class Chain(Tree):
    """`head -> stage -> stage`."""

    head: Any
    stages: tuple[Any, ...]


class Param(Tree):
    """`param [1, 1, 768] as class_token`."""

    arguments: tuple[tuple[str, Any], ...]
    label: str


class Table(Tree):
    """`table (i, j) [T, T] = formula as label`."""

    indices: tuple[str, ...]
    shape: Any
    dtype: str
    formula: Any
    label: str


class StoredPath(Record):
    """The path of a file with arrays, as a value."""

    path: str


class StoredTable(Tree):
    """`table [49, 49] int64 file="x.safetensors" name="index" as label`. The literals have a `StoredPath` and a `TableArray`."""

    shape: Any
    dtype: str
    file: Literal
    array: Literal
    label: str


class ParameterOfStage(Tree):
    """`embed.weight`."""

    path: str


class Inline(Tree):
    """`in + x`: arithmetic on the input of a branch, which is the `Given` in it."""

    value: Any


class InTraining(Tree):
    """`if training { ... }`: an expression whose head may be `Given`. `negated`: `if not training { ... }`."""

    value: Any
    negated: bool = False


class Assign(Tree):
    """`(a, b) = expression`, with the numbers of the tensors. A tensor that is not used is None."""

    numbers: tuple[int | None, ...]
    value: Any


class Shared(Tree):
    """`shared encoder = stage`."""

    name: str
    stage: Any


class Growing(Tree):
    """The body of a loop whose result is its inputs and one tensor more: `(kept...) = in; out kept, kept -> stage`."""

    stage: Any


class Steps(Tree):
    """Statements and a result: the body of a loop or a branch."""

    statements: tuple[Any, ...]
    result: Any


class Body(Tree):
    """Statements and results. `inputs` is the number of inputs."""

    inputs: int
    statements: tuple[Any, ...]
    results: tuple[Any, ...]


def renumber_tensors(tree: Any, numbers: Mapping[int, int]) -> Any:
    """Replace the numbers of these tensors in the tree."""

    def change(part: Any) -> Any:
        match part:
            case Ref(number):
                return Ref(numbers.get(number, number))
            case Assign(assigned, value):
                return Assign(tuple(None if number is None else numbers.get(number, number) for number in assigned), value)
            case Scanned(states):
                return replace(part, states=tuple((numbers.get(number, number), start) for number, start in states))
        return None

    return rewrite_upward(tree, change)


def iterate_tensors(tree: Any) -> Iterator[int]:
    """Iterate over the numbers of all tensors that have a name in the text."""
    for part in walk_tree(tree):
        match part:
            case Ref(number):
                yield number
            case Assign(numbers):
                yield from (number for number in numbers if number is not None)
            case Scanned(states):
                yield from (number for number, _ in states)
