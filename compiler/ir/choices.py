r"""The `if`s of a body as data: the condition of each, whether it held, and the stages in the branch that was taken.

A backend needs them to write the `if` again, since a graph holds only the branch that was taken. For `if depth > 2 { relu }` with
`depth=4`, the `Choice` has the condition `depth > 2`, `taken=True` and the label of the `relu`.

In: comparisons that the elaborator evaluated. Out: records. Always: the integers in a condition record what they are computed from
(`TracedInt`). A condition of another kind, such as one on a stage value, has no `Choice`.

>>> import netc
>>> (call,) = netc.compile("block b(depth=4) { dense 3 -> if depth > 2 { relu } }\ninput 3 -> b").program.main.nodes
>>> (choice,) = call.graph.choices
>>> choice.taken, choice.labels
(True, ('relu1',))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netc.dsl.record import Record

from ..ops.formula import Formula
from .graph_values import JoinedTuple, Parts, TupleSlice

Key = tuple[int, int]
"""The identity of an `if` in a body: where it begins in the text, and how many times it was evaluated before, as in a loop."""


class Choice(Record):
    """An `if`: its condition, whether the condition holds, and the labels of the nodes in the branch that was taken.

    The condition is a formula of comparisons between integers, and of flags: a boolean parameter of the block is a constant with its name.
    `after` is the label of the node before it, empty if there is none. `inner` has the `if`s in the branch. `inputs` and `results` are the
    tensors and tuples that it gets and returns. Without an `else`, they are the same if the condition does not hold.
    """

    key: Key
    test: Formula
    taken: bool
    labels: tuple[str, ...]
    after: str
    inner: tuple[Choice, ...]
    inputs: Parts
    results: Parts


def joined_tuples(choices: Iterable[Choice]) -> Iterator[JoinedTuple]:
    """Iterate over the tuples that `if`s return. A tuple that contains another one comes after it."""
    for choice in choices:
        yield from joined_tuples(choice.inner)
        yield from (part.of for part in choice.results if isinstance(part, TupleSlice) and isinstance(part.of, JoinedTuple))


def iterate_choices(choices: Iterable[Choice]) -> Iterator[Choice]:
    """Iterate over the `if`s and the `if`s in their branches."""
    for choice in choices:
        yield choice
        yield from iterate_choices(choice.inner)
