"""Hold the states of a stream, and the values that are computed before the first step."""

from __future__ import annotations

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Facts
from ..ir.graph_values import Value
from ..ir.unique import make_unique_name
from ..types.tensor_types import TensorType
from .causal_masks import PairFormula
from .items import FixedTensor, Number
from .lookahead import Lookahead
from .loop_body import strip_type
from .padded_streams import PaddingMask
from .step_builder import FlatBuilder, ParameterHome
from .stream_lengths import StreamLength


class StreamState:
    """A state under construction. `next` is set by the rule that asked for it. `start` is its value before the first step."""

    def __init__(self, name: str, value: Value, start: Number | FixedTensor, what: str) -> None:
        self.name = name
        self.what = what
        self.value = value
        self.start = start
        # Until a rule sets it, a state stays as it is.
        self.next = value


class Window(Record):
    """The elements before a chunk, which a state remembers, and these joined with the chunk `value`."""

    state: StreamState
    past: Value
    value: Value
    joined: Value


class StreamMemory:
    """The two graphs under construction, the step and the start, and the states between steps."""

    def __init__(
        self, length: StreamLength, step: FlatBuilder, start: FlatBuilder, whole_facts: Facts, span: Span, lookahead: Lookahead
    ) -> None:
        self.length = length
        self.step = step
        self.start = start
        self.whole_facts = whole_facts
        self.span = span
        self.lookahead = lookahead
        self.states: list[StreamState] = []
        self.brought: dict[int, tuple[Value, FixedTensor]] = {}
        """Inputs of the step that the start computes, by the ids of its values."""
        self.padding: PaddingMask | None = None
        """The mask of the step, if samples are of different lengths."""
        self.windows: dict[tuple[int, int, int, Number | None], Window] = {}
        self.kept: set[int] = set()
        """The ids of states that the flush needs, and perhaps no step."""
        self._unended: dict[int, int] = {}
        """The ids of values in a flush that differ from another one only after the end, and the ids of these others."""
        self.names: set[str] = set()
        self.owners: dict[int, str] = {}
        """The paths of the blocks that made values of the start, by the ids of the values."""
        self.numbers: dict[int, Number] = {}
        """Tables in which all elements are one number, by the ids of their values in the step."""
        self.least: dict[int, float] = {}
        """Tables whose elements are all above 0: a number that is at most every element."""
        self.pairs: dict[int, PairFormula] = {}
        """The formulas of tables over pairs of positions, by the ids of their values in the step."""
        self.finite_mask: float | None = None
        """The largest finite number that was taken to hide a score. A user is warned, because other scores could be as low."""

    def mark_end(self, value: Value, unended: Value) -> None:
        """Record that a value differs from another one only after the end of the sequence."""
        self._unended[id(value)] = self.find_unended(unended)

    def find_unended(self, value: Value) -> int:
        """Return the id of the value of which a value differs only after the end."""
        return self._unended.get(id(value), id(value))

    def make_name(self, wanted: str) -> str:
        """Make a name that nothing else has."""
        base = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in wanted).lower()
        return make_unique_name(base, self.names)

    def add_state(self, type: TensorType, home: ParameterHome, start: Number | FixedTensor, what: str) -> StreamState:
        """Add a state. `start` is no constant: the caller selects a constant in the first step."""
        name = self.make_name(f"past_{home.path}_{what}" if home.path else f"past_{what}")
        state = StreamState(name, Value(strip_type(type), self.span, name), start, what)
        self.states.append(state)
        return state

    def bring_into_step(self, item: FixedTensor) -> Value:
        """Return a fixed tensor as a value of the step."""
        if item.step is not None:
            return item.step
        known = self.brought.get(id(item.start))
        if known is None:
            name = self._make_start_name(item.start)
            # With its item, so that it lives as long as the dictionary: an id is reused after its object is gone.
            known = self.brought[id(item.start)] = (Value(item.start.type, self.span, name), item)
        return known[0]

    def is_input(self, value: Value) -> bool:
        """Whether it is an input of the model, which a step takes unchanged."""
        return any(value is v for v in self.start.graph.inputs)

    def _make_start_name(self, value: Value) -> str:
        if self.is_input(value):
            return value.name
        owner = self.owners.get(id(value), "")
        return self.make_name(f"{owner}_{value.name or 'fixed'}".removeprefix("_"))

    def find_number(self, item: FixedTensor) -> Number | FixedTensor:
        """Return the number that all its elements are, if that is known."""
        return self.numbers.get(id(item.step), item) if item.step is not None else item
