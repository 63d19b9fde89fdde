"""Assemble the programs of a stream after the walk: its outputs, the states that these need, and the start.

In: the items that the outputs of the full program are, and the graphs under construction. Out: a `Stream`. Always: a state that no output
needs is left out, and outputs that come later than a look-ahead allows are refused with the operator that looks ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..dims import Condition, Dim, free_symbols
from ..errors.stream_errors import LooksAhead, NotStreamed, StreamedOutput
from ..ir.graph import Graph, OpNode, Program
from ..ir.graph_values import Value
from ..ir.walk import find_needed_nodes
from ..ops.formula import Const
from ..ops.joining import Concat
from ..types.tensor_types import BATCH, BOOL, TensorType
from .edge_padding import resolve_mirror
from .items import Chunk, DelayedOutput, FixedTensor, Item, StreamRefused
from .lookahead import MeasuredLookahead, check_tail
from .step_builder import ParameterHome
from .step_states import StreamMemory, StreamState
from .stream_lengths import StreamLength, iterate_sizes, list_step_conditions
from .stream_program import State, Stream
from .stream_site import StreamSite, make_site


class StreamAssembly:
    """The end of a derivation. `measured` is the smallest look-ahead, after `make_stream`."""

    def __init__(self, program: Program, length: StreamLength, memory: StreamMemory) -> None:
        self.program = program
        self.length = length
        self.memory = memory
        self.measured = MeasuredLookahead(0)
        self.excess: dict[str, int] = {}

    def _finish_output(self, name: str, item: Item, output: Value) -> Value:
        if isinstance(item, FixedTensor):
            return self.memory.bring_into_step(item)
        lookahead = self.memory.lookahead
        if isinstance(item, DelayedOutput):
            if item.so_far is None or lookahead.delays:
                raise refuse_withheld(item, self.length)
            return item.so_far
        site = make_site(output.span, ParameterHome(name), self.memory, [item])
        item = resolve_mirror(site, item)
        if item.history is not None:
            raise StreamRefused(StreamedOutput(name, self.length.name, output.type), output.span)
        if lookahead.delays and not (item.over and lookahead.positions == 0):
            return self._delay_output(site, item)
        if item.ahead < 0:
            check_tail(item, self.length.name)
        if item.over or item.ahead < 0:
            raise StreamRefused(StreamedOutput(name, self.length.name, output.type), output.span)
        return site.delay_elements(item, 0).value

    def _delay_output(self, site: StreamSite, x: Chunk) -> Value:
        """Delay an output so that a flush has its last element. It may exceed the stream, as a spectrogram with centered windows does."""
        lookahead = self.memory.lookahead
        needed = lookahead.find_needed(max(x.over - x.ahead, x.over), site.length.rate, self.length.rate)
        if needed > self.measured.positions:
            self.measured = MeasuredLookahead(needed, x.tail)
        if not lookahead.allows(needed):
            name, span = (x.tail[0].operator, x.tail[0].span) if x.tail else (site.home.path, site.node.span)
            allowed = lookahead.positions or 0
            raise StreamRefused(LooksAhead(name, self.length.name, needed, allowed=allowed, sufficient=needed), span)
        if x.over:
            self.excess[site.home.path] = x.over
        return site.delay_elements(x, x.over - site.count_delay(needed)).value

    def make_stream(self, items: Sequence[Item]) -> Stream:
        """Make the stream from the items that the outputs of the full program are."""
        memory, length, main = self.memory, self.length, self.program.main
        described = zip(main.output_names, items, main.outputs, strict=True)
        outputs = [(name, self._finish_output(name, item, value)) for name, item, value in described]
        states = self._list_states([value for _, value in outputs])
        nexts = [(memory.make_name(f"next_{s.name.removeprefix('past_')}"), s) for s in states]
        # Nothing follows a flush, so it returns no states, and takes only those that its outputs need.
        step = memory.step.finish_graph([*outputs, *((name, s.next) for name, s in nexts if not memory.lookahead.ending)])
        used = {id(v) for n in step.nodes for v in n.inputs} | {id(v) for v in step.outputs}
        fixed = [(value, item) for value, item in memory.brought.values() if id(value) in used]
        taken = [s.value for s in states if id(s.value) in used or not memory.lookahead.ending or _counts_positions(s, length)]
        step.inputs += [*(value for value, _ in fixed), *taken]
        stream_starts = [(value.name, item.start) for value, item in fixed if not memory.is_input(item.start)]
        stream_starts += [(s.name, s.start.start) for s in states if isinstance(s.start, FixedTensor)]
        start = memory.start.finish_graph(stream_starts) if stream_starts else None
        all_states = tuple(
            State(s.name, name, s.value.type, None if isinstance(s.start, FixedTensor) else s.start, s.what) for name, s in nexts
        )
        moved = memory.step.untie_parameters() | (memory.start.untie_parameters() if start is not None else {})
        begin = None if start is None else self._make_program(start, False)
        names = tuple(value.name for value, _ in fixed)
        return Stream(
            length.name,
            length.past_name,
            self._make_program(step, True),
            begin,
            all_states,
            names,
            moved,
            "" if memory.padding is None else memory.padding.mask.name,
            length.rate,
            memory.finite_mask,
            memory.lookahead.positions or 0,
            excess=self.excess,
        )

    def _list_states(self, outputs: list[Value]) -> list[StreamState]:
        """List the states that the outputs need. Add a counter if the number of positions is needed and no state has that length."""
        states = _needed_states(self.memory, outputs)
        counted = any(_counts_positions(s, self.length) for s in states)
        if not counted and _uses_past_length(self.memory.step.graph, [*outputs, *(s.next for s in states)], self.length):
            states.append(self._add_counter())
        return states

    def _add_counter(self) -> StreamState:
        """Add a state whose length is the number of positions so far, for a step that has no other such state."""
        length, memory = self.length, self.memory
        type = _make_vector_type(length.past)
        counter = memory.add_state(type, ParameterHome(), False, "positions")
        site = make_site(self.program.main.span, ParameterHome(), memory)
        counter.next = site.add_operator(Concat(axis=0), counter.value, site.add_table((length.chunk,), Const(False)))
        return counter

    def _make_program(self, graph: Graph, steps: bool) -> Program:
        program, length = self.program, self.length
        named = dict.fromkeys(n for v in graph.inputs for d in v.type.shape for n in sorted(free_symbols(d)))
        free = tuple(sorted(named, key=lambda name: name != BATCH))
        dims = {n: d for n, d in program.dims.items() if n != length.name and free_symbols(d) <= set(free)}
        if not steps:
            kept = tuple((c, text) for c, text in program.conditions if length.name not in _find_symbols(c))
            return Program(graph, program.facts, free, kept, dims)
        dims |= {length.name: length.chunk, length.past_name: length.past}
        conditions = list_step_conditions(program, length)
        if self.memory.lookahead.ending:
            delay = self.memory.lookahead.positions or 0
            conditions = (*conditions, (Condition(">=", length.chunk, delay), f"{length.name} >= {delay}"))
        return Program(graph, self.memory.step.facts, free, conditions, dims)


def refuse_withheld(item: DelayedOutput, length: StreamLength) -> StreamRefused:
    """Make the refusal of an operator that needs a result which is known at the end only."""
    if item.has_positions:
        return StreamRefused(NotStreamed(item.operator, length.name, "netc has no rule for this result of it"), item.span)
    reason = "this result is known at the end of the stream only"
    return StreamRefused(LooksAhead(item.operator, length.name, None, "", reason), item.span)


def _find_symbols(condition: Any) -> frozenset[str]:
    return free_symbols(condition.left) | free_symbols(getattr(condition, "right", 0))


def _make_vector_type(size: Dim) -> TensorType:
    return TensorType(BOOL, (size,))


def _needed_states(memory: StreamMemory, outputs: Iterable[Value]) -> list[StreamState]:
    """List the states that the outputs need, and the states that these need."""
    needed = set(memory.kept)
    wanted = {id(v) for v in (*outputs, *(s.next for s in memory.states if id(s) in needed))}
    nodes = list(reversed(memory.step.graph.nodes))
    while True:
        for node in nodes:
            if any(id(v) in wanted for v in node.outputs):
                wanted.update(id(v) for v in node.inputs)
        new = [s for s in memory.states if id(s.value) in wanted and id(s) not in needed]
        if not new:
            return [s for s in memory.states if id(s) in needed]
        needed.update(id(s) for s in new)
        wanted.update(id(s.next) for s in new)


def _counts_positions(state: StreamState, length: StreamLength) -> bool:
    """Whether the shape of a state has the number of positions so far."""
    return any(length.past_name in free_symbols(d) for d in state.value.type.shape)


def _uses_past_length(graph: Graph, outputs: list[Value], length: StreamLength) -> bool:
    """Whether the outputs depend on the number of positions so far."""
    nodes = find_needed_nodes(graph.nodes, outputs)
    return any(
        length.past_name in free_symbols(d) for n in nodes if isinstance(n, OpNode) for d in iterate_sizes(tuple(n.op.args.values()))
    )
