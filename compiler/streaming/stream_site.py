"""The interface for the rule of one operator: it adds operators to the step, and remembers elements of earlier chunks.

In: the node of the full program, and its inputs as items. Out: its results as items. Always: a refusal has the operator's span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NoReturn

from netc.dsl.record import replace
from netc.dsl.source import Span

from ..dims import Dim
from ..errors.problem import Problem
from ..errors.stream_errors import LooksAhead, NotStreamed
from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.comparison import Where
from ..ops.constants import TableOperator
from ..ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ..ops.joining import Concat
from ..ops.operator import Operator, OperatorError, OpInputs
from ..ops.slicing import Slice
from ..types.tensor_types import TensorType
from .items import Chunk, DelayedOutput, FixedTensor, Item, Number, StreamRefused
from .later import hides_nothing, is_hidden
from .lookahead import check_tail
from .step_builder import NOWHERE, ParameterHome
from .step_states import StreamMemory, StreamState, Window
from .stream_lengths import StreamLength, substitute_sizes
from .zeros import find_kept_number

OWN_KEY = "let each query see its own key"

MixedAxes = Callable[[Any, OpInputs, int], frozenset[int]]
"""The axes of the input of that number along which elements depend on each other, counted from the front. The operator is `Any`, since a
rule may take only the classes with which it is registered."""


class StreamSite:
    """An operator whose inputs or results have the dimension of the stream."""

    def __init__(self, node: OpNode, items: Sequence[Item], home: ParameterHome, memory: StreamMemory) -> None:
        self.node = node
        self.op: Any = node.op
        self.items = tuple(items)
        self.home = home
        self.memory = memory
        self.length: StreamLength = memory.length.scale_to_rate(self._find_rate())
        """The length of the chunks."""
        self.given: OpInputs = node.op.bind_inputs(tuple(v.type for v in node.inputs), memory.whole_facts)
        """The types in the full program."""
        self.late = False
        """Whether its results come later than they could, because it begins with elements in front of the sequence."""

    @property
    def chunks(self) -> list[Chunk]:
        return [item for item in self.items if isinstance(item, Chunk)]

    def _find_rate(self) -> int:
        """Return the rate of the chunks or, without any, of the results."""
        length = self.memory.length
        rates = {length.find_rate(x.value.type.shape[x.axis], length.chunk) for x in self.chunks}
        if not rates:
            rates = {length.find_rate(v.type.shape[a], length.whole) for v in self.node.outputs for a in length.list_axes(v.type)}
        if len(rates - {None}) > 1:
            self._raise_refused(NotStreamed(self.op.name, length.name, "its inputs have different numbers of positions"))
        return next((rate for rate in rates if rate is not None), length.rate)

    # --- refusals ----------------------------------------------------------------------------------------------------------

    def refuse(self, why: str, advice: str = "") -> NoReturn:
        self._raise_refused(NotStreamed(self.op.name, self.memory.length.name, why, advice))

    def refuse_lookahead(self, advice: str = "", reason: str = "") -> NoReturn:
        self._raise_refused(LooksAhead(self.op.name, self.memory.length.name, None, advice, reason))

    def _raise_refused(self, problem: Problem) -> NoReturn:
        raise StreamRefused(problem, self.node.span)

    # --- operators of the step ---------------------------------------------------------------------------------------------

    def add_operator(self, op: Operator, *inputs: Value, home: ParameterHome = NOWHERE) -> Value:
        return self.add_with_results(op, inputs, 1, home)[0]

    def add_with_all_results(self, op: Operator, inputs: Sequence[Value], home: ParameterHome = NOWHERE) -> tuple[Value, ...]:
        """Add an operator with as many results as it has in the full program."""
        return self.add_with_results(op, inputs, len(self.node.outputs), home)

    def add_with_results(
        self, op: Operator, inputs: Sequence[Value], count: int | None, home: ParameterHome = NOWHERE
    ) -> tuple[Value, ...]:
        """Add an operator and return its first `count` results, or all."""
        try:
            return self.memory.step.add_operator(op, inputs, self.node.span, home, count)
        # The types of a chunk can break a rule that the full tensor keeps, as a window longer than a chunk of one position.
        except OperatorError as error:
            self.refuse(f"of a piece, {error.problem.format_message()}")

    def change_arguments(self, **arguments: Any) -> Operator:
        """Return the operator with other arguments."""
        return type(self.node.op)(**self.op.args | arguments)

    def slice_axis(self, x: Value, axis: int, start: Dim, stop: Dim) -> Value:
        return self.add_operator(Slice(axis=axis, start=start, stop=stop), x)

    def concat_parts(self, axis: int, *parts: Value) -> Value:
        return parts[0] if len(parts) == 1 else self.add_operator(Concat(axis=axis), *parts)

    def make_full(self, like: TensorType, axis: int, size: Dim, number: Number) -> Value:
        """Make a tensor filled with one number, of that size along the axis."""
        shape = (*like.shape[:axis], size, *like.shape[axis + 1 :])
        constant = like.dtype.kind
        value = bool(number) if constant == "bool" else float(number) if like.dtype.is_float else int(number)
        names = tuple(f"i{i}" for i in range(len(shape)))
        return self.add_operator(TableOperator(indices=names, shape=shape, formula=Const(value), dtype=like.dtype))

    def make_condition(self, formula: Formula, size: Dim, rank: int, axis: int) -> Value:
        """Make a condition on the positions of a chunk, index 0 in the formula, in a shape that broadcasts along `axis`."""
        shape = (size, *(1,) * (rank - 1 - axis))
        return self.add_table(shape, formula)

    def select_where(self, condition: Value, x: Value, y: Value) -> Value:
        return self.add_operator(Where(), condition, x, y)

    def bring_fixed_tensor(self, item: Item) -> Value:
        """Return a fixed tensor as a value of the step."""
        assert isinstance(item, FixedTensor)
        return self.memory.bring_into_step(item)

    def add_table(self, shape: tuple[Dim, ...], formula: Formula) -> Value:
        return self.add_operator(TableOperator(indices=tuple(f"i{i}" for i in range(len(shape))), shape=shape, formula=formula))

    def add_state(self, type: TensorType, start: Number | Item, what: str) -> tuple[Value, StreamState]:
        """Add a state. Return its value before this chunk, which is `start` before the first chunk."""
        number = self.memory.find_number(start) if isinstance(start, FixedTensor) else start
        # A constant start needs no input of the start program: the first step selects it.
        if isinstance(number, FixedTensor) and number.step is not None:
            state = self.memory.add_state(type, self.home, 0, what)
            return self.select_where(self.is_first_chunk(type.rank), number.step, state.value), state
        assert not isinstance(number, Chunk | DelayedOutput)
        state = self.memory.add_state(type, self.home, number, what)
        return state.value, state

    # --- pieces ------------------------------------------------------------------------------------------------------------

    def is_first_chunk(self, rank: int) -> Value:
        """Make a boolean tensor that is true in the first chunk."""
        return self.make_condition(BinaryFormula("==", Const(self.length.past), Const(0)), 1, 1, 0)

    def prepend_past(self, x: Chunk, count: int, what: str = "inputs") -> Value:
        """Return the elements of the chunk after the `count` elements before them, which are remembered as `what`."""
        if not count:
            return x.value
        window = self._find_window(x, count, what)
        return window.joined if window.value is x.value else self.concat_parts(x.axis, window.past, x.value)

    def keep_past(self, x: Chunk, count: int, what: str) -> None:
        """Remember the last elements for the flush, even if no step needs them."""
        self.memory.kept.add(id(self._find_window(x, count, what).state))

    def _find_window(self, x: Chunk, count: int, what: str) -> Window:
        # What came before the first chunk is a part of the window, so it must be the same, too.
        before = id(x.before) if isinstance(x.before, Value) else x.before
        # What is after the end is in no state, so a chunk with other elements there has the same past.
        key = (self.memory.find_unended(x.value), x.axis, count, before)
        # Two operators that look back equally far over one chunk share the state.
        if key not in self.memory.windows:
            self.memory.windows[key] = self._prepend_state(x, count, what)
        return self.memory.windows[key]

    def _prepend_state(self, x: Chunk, count: int, what: str) -> Window:
        type = x.value.type
        shape = (*type.shape[: x.axis], count, *type.shape[x.axis + 1 :])
        number = x.before if not isinstance(x.before, Value) else None
        state = self.memory.add_state(type.with_shape(shape), self.home, number or 0, what)
        past = state.value
        if isinstance(x.before, Value):
            past = self.select_where(self.is_first_chunk(type.rank), self._slice_last(x, count), past)
        joined = self.concat_parts(x.axis, past, x.value)
        state.next = self.slice_axis(joined, x.axis, self.length.chunk, self.length.chunk + count)
        return Window(state, past, x.value, joined)

    def _slice_last(self, x: Chunk, count: int) -> Value:
        """Return the last `count` elements before the first chunk. Elements before the first of the sequence are never looked at."""
        assert isinstance(x.before, Value)
        if x.ahead >= count:
            return self.slice_axis(x.before, x.axis, x.ahead - count, x.ahead)
        return self.concat_parts(x.axis, self.make_full(x.before.type, x.axis, count - x.ahead, 0), x.before)

    def delay_elements(self, x: Chunk, ahead: int) -> Chunk:
        """Return the same elements, given out later."""
        if ahead >= x.ahead:
            return x
        joined = self.prepend_past(x, x.ahead - ahead)
        before = x.before if ahead > 0 else None
        if isinstance(before, Value):
            # Fewer elements are before the first chunk now; the others are in it.
            before = self.slice_axis(before, x.axis, 0, ahead)
        return replace(x, value=self.slice_axis(joined, x.axis, 0, self.length.chunk), ahead=ahead, before=before)

    def hold_back_tail(self, x: Chunk) -> Chunk:
        """Hold back elements that would not exist if the stream ended here, until there are more."""
        return self.delay_elements(x, min(x.ahead, x.over))

    def align_to_start(self, x: Chunk, why: str) -> Chunk:
        """Return a chunk that begins with the first element of the sequence."""
        if not self.memory.lookahead.delays:
            check_tail(x, self.length.name)
        if x.ahead < 0:
            self.refuse(why + f", and the first {-x.ahead} positions have no element yet")
        return self.hold_back_front(x)

    def align_sequences(self, chunks: Sequence[Chunk], why: str) -> list[Chunk]:
        """Return chunks for an operator that runs along the sequence. They all begin with its first element, or with a look-ahead, come
        equally late."""
        if not self.memory.lookahead.delays:
            return [self.align_to_start(x, why) for x in chunks]
        least = min([0, *(x.ahead for x in chunks)])
        self.late = self.late or any(x.ahead > 0 for x in chunks)
        return [self.delay_elements(x, least) for x in chunks]

    def hold_back_front(self, x: Chunk) -> Chunk:
        """Hold back elements that come before the sequence's own, to give them out together."""
        self.late = self.late or x.ahead > 0
        return self.delay_elements(x, min(x.ahead, 0))

    def fill_before_start(self, x: Chunk, number: Number) -> Chunk:
        """Replace elements before the first one of the sequence by a number."""
        if x.ahead >= 0:
            return x
        position = BinaryFormula("+", IndexFormula(0), Const(self.length.past))
        early = self.make_condition(BinaryFormula("<", position, Const(-x.ahead)), self.length.chunk, x.value.type.rank, x.axis)
        return replace(x, value=self.select_where(early, self.make_full(x.value.type, x.axis, 1, number), x.value))

    def count_delay(self, needed: int = 0) -> int:
        """Return by how many elements of its chunks an output is delayed."""
        return self.memory.lookahead.count_elements(needed, self.length.rate, self.memory.length.rate)

    def fill_after_end(self, x: Chunk, number: Number) -> Chunk:
        """In a flush, replace elements after the last one of the sequence by a number."""
        absent = self.count_delay() + x.ahead - x.over
        if not self.memory.lookahead.ending or absent <= 0:
            return x
        there = BinaryFormula("<", IndexFormula(0), Const(self.length.chunk - absent))
        condition = self.make_condition(there, self.length.chunk, x.value.type.rank, x.axis)
        value = self.select_where(condition, x.value, self.make_full(x.value.type, x.axis, 1, number))
        self.memory.mark_end(value, x.value)
        return replace(x, value=value)

    def pad_front(self, x: Chunk, count: int, number: Number) -> Chunk:
        """Pad the sequence with `count` numbers in front."""
        if not count:
            return x
        mended = self.fill_before_start(x, number)
        moved = mended.shift_ahead(count, x.over + count)
        return replace(moved, before=self._pad_before(x, count, number) if moved.ahead > 0 else None)

    def _pad_before(self, x: Chunk, count: int, number: Number) -> Value | Number:
        # Padding with the number that is there already stays a number: no tensor needs to be made.
        if x.ahead <= 0 or (not isinstance(x.before, Value) and x.before == number):
            return number
        return self.concat_parts(x.axis, self.make_full(x.value.type, x.axis, count, number), self.make_before(x))

    def make_before(self, x: Chunk) -> Value:
        """Return the elements before the first chunk."""
        if isinstance(x.before, Value):
            return x.before
        return self.make_full(x.value.type, x.axis, x.ahead, x.before or 0)

    # --- what passes -------------------------------------------------------------------------------------------------------

    def align_inputs(self) -> list[Item]:
        """Return the inputs, with chunks that all have the same elements."""
        least = min((x.ahead for x in self.chunks), default=0)
        return [self.delay_elements(x, least) if isinstance(x, Chunk) else x for x in self.items]

    def pass_through(self, mixed: MixedAxes) -> list[Item]:
        """Return the results, if the operator does not mix the axis of any chunk."""
        for index, item in enumerate(self.items):
            if isinstance(item, Chunk):
                axes = mixed(self.op, self.given, index)
                if item.axis in axes or item.history in axes:
                    self.refuse_lookahead()
        if self.length.occurs_in_arguments(self.op):
            self.refuse(f"it depends on the length of the whole, `{self.length.name}`")
        return self.apply_elementwise()

    def apply_elementwise(self, form: Callable[[Dim], Operator] | None = None) -> list[Item]:
        """Apply the operator itself to chunks. `form` makes the operator for another length than the full one."""
        items = self.align_inputs()
        if any(x.history is not None for x in self.chunks):
            self.refuse("two of its axes are positions")
        make = form or (lambda size: self.node.op)
        values = self.add_with_all_results(make(self.length.chunk), [self._to_value(x) for x in items], self.home)
        # The elements before the first chunk need the same operator, for their own length.
        before = self._compute_before(items, make)
        return [self.make_result(n, value, items, None if before is None else before[n]) for n, value in enumerate(values)]

    def apply_to_pairs(self, later: Number | None = None, first: Number | None = None) -> list[Item]:
        """Apply the operator to scores and masks, and to tensors that broadcast to them: queries of the chunk, keys of all positions so
        far."""
        rank = self.node.outputs[0].type.rank
        moves = [rank - x.value.type.rank if isinstance(x, Chunk) else 0 for x in self.items]
        both = [(x, m) for x, m in zip(self.items, moves, strict=True) if isinstance(x, Chunk) and x.history is not None]
        moved = {(x.axis + m, (x.history or 0) + m) for x, m in both} or {self._find_pair_axes(moves)}
        axis, history = min(moved)
        if len(moved) > 1 or self.length.occurs_in_arguments(self.op):
            self.refuse("the positions of its inputs are different axes")
        values = [self._align_pair(x, m, axis, history) for x, m in zip(self.items, moves, strict=True)]
        self.note_mask(later)
        return [Chunk(self.add_operator(self.node.op, *values, home=self.home), axis, history=history, later=later, first=first)]

    def note_mask(self, later: Number | None) -> None:
        """Record the number of a mask that hides later scores only because it is very low."""
        if is_hidden(later) and isinstance(later, int | float) and later > -inf:
            known = self.memory.finite_mask
            self.memory.finite_mask = later if known is None else max(known, later)

    def check_first_query(self, later: Number | None, first: Number | None) -> None:
        """Refuse scores in which the first query has no key that hides the later ones."""
        if hides_nothing(later, first):
            self.refuse_lookahead(OWN_KEY, f"the scores of the first query are all about {later:g}, so it sees the later keys too")

    def _find_pair_axes(self, moves: Sequence[int]) -> tuple[int, int]:
        """Return the axes of the result that are positions of different inputs. The last one belongs to the keys."""
        axes = sorted({x.axis + m for x, m in zip(self.items, moves, strict=True) if isinstance(x, Chunk)})
        if len(axes) != 2:
            self.refuse("the positions of its inputs are different axes")
        return axes[0], axes[1]

    def _align_pair(self, item: Item, move: int, axis: int, history: int) -> Value:
        """Bring an input of an operator on pairs to these axes of the result."""
        if not isinstance(item, Chunk):
            return self.bring_fixed_tensor(item)
        if item.ahead or item.over:
            item = self.align_to_start(item, "it is compared with all positions before")
        if item.history is not None or item.axis + move == axis:
            return item.value
        if item.axis + move != history:
            self.refuse("the positions of its inputs are different axes")
        return self.append_to_past(item, "keys")

    def append_to_past(self, x: Chunk, what: str) -> Value:
        """Return the elements of all chunks so far, which are remembered as `what`."""
        type = x.value.type
        shape = (*type.shape[: x.axis], self.length.past, *type.shape[x.axis + 1 :])
        state = self.memory.add_state(type.with_shape(shape), self.home, 0, what)
        state.next = self.concat_parts(x.axis, state.value, x.value)
        return state.next

    def _to_value(self, item: Item) -> Value:
        return item.value if isinstance(item, Chunk) else self.bring_fixed_tensor(item)

    def make_result(self, number: int, value: Value, items: Sequence[Item], before: Value | Number | None = None) -> Chunk:
        """Make the chunk for a result of the operator with one element for each element of the inputs."""
        axis, over = self.find_axis(number)
        pieces = [x for x in items if isinstance(x, Chunk)]
        ahead = pieces[0].ahead if pieces else 0
        return Chunk(value, axis, ahead, over, before)

    def find_axis(self, number: int, length: StreamLength | None = None) -> tuple[int, int]:
        """Return the axis of a result that is the stream, and by how much it exceeds the stream, or `length`."""
        type = self.node.outputs[number].type
        axes = self.length.list_axes(type)
        over = (length or self.length).measure_excess(type.shape[axes[0]]) if len(axes) == 1 else None
        if over is None:
            self.refuse(f"its result {type} has no axis with one element for each position")
        return axes[0], over

    def _compute_before(self, items: Sequence[Item], make: Callable[[Dim], Operator]) -> Sequence[Value | Number] | None:
        pieces = [x for x in items if isinstance(x, Chunk)]
        if not pieces or pieces[0].ahead <= 0:
            return None
        # A known number is not computed: `relu` of padding with zeros is padding with zeros.
        number = find_kept_number(self.op, [x.before for x in pieces], len(items))
        if number is not None:
            return [number] * len(self.node.outputs)
        values = [self.make_before(x) if isinstance(x, Chunk) else self.bring_fixed_tensor(x) for x in items]
        return self.add_with_all_results(make(pieces[0].ahead), values, self.home)

    def with_size(self, size: Dim) -> Operator:
        """Return the operator with `size` in place of each size that is the full length, or longer by a number."""
        sizes = {
            d for value in (*self.node.inputs, *self.node.outputs) for d in value.type.shape if self.length.measure_excess(d) is not None
        }
        return type(self.node.op)(**{name: substitute_sizes(value, dict.fromkeys(sizes, size)) for name, value in self.op.args.items()})


class _Nothing(Operator):
    """A placeholder operator for the state of an output, or of a loop."""


def make_site(span: Span, home: ParameterHome, memory: StreamMemory, items: Sequence[Item] = ()) -> StreamSite:
    """Make the site for items without an operator of the full program."""
    return StreamSite(OpNode(_Nothing(), (), (), "", span, ()), items, home, memory)
