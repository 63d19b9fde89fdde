"""What a stream is made of: a step, what it remembers, and what is computed before the first step."""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl.record import Record

from ..ir.graph import Program
from ..types.tensor_types import TensorType
from .items import Number


class State(Record):
    """What a step remembers: its input of that name, which is the output `next` of the step before. Before the first step each element is
    `start`; None: it is the output of that name of the start. An axis whose size is the number of positions so far is then empty. `what` it
    is: `key` and `value` of attention, or others."""

    name: str
    next: str
    type: TensorType
    start: Number | None
    what: str = ""


class Stream(Record):
    """A model that takes its sequence in pieces along `dimension`, whose lengths are multiples of `rate`.

    `step` takes the inputs of the model that have that dimension, what is `fixed`, and the states; it returns the outputs of the model and
    the next states. What is fixed is an input of the model or an output of `start`, which takes the other inputs and returns states that
    are no numbers too; it is None if there is nothing to compute. `past` is the dimension of the positions before a piece. `moved` are
    parameters that have another name in the whole, by the name that they have in the step or the start. `mask` is the input that says which
    positions are there; empty: all are. `finite_mask` is the largest finite number that is taken to hide later scores.
    """

    dimension: str
    past: str
    step: Program
    start: Program | None
    states: tuple[State, ...]
    fixed: tuple[str, ...]
    moved: Mapping[str, str]
    mask: str = ""
    rate: int = 1
    finite_mask: float | None = None
