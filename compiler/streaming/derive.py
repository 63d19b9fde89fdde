"""Derive the stream of a program: walk the full program operator by operator, and put each into the step, the start, or both.

In: a checked program and the name of a dimension. Out: a `Stream`, or `StreamRefused` with the operator that cannot be computed chunk by
chunk. Always: both programs are accepted by `verify`, and have no calls except for loops. Parameters keep their names, unless a parameter
is tied to a stage that only the other program has.

    >>> import netc
    >>> stream = derive_stream(netc.compile("x = input [T, 4]; x -> cumsum axis=1").program, "T")
    >>> stream.step.main.inputs, stream.step.main.outputs
    ([<x: [N, T, 4]>, <past_cumsum1_last: [N, 1, 4]>], [<value: [N, T, 4]>, <value: [N, 1, 4]>])
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from netc.dsl.record import replace

from ..definitions import expand_program
from ..dims import free_symbols, make_symbol
from ..errors.problem import Problem
from ..errors.stream_errors import LooksAhead, NoStream, NotStreamed
from ..ir.frames import Frame
from ..ir.graph import CallNode, Graph, Node, OpNode, Program, Scan, Tie
from ..ir.graph_values import Value
from ..ir.walk import find_needed_nodes, join_labels
from ..ops.constants import ParamOperator, TableOperator
from ..ops.formula_values import number_of
from ..ops.mode import ByMode
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import BATCH, INT64, TensorType
from . import rules as rules
from .assemble_stream import StreamAssembly, refuse_withheld
from .causal_masks import find_least_element
from .edge_padding import resolve_mirror, takes_mirror
from .items import Chunk, DelayedOutput, FixedTensor, Item, StreamRefused
from .lookahead import Lookahead, MeasuredLookahead
from .loop_body import strip_operator, strip_type
from .padded_streams import KEY, VALUE, PaddingMask, explain_refused_rows
from .rule_table import find_rule, has_rule, takes_pairs
from .step_builder import FlatBuilder, ParameterHome
from .step_states import StreamMemory
from .stream_lengths import collect_step_facts, find_multiple, make_length
from .stream_program import Stream
from .stream_scans import fixed_scan, streamed_scan
from .stream_site import StreamSite, make_site

Known = dict[int, Item]


def derive_stream(program: Program, dimension: str, mask: str = "", lookahead: int = 0) -> Stream:
    """Derive the stream of a program along one of its dimensions. Raises `StreamRefused`.

    With `mask`, the step has an input of that name, `[N, P + T]`, which is 0 where a position is padding. With `lookahead`, the outputs
    come that number of positions later, and the stream has a `flush` program, which ends it.
    """
    if not lookahead:
        return _derive_causal_stream(program, dimension, mask)
    stream = _StreamDerivation(program, dimension, mask, Lookahead(lookahead)).derive()
    ending = _StreamDerivation(program, dimension, mask, Lookahead(lookahead, ending=True)).derive()
    return replace(stream, flush=ending.step, moved={**ending.moved, **stream.moved})


def _derive_causal_stream(program: Program, dimension: str, mask: str) -> Stream:
    try:
        return _StreamDerivation(program, dimension, mask, Lookahead(0)).derive()
    except StreamRefused as refused:
        # A group of positions may make up for a stage that looks ahead: then results wait, and no output does.
        with suppress(StreamRefused):
            return _StreamDerivation(program, dimension, mask, Lookahead(0, waits=True)).derive()
        raise StreamRefused(_add_sufficient_lookahead(refused.problem, program, dimension), refused.span) from None


def _add_sufficient_lookahead(problem: Problem, program: Program, dimension: str) -> Problem:
    if isinstance(problem, LooksAhead):
        with suppress(StreamRefused):
            return replace(problem, sufficient=measure_lookahead(program, dimension).positions)
    return problem


def measure_lookahead(program: Program, dimension: str) -> MeasuredLookahead:
    """Return the smallest look-ahead with which the program is a stream along the dimension. Raises `StreamRefused` if there is none."""
    derivation = _StreamDerivation(program, dimension, "", Lookahead(None))
    derivation.derive()
    return derivation.assembly.measured


_PADDED = {"multihead_attention": "write its queries, keys and values with `dense`, and `attention causal=true` for the heads"}
"""By operator: the replacement for which a step with padding remembers only keys and values."""
_OTHER = "a step without padding remembers this too; with it, what looks back must be `attention causal=true`"


class _StreamDerivation:
    def __init__(self, program: Program, dimension: str, mask: str, lookahead: Lookahead) -> None:
        self.program = program = expand_program(program, has_rule)
        self.mask = mask
        self.main = program.main
        self.length = make_length(program, dimension)
        span = self.main.span
        suffix = "flush" if lookahead.ending else "step"
        step = FlatBuilder(f"{self.main.name}_{suffix}", span, collect_step_facts(program, self.length))
        start = FlatBuilder(f"{self.main.name}_start", span, program.facts)
        self.memory = StreamMemory(self.length, step, start, program.facts, span, lookahead)
        self.assembly = StreamAssembly(program, self.length, self.memory)
        self._check_dimension()
        self.memory.names |= {v.name for v in self.main.inputs} | set(self.main.output_names)

    def _check_dimension(self) -> None:
        """Refuse a dimension that no input has, or that is not a length of its own."""
        name = self.length.name
        known = tuple(sorted({n for v in self.main.inputs for d in v.type.shape for n in free_symbols(d)} - {BATCH}))
        # Samples are independent: a chunk of the batch is just a smaller batch.
        if name == BATCH:
            self._refuse_dimension("it is the batch", known)
        if isinstance(self.length.whole, int):
            self._refuse_dimension(f"its size is fixed to {self.length.whole}", ())
        if name not in known:
            self._refuse_dimension("no input has this dimension", known)
        if find_multiple(self.length.whole, name) is None:
            self._refuse_dimension("a condition says more of it than what it is a multiple of", ())
        delay = self.memory.lookahead.positions or 0
        if delay % self.length.rate:
            self._refuse_dimension(f"the look-ahead must be a multiple of {self.length.rate}, as each piece is, not {delay}", ())

    def _refuse_dimension(self, why: str, known: tuple[str, ...]) -> None:
        raise StreamRefused(NoStream(self.length.name, why, known), self.main.span)

    # --- the walk ----------------------------------------------------------------------------------------------------------

    def derive(self) -> Stream:
        known: Known = {id(v): self._add_input(v) for v in self.main.inputs}
        if self.mask:
            self._add_mask()
        self._walk_graph(self.main, "", known, {}, False, None)
        self.memory.step.frame = self.memory.start.frame = None
        return self.assembly.make_stream([known[id(v)] for v in self.main.outputs])

    def _add_mask(self) -> None:
        """Add the input that marks the positions with elements, for each sample."""
        first = self.memory.step.graph.inputs[0]
        if self.length.rate > 1:
            self._refuse_dimension(f"a step with padding takes any number of positions, not multiples of {self.length.rate}", ())
        if make_symbol(BATCH) not in first.type.shape[:1]:
            self._refuse_dimension(f"with padding, the first axis of `{first.name}` must be the batch", ())
        type = TensorType(INT64, (first.type.shape[0], self.length.past + self.length.chunk))
        self.memory.padding = PaddingMask(
            self.memory.step.add_input(type, self.memory.make_name(self.mask), first.span), self.length, self.memory.step
        )

    def _add_input(self, value: Value) -> Item:
        axes = self.length.list_axes(value.type)
        if not axes:
            return FixedTensor(None, self.memory.start.add_input(strip_type(value.type), value.name, value.span))
        if len(axes) != 1 or self.length.measure_excess(value.type.shape[axes[0]]) != 0:
            self._refuse_dimension(f"the input `{value.name}` is {value.type}, without one element for each position", ())
        type = strip_type(value.type)
        shape = (*type.shape[: axes[0]], self.length.chunk, *type.shape[axes[0] + 1 :])
        return Chunk(self.memory.step.add_input(type.with_shape(shape), value.name, value.span), axes[0])

    def _walk_graph(self, graph: Graph, path: str, known: Known, homes: dict[int, str], frozen: bool, frame: Frame | None) -> None:
        """Walk over the nodes of a graph. The recursion is as deep as blocks are nested, which is bounded."""
        homes = {**homes, **{id(m): join_labels(path, m.label) for m in graph.declares}}
        for node in _streamed_nodes(graph):
            self.memory.step.frame = self.memory.start.frame = frame
            home = homes[id(node.shared)] if node.shared is not None else join_labels(path, node.label)
            items = [known[id(v)] for v in node.inputs]
            if isinstance(node, OpNode):
                tie = node.tie
                moved = None if tie is None else Tie(tie.name, join_labels(path, tie.path), tie.target_name, tie.span)
                self._record_results(node, self._stream_operator(node, items, ParameterHome(home, moved, frozen or node.frozen)), known)
            elif node.scan is not None:
                self._record_results(node, self._stream_scan(node, node.scan, items, path), known)
            else:
                inner: Known = {id(v): item for v, item in zip(node.graph.inputs, items, strict=True)}
                # A call passes shared stages on under its own names, so their homes are the homes outside.
                handed = {id(m): homes[id(module)] for m, module in zip(node.graph.modules, node.modules, strict=True)}
                within = Frame(node.graph.name, home, frame) if node.graph.kind == "block" else frame
                self._walk_graph(node.graph, home, inner, handed, frozen or node.frozen, within)
                known.update((id(v), inner[id(inner_output)]) for v, inner_output in zip(node.outputs, node.graph.outputs, strict=True))

    def _record_results(self, node: OpNode | CallNode, results: Sequence[Item], known: Known) -> None:
        name = node.op.name if isinstance(node, OpNode) else "scan"
        # The mask hides positions from attention only: any other state would be changed by padding.
        if self.memory.padding is not None and any(s.what not in (KEY, VALUE) for s in self.memory.states):
            why = "with padding, only keys and values of attention can be remembered"
            raise StreamRefused(NotStreamed(name, self.length.name, why, _PADDED.get(name, _OTHER)), node.span)
        for n, value in enumerate(node.outputs):
            item = results[n] if n < len(results) else DelayedOutput(name, node.span)
            if isinstance(item, DelayedOutput) and self.length.list_axes(value.type):
                item = replace(item, has_positions=True)
            known[id(value)] = item

    def _stream_operator(self, node: OpNode, items: list[Item], home: ParameterHome) -> Sequence[Item]:
        # A stream is for inference, so `if training` takes its evaluation branch.
        if isinstance(node.op, ByMode):
            return items[1:]
        node = _strip_node(node, home.path)
        # A withheld result may still be an output, so it is refused only where an operator needs it.
        for item in items:
            if isinstance(item, DelayedOutput):
                raise refuse_withheld(item, self.length)
        items = [item if isinstance(item, Chunk) and takes_mirror(node.op, item) else self._resolve_mirror(node, item) for item in items]
        fixed = [item for item in items if isinstance(item, FixedTensor)]
        # No input along the stream: the result is the same in each step, whatever rule the operator has.
        if len(fixed) == len(items) and not any(self.length.list_axes(v.type) for v in node.outputs):
            if self.length.occurs_in_arguments(node.op):
                raise StreamRefused(NotStreamed(node.op.name, self.length.name, "it depends on the length of the whole"), node.span)
            return self._compute_fixed_results(node, fixed, home)
        rule = find_rule(node.op)
        if rule is None:
            raise StreamRefused(NotStreamed(node.op.name, self.length.name, "netc has no rule for it"), node.span)
        pieces = [item for item in items if isinstance(item, Chunk)]
        if any(piece.history is not None for piece in pieces) and not takes_pairs(node.op):
            raise StreamRefused(NotStreamed(node.op.name, self.length.name, "two axes of its input are positions"), node.span)
        why = explain_refused_rows(node, items) if self.memory.padding is not None else ""
        if why:
            raise StreamRefused(NotStreamed(node.op.name, self.length.name, why), node.span)
        # The input with the longest tail explains the delay best: its causes are the reason to refuse a later operator.
        before = max((piece.tail for piece in pieces), key=lambda tail: sum(cause.count for cause in tail), default=())
        site = StreamSite(node, items, home, self.memory)
        results = rule(site)
        return [x.add_causes(before, node.op.name, node.span, site.late) if isinstance(x, Chunk) else x for x in results]

    def _resolve_mirror(self, node: Node, item: Item) -> Item:
        if not isinstance(item, Chunk) or not item.mirror:
            return item
        return resolve_mirror(make_site(node.span, ParameterHome(), self.memory, [item]), item)

    def _compute_fixed_results(self, node: OpNode, items: Sequence[FixedTensor], home: ParameterHome) -> list[Item]:
        """Compute an operator that does not depend on the stream: once before the first step, or in each step if it depends on no
        input."""
        start = self.memory.start.add_operator(node.op, [item.start for item in items], node.span, home, len(node.outputs))
        for value, of in zip(start, node.outputs, strict=True):
            value.name = of.name
            self.memory.owners[id(value)] = home.path.rpartition(".")[0]
        # A constant goes into both graphs: computing it again is cheaper than one more input of each step.
        if not all(item.is_constant for item in items):
            return [FixedTensor(None, value) for value in start]
        steps = self.memory.step.add_operator(
            node.op, [item.step for item in items if item.step is not None], node.span, home, len(node.outputs)
        )
        if isinstance(node.op, TableOperator):
            self._note_table(node.op, id(steps[0]))
        return [FixedTensor(step, value) for step, value in zip(steps, start, strict=True)]

    def _note_table(self, table: TableOperator, step: int) -> None:
        """Record the number or the least element of a table that is the same in each step."""
        number, least = number_of(table.formula), find_least_element(table.formula, table.shape)
        if number is not None:
            self.memory.numbers[step] = number
        if least is not None:
            self.memory.least[step] = least

    # --- loops -------------------------------------------------------------------------------------------------------------

    def _stream_scan(self, node: CallNode, scan: Scan, items: list[Item], path: str) -> Sequence[Item]:
        for item in items:
            if isinstance(item, DelayedOutput):
                raise refuse_withheld(item, self.length)
        if all(isinstance(item, FixedTensor) for item in items) and not any(self.length.list_axes(v.type) for v in node.outputs):
            return fixed_scan(node, scan, [item for item in items if isinstance(item, FixedTensor)], path, self.memory)
        return streamed_scan(node, scan, [self._resolve_mirror(node, item) for item in items], path, self.memory)


def _strip_node(node: OpNode, path: str) -> OpNode:
    """Return the node at `path`, without formulas of its graph, and with the full paths of other nodes of the model."""
    op, around = strip_operator(node.op), path.removesuffix(node.label)
    if isinstance(op, ParamOperator) and op.norms_of is not None:
        op = ParamOperator(**{**op.args, "norms_of": around + op.norms_of})
    if isinstance(op, ParameterOf):
        inside, _, name = op.parameter.rpartition(".")
        stage = path if node.shared is not None else around + op.path
        op = ParameterOf(**{**op.args, "path": join_labels(stage, inside) if inside else stage, "parameter": name})
    return OpNode(op, node.inputs, node.outputs, node.label, node.span, node.specs, node.tie, node.shared)


def _streamed_nodes(graph: Graph) -> list[Node]:
    """List the nodes that the outputs need: an unused stage must not make a stream fail. Calls and nodes with parameters stay, since
    others may read these parameters."""
    kept = [v for node in graph.nodes if isinstance(node, CallNode) or node.specs for v in node.outputs]
    return find_needed_nodes(graph.nodes, [*graph.outputs, *kept])
