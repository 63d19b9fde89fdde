"""The records of a stream: a step, its states, and the program that runs before the first step.

>>> import netc
>>> from .derive import derive_stream
>>> (state,) = derive_stream(netc.compile("x = input [T, 4]; x -> cumsum axis=1").program, "T").states
>>> state
State(name='past_cumsum1_last', next='next_cumsum1_last', type=TensorType([N, 1, 4]), start=0, what='last')
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netc.dsl.record import Record

from ..ir.graph import Program
from ..types.tensor_types import TensorType
from .items import Number


class State(Record):
    """A state that a step remembers: its input `name` is the output `next` of the step before. Before the first step each element is
    `start`, or, if that is None, the state is the output `name` of the start. An axis whose size is the number of positions so far is then
    empty. `what` is its kind: `key` and `value` of attention, or others."""

    name: str
    next: str
    type: TensorType
    start: Number | None
    what: str = ""


class Stream(Record):
    """A model that takes its sequence in chunks along `dimension`, whose lengths are multiples of `rate`.

    `step` takes the inputs of the model that have that dimension, the `fixed` inputs, and the states. It returns the outputs of the model
    and the next states. A fixed input is an input of the model or an output of `start`. `start` takes the other inputs, and also returns
    states that do not start as a number. It is None if there is nothing to compute. `past` is the dimension of the positions before a
    chunk. `moved` has parameters with another name in the full model, by their names in the step or the start. `mask` is the input that
    marks the positions with elements. If it is empty, all positions have elements. `finite_mask` is the largest finite number that is
    taken to hide later scores. With a `lookahead`, the outputs come that number of positions later: the first ones are before the sequence,
    and have no meaning. `flush` is then a last step, whose last `lookahead` positions are after the end and are ignored.
    `excess` has the number of elements by which outputs exceed the stream, for outputs that do.
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
    lookahead: int = 0
    flush: Program | None = None
    excess: Mapping[str, int] = MappingProxyType({})
