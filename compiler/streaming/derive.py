"""From a program to its stream: the whole is walked operator by operator, and each is put into the step, the start, or both.

In: a checked program and the name of a dimension. Out: a `Stream`, or `Refused` with the operator that cannot be computed piece by piece.
Always: both programs are ones that `verify` accepts, without calls except for loops; parameters keep their names, unless the stage that one
was tied to is in the other program only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netc.dsl.record import replace

from ..definitions import expand_program
from ..dims import Dim, free_symbols, make_symbol
from ..errors.stream_errors import LooksAhead, NoStream, NotStreamed, StreamedOutput
from ..ir.frames import Frame
from ..ir.graph import CallNode, Graph, Node, OpNode, Program, Scan, Tie
from ..ir.graph_values import Value
from ..ir.walk import find_needed_nodes, join_labels
from ..ops.constants import ParamOperator, TableOperator
from ..ops.formula import Const
from ..ops.formula_values import number_of
from ..ops.joining import Concat
from ..ops.mode import ByMode
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import BATCH, BOOL, INT64, TensorType
from . import rules as rules
from .causal_masks import least_in
from .items import Fixed, Item, Piece, Refused, Withheld
from .loop_body import plain_operator, plain_type
from .padded_streams import KEY, VALUE, Padding, refuse_rows
from .rule_table import has_rule, rule_of, takes_pairs
from .step_builder import Building, Home
from .step_states import Memory, Remembered
from .stream_lengths import Length, conditions_of, facts_of, length_of, multiple, sizes_in
from .stream_program import State, Stream
from .stream_scans import fixed_scan, streamed_scan
from .stream_site import Site, refuse_tail, site_at

Known = dict[int, Item]


def derive(program: Program, dimension: str, mask: str = "") -> Stream:
    """The stream of a program along one of its dimensions. Raises `Refused`. With `mask`, the step has an input of that name, `[N, P + T]`,
    which is 0 where a position is padding."""
    return _Derivation(program, dimension, mask).run()


_PADDED = {"multihead_attention": "write its queries, keys and values with `dense`, and `attention causal=true` for the heads"}
"""By the operator: what to write, of which a step with padding remembers keys and values alone."""
_OTHER = "a step without padding remembers this too; with it, what looks back must be `attention causal=true`"


class _Derivation:
    def __init__(self, program: Program, dimension: str, mask: str) -> None:
        self.program = program = expand_program(program, has_rule)
        self.mask = mask
        self.main = program.main
        self.length = length_of(program, dimension)
        self._check()
        span = self.main.span
        step = Building(f"{self.main.name}_step", span, facts_of(program, self.length))
        start = Building(f"{self.main.name}_start", span, program.facts)
        self.memory = Memory(self.length, step, start, program.facts, span)
        self.memory.names |= {v.name for v in self.main.inputs} | set(self.main.output_names)

    def _check(self) -> None:
        """Refuses a dimension that no input has, or that is not a length of its own."""
        name = self.length.name
        known = tuple(sorted({n for v in self.main.inputs for d in v.type.shape for n in free_symbols(d)} - {BATCH}))
        if name == BATCH:
            self._no_stream("it is the batch", known)
        if isinstance(self.length.whole, int):
            self._no_stream(f"its size is fixed to {self.length.whole}", ())
        if name not in known:
            self._no_stream("no input has this dimension", known)
        if multiple(self.length.whole, name) is None:
            self._no_stream("a condition says more of it than what it is a multiple of", ())

    def _no_stream(self, why: str, known: tuple[str, ...]) -> None:
        raise Refused(NoStream(self.length.name, why, known), self.main.span)

    # --- the walk ----------------------------------------------------------------------------------------------------------

    def run(self) -> Stream:
        known: Known = {id(v): self._input(v) for v in self.main.inputs}
        if self.mask:
            self._add_mask()
        self._walk(self.main, "", known, {}, False, None)
        self.memory.step.frame = self.memory.start.frame = None
        outputs = [(name, self._output(name, known[id(v)], v)) for name, v in zip(self.main.output_names, self.main.outputs, strict=True)]
        return self._finished(outputs)

    def _add_mask(self) -> None:
        """The input that says which positions are there, for each sample."""
        first = self.memory.step.graph.inputs[0]
        if self.length.rate > 1:
            self._no_stream(f"a step with padding takes any number of positions, not multiples of {self.length.rate}", ())
        if make_symbol(BATCH) not in first.type.shape[:1]:
            self._no_stream(f"with padding, the first axis of `{first.name}` must be the batch", ())
        type = TensorType(INT64, (first.type.shape[0], self.length.past + self.length.piece))
        self.memory.padding = Padding(self.memory.step.input(type, self.memory.name(self.mask), first.span), self.length, self.memory.step)

    def _input(self, value: Value) -> Item:
        axes = self.length.axes(value.type)
        if not axes:
            return Fixed(None, self.memory.start.input(plain_type(value.type), value.name, value.span))
        if len(axes) != 1 or self.length.over(value.type.shape[axes[0]]) != 0:
            self._no_stream(f"the input `{value.name}` is {value.type}, without one element for each position", ())
        type = plain_type(value.type)
        shape = (*type.shape[: axes[0]], self.length.piece, *type.shape[axes[0] + 1 :])
        return Piece(self.memory.step.input(type.with_shape(shape), value.name, value.span), axes[0])

    def _walk(self, graph: Graph, path: str, known: Known, homes: dict[int, str], frozen: bool, frame: Frame | None) -> None:
        """The nodes of a graph. Nests as deep as blocks do, which is bounded."""
        homes = {**homes, **{id(m): join_labels(path, m.label) for m in graph.declares}}
        for node in _streamed_nodes(graph):
            self.memory.step.frame = self.memory.start.frame = frame
            own = homes[id(node.shared)] if node.shared is not None else join_labels(path, node.label)
            items = [known[id(v)] for v in node.inputs]
            if isinstance(node, OpNode):
                tie = node.tie
                moved = None if tie is None else Tie(tie.name, join_labels(path, tie.path), tie.target_name, tie.span)
                self._note(node, self._operator(node, items, Home(own, moved, frozen or node.frozen)), known)
            elif node.scan is not None:
                self._note(node, self._scan(node, node.scan, items, path), known)
            else:
                inner: Known = {id(v): item for v, item in zip(node.graph.inputs, items, strict=True)}
                handed = {id(m): homes[id(given)] for m, given in zip(node.graph.modules, node.modules, strict=True)}
                within = Frame(node.graph.name, own, frame) if node.graph.kind == "block" else frame
                self._walk(node.graph, own, inner, handed, frozen or node.frozen, within)
                known.update((id(v), inner[id(made)]) for v, made in zip(node.outputs, node.graph.outputs, strict=True))

    def _note(self, node: OpNode | CallNode, results: Sequence[Item], known: Known) -> None:
        name = node.op.name if isinstance(node, OpNode) else "scan"
        if self.memory.padding is not None and any(s.what not in (KEY, VALUE) for s in self.memory.states):
            why = "with padding, only keys and values of attention can be remembered"
            raise Refused(NotStreamed(name, self.length.name, why, _PADDED.get(name, _OTHER)), node.span)
        for n, value in enumerate(node.outputs):
            item = results[n] if n < len(results) else Withheld(name, node.span)
            if isinstance(item, Withheld) and self.length.axes(value.type):
                item = replace(item, has_positions=True)
            known[id(value)] = item

    def _operator(self, node: OpNode, items: list[Item], home: Home) -> Sequence[Item]:
        if isinstance(node.op, ByMode):
            return items[1:]
        node = _plain(node, home.path)
        for item in items:
            if isinstance(item, Withheld):
                raise self._refuse_withheld(item)
        fixed = [item for item in items if isinstance(item, Fixed)]
        if len(fixed) == len(items) and not any(self.length.axes(v.type) for v in node.outputs):
            if self.length.in_arguments(node.op):
                raise Refused(NotStreamed(node.op.name, self.length.name, "it depends on the length of the whole"), node.span)
            return self._fixed(node, fixed, home)
        found = rule_of(node.op)
        if found is None:
            raise Refused(NotStreamed(node.op.name, self.length.name, "netc has no rule for it"), node.span)
        pieces = [item for item in items if isinstance(item, Piece)]
        if any(piece.history is not None for piece in pieces) and not takes_pairs(node.op):
            raise Refused(NotStreamed(node.op.name, self.length.name, "two axes of its input are positions"), node.span)
        why = refuse_rows(node, items) if self.memory.padding is not None else ""
        if why:
            raise Refused(NotStreamed(node.op.name, self.length.name, why), node.span)
        before = max((piece.tail for piece in pieces), key=lambda tail: sum(one.count for one in tail), default=())
        site = Site(node, items, home, self.memory)
        made = found(site)
        return [x.blamed(before, node.op.name, node.span, site.late) if isinstance(x, Piece) else x for x in made]

    def _refuse_withheld(self, item: Withheld) -> Refused:
        if item.has_positions:
            return Refused(NotStreamed(item.operator, self.length.name, "netc has no rule for this result of it"), item.span)
        reason = "this result is known at the end of the stream only"
        return Refused(LooksAhead(item.operator, self.length.name, None, "", reason), item.span)

    def _fixed(self, node: OpNode, items: Sequence[Fixed], home: Home) -> list[Item]:
        """What does not depend on the stream: computed once, in each step only if it depends on no input."""
        start = self.memory.start.put(node.op, [item.start for item in items], node.span, home, len(node.outputs))
        for value, of in zip(start, node.outputs, strict=True):
            value.name = of.name
            self.memory.owners[id(value)] = home.path.rpartition(".")[0]
        if not all(item.constant for item in items):
            return [Fixed(None, value) for value in start]
        steps = self.memory.step.put(node.op, [item.step for item in items if item.step is not None], node.span, home, len(node.outputs))
        if isinstance(node.op, TableOperator):
            self._note_table(node.op, id(steps[0]))
        return [Fixed(step, value) for step, value in zip(steps, start, strict=True)]

    def _note_table(self, table: TableOperator, step: int) -> None:
        """What is known of the numbers of a table that is the same in each step."""
        number, least = number_of(table.formula), least_in(table.formula, table.shape)
        if number is not None:
            self.memory.numbers[step] = number
        if least is not None:
            self.memory.least[step] = least

    # --- loops -------------------------------------------------------------------------------------------------------------

    def _scan(self, node: CallNode, scan: Scan, items: list[Item], path: str) -> Sequence[Item]:
        for item in items:
            if isinstance(item, Withheld):
                raise self._refuse_withheld(item)
        if all(isinstance(item, Fixed) for item in items) and not any(self.length.axes(v.type) for v in node.outputs):
            return fixed_scan(node, scan, [item for item in items if isinstance(item, Fixed)], path, self.memory)
        return streamed_scan(node, scan, items, path, self.memory)

    # --- the end -----------------------------------------------------------------------------------------------------------

    def _output(self, name: str, item: Item, whole: Value) -> Value:
        if isinstance(item, Fixed):
            return self.memory.bring(item)
        if isinstance(item, Withheld):
            if item.so_far is None:
                raise self._refuse_withheld(item)
            return item.so_far
        if item.ahead < 0:
            refuse_tail(item, self.length)
        if item.over or item.ahead < 0 or item.history is not None:
            raise Refused(StreamedOutput(name, self.length.name, whole.type), whole.span)
        return site_at(whole.span, Home(name), self.memory, [item]).delayed(item, 0).value

    def _finished(self, outputs: list[tuple[str, Value]]) -> Stream:
        memory, length = self.memory, self.length
        states = self._states([value for _, value in outputs])
        nexts = [(memory.name(f"next_{s.name.removeprefix('past_')}"), s) for s in states]
        step = memory.step.finished([*outputs, *((name, s.next) for name, s in nexts)])
        used = {id(v) for n in step.nodes for v in n.inputs} | {id(v) for v in step.outputs}
        fixed = [(value, item) for value, item in memory.brought.values() if id(value) in used]
        step.inputs += [*(value for value, _ in fixed), *(s.value for s in states)]
        given = [(value.name, item.start) for value, item in fixed if not memory.is_input(item.start)]
        given += [(s.name, s.start.start) for s in states if isinstance(s.start, Fixed)]
        start = memory.start.finished(given) if given else None
        found = tuple(State(s.name, name, s.value.type, None if isinstance(s.start, Fixed) else s.start, s.what) for name, s in nexts)
        moved = memory.step.untied() | (memory.start.untied() if start is not None else {})
        begin = None if start is None else self._program(start, False)
        names = tuple(value.name for value, _ in fixed)
        return Stream(
            length.name,
            length.past_name,
            self._program(step, True),
            begin,
            found,
            names,
            moved,
            "" if memory.padding is None else memory.padding.mask.name,
            length.rate,
            memory.finite_mask,
        )

    def _states(self, outputs: list[Value]) -> list[Remembered]:
        """The states that the outputs need, and one that counts if the number of positions is needed and is the length of none."""
        states = _needed_states(self.memory, outputs)
        counted = any(self.length.past_name in free_symbols(d) for s in states for d in s.value.type.shape)
        if not counted and _uses(self.memory.step.graph, [*outputs, *(s.next for s in states)], self.length):
            states.append(self._counter())
        return states

    def _counter(self) -> Remembered:
        """A state that is as long as there were positions, where no other one is."""
        length, memory = self.length, self.memory
        type = _vector(length.past)
        found = memory.remember(type, Home(), False, "positions")
        site = site_at(self.main.span, Home(), memory)
        found.next = site.put(Concat(axis=0), found.value, site.table((length.piece,), Const(False)))
        return found

    def _program(self, graph: Graph, steps: bool) -> Program:
        program, length = self.program, self.length
        named = dict.fromkeys(n for v in graph.inputs for d in v.type.shape for n in sorted(free_symbols(d)))
        free = tuple(sorted(named, key=lambda name: name != BATCH))
        dims = {n: d for n, d in program.dims.items() if n != length.name and free_symbols(d) <= set(free)}
        if not steps:
            kept = tuple((c, text) for c, text in program.conditions if length.name not in _symbols(c))
            return Program(graph, program.facts, free, kept, dims)
        dims |= {length.name: length.piece, length.past_name: length.past}
        return Program(graph, self.memory.step.facts, free, conditions_of(program, length), dims)


def _symbols(condition: Any) -> frozenset[str]:
    return free_symbols(condition.left) | free_symbols(getattr(condition, "right", 0))


def _vector(size: Dim) -> TensorType:
    return TensorType(BOOL, (size,))


def _plain(node: OpNode, path: str) -> OpNode:
    """The node at `path`, without formulas of the graph that it was in, and with the full paths of other nodes in the whole."""
    op, around = plain_operator(node.op), path.removesuffix(node.label)
    if isinstance(op, ParamOperator) and op.norms_of is not None:
        op = ParamOperator(**{**op.args, "norms_of": around + op.norms_of})
    if isinstance(op, ParameterOf):
        op = ParameterOf(**{**op.args, "path": path if node.shared is not None else around + op.path})
    return OpNode(op, node.inputs, node.outputs, node.label, node.span, node.specs, node.tie, node.shared)


def _streamed_nodes(graph: Graph) -> list[Node]:
    """The nodes that the outputs need: a stage whose result is unused is no reason to refuse a stream. Calls and nodes with parameters
    stay, since others may read these parameters."""
    kept = [v for node in graph.nodes if isinstance(node, CallNode) or node.specs for v in node.outputs]
    return find_needed_nodes(graph.nodes, [*graph.outputs, *kept])


def _needed_states(memory: Memory, outputs: Iterable[Value]) -> list[Remembered]:
    """The states that the outputs need, and those that these need."""
    wanted = {id(v) for v in outputs}
    found: set[int] = set()
    nodes = list(reversed(memory.step.graph.nodes))
    while True:
        for node in nodes:
            if any(id(v) in wanted for v in node.outputs):
                wanted.update(id(v) for v in node.inputs)
        new = [s for s in memory.states if id(s.value) in wanted and id(s) not in found]
        if not new:
            return [s for s in memory.states if id(s) in found]
        found.update(id(s) for s in new)
        wanted.update(id(s.next) for s in new)


def _uses(graph: Graph, outputs: list[Value], length: Length) -> bool:
    """Whether what computes the outputs uses the number of positions so far."""
    nodes = find_needed_nodes(graph.nodes, outputs)
    return any(length.past_name in free_symbols(d) for n in nodes if isinstance(n, OpNode) for d in sizes_in(tuple(n.op.args.values())))
