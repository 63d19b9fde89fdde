"""Rewrite a program into the form that transformers calls: a base model and a head, with attention by its interface.

In: a checked program that takes tokens, and whether its attention is causal. Out: a `PretrainedProgram`, whose graphs are copies. The base
model takes `inputs_embeds` (the rows of the embedding), `position_ids`, and `kwargs` with the mask and the cache, as the models of
transformers do. Always: with the same positions and no padding, it computes what the program computes. A program that cannot have this form
raises `NotPretrained` with the reason.

For example, `attention causal=true` becomes `self.attention(q, k, v, **kwargs)[0]`, and `rotary` gets the position of each token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from ....analysis.sample_dependence import collect_size_symbols
from ....analysis.state_dict import collect_parameters
from ....ir.graph import CallNode, Graph, Node, OpNode, Program, has_operator
from ....ir.graph_values import Value
from ....ir.walk import collect_graphs, join_labels
from ....ops.attention import Attention
from ....ops.dense import Dense
from ....ops.multihead import MultiheadAttention
from ....ops.recurrent import Gru, Lstm, Rnn
from ....ops.shape import Cast, Expand, Reshape, Unsqueeze
from ....types.tensor_types import BOOL, INT64, TensorType
from ....types.traced_ints import substitute_values
from .interface_operators import KEYWORDS, InterfaceAttention
from .pass_inputs import drop_unused_inputs, pass_input
from .position_checks import explain_mixed_positions, explain_used_length
from .pretrained_program import EMBEDS, PIXELS, POSITIONS, SEGMENTS, AttentionLayer, NotPretrained, PretrainedProgram
from .rewrite_embedding import rewrite_embedding
from .rewrite_positions import rewrite_positions

_KEEPS_MASK = (Cast, Expand, Reshape, Unsqueeze)
"""The operators that bring a mask of keys into the shape that attention takes."""


def rewrite_program(program: Program, *, causal: bool, takes_tokens: bool = True) -> PretrainedProgram:
    """Rewrite a model of tokens, or of images. `causal`: it is a language model, whose tokens see the ones before them."""
    if not collect_parameters(program):
        raise NotPretrained("it has no parameters")
    main = deepcopy(program.main, _list_shared_parts(program.main))
    for graph in collect_graphs(main):
        graph.makers, graph.seen_from = ({}, 0), None
    rewritten = Program(main, program.facts, program.symbols, program.conditions, program.dims)
    base = find_base_call(main)
    _rename_taken_names(main)
    if takes_tokens:
        found = _Rewriting(rewritten, base, causal).run()
        _refuse_dependent_positions(program, main)
        return found
    return _ImageRewriting(rewritten, base, False).run()


def _refuse_dependent_positions(program: Program, rewritten: Graph) -> None:
    """Refuse a model of which a stage other than attention needs more of a text than its own token."""
    length = program.main.inputs[0].type.shape[1]
    if isinstance(length, int):
        raise NotPretrained(f"its texts have {length} tokens, and transformers gives texts of any length: write `input [T]`")
    reason = explain_mixed_positions(program)
    reason = reason or explain_used_length(rewritten, collect_size_symbols(length), {id(v) for v in rewritten.inputs})
    if reason:
        raise NotPretrained(reason)


def _list_shared_parts(main: Graph) -> dict[int, object]:
    """List the parts of graphs that never change, so that a copy shares them: types, operators, and places in the text."""
    parts: list[object] = []
    for graph in collect_graphs(main):
        parts += [graph.span, graph.arguments, graph.origins, graph.decisions]
        values = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
        parts += [part for value in values for part in (value.type, value.span)]
        parts += [part for node in graph.nodes for part in (node.span, *((node.op,) if isinstance(node, OpNode) else ()))]
    return {id(part): part for part in parts}


def _rename_taken_names(main: Graph) -> None:
    """Rename tensors of the spec whose names the model needs for its own arguments."""
    for graph in collect_graphs(main):
        for value in (*graph.inputs, *(v for node in graph.nodes for v in node.outputs)):
            if value.name in (KEYWORDS, EMBEDS, POSITIONS, SEGMENTS, PIXELS):
                value.name += "_"


def find_base_call(main: Graph) -> CallNode | None:
    """Find the call that takes all inputs of the model, and whose only result everything else is computed from."""
    for node in main.nodes:
        takes = {id(v) for v in node.inputs} & {id(v) for v in main.inputs}
        if not takes:
            continue
        others = [n for n in main.nodes if n is not node and any(v in main.inputs for v in n.inputs)]
        is_base = isinstance(node, CallNode) and bool(node.label) and "." not in node.label and node.scan is None and node.shared is None
        if is_base and len(takes) == len(main.inputs) and not others and len(node.outputs) == 1 and len(main.nodes) > 1:
            assert isinstance(node, CallNode)
            return node
        return None
    return None


class _Rewriting:
    def __init__(self, program: Program, base: CallNode | None, causal: bool) -> None:
        self.program, self.base, self.causal = program, base, causal
        self.order = collect_graphs(program.main)
        self.tokens = program.main.inputs[0]
        self.masks: set[int] = set()
        """The ids of the tensors that are the mask of keys."""

    def run(self) -> PretrainedProgram:
        self._refuse_states()
        segments = self._name_inputs()
        embedding, table = rewrite_embedding(self.program.main, self.tokens)
        attentions = tuple(self._list_attentions())
        if not attentions:
            raise NotPretrained("it has no `attention`")
        if len({layer.window for layer in attentions}) > 1:
            raise NotPretrained("its attention layers have windows of different sizes")
        if self.causal and attentions[0].window == 1:
            raise NotPretrained("its attention has a window of 1 token, for which the cache of transformers keeps all")
        uses_positions = rewrite_positions(self.program, self.base, self.tokens)
        self._rewrite_attention()
        self._drop_inputs()
        return PretrainedProgram(
            self.program, self.base, embedding, *table, attentions, uses_positions, segments, _find_last_layer(self.program.main)
        )

    def _drop_inputs(self) -> None:
        """Drop the inputs that nothing takes any more. Raises `NotPretrained` if one remains for which transformers has no argument."""
        drop_unused_inputs(self.order)
        main = self.program.main
        used = {id(v) for node in main.nodes for v in node.inputs}
        main.inputs = [v for v in main.inputs if id(v) in used]
        known = (EMBEDS, POSITIONS, SEGMENTS, KEYWORDS, PIXELS)
        for value in main.inputs:
            if value.name not in known:
                why = "used for more than their embedding" if value is self.tokens else "no mask of keys and no segments"
                raise NotPretrained(f"its input `{value.name}` is {why}")

    def _name_inputs(self) -> bool:
        """Name the segments as transformers does, and find the mask of keys. Return whether the model has segments."""
        inputs = [v for v in self.program.main.inputs if v is not self.tokens]
        segments = [v for v in inputs if v.type.dtype == INT64 and v.type.rank == 2]
        masks = [v for v in inputs if v.type.dtype == BOOL and v.type.rank == 2]
        if len(segments) > 1 or len(masks) > 1 or len(segments) + len(masks) < len(inputs):
            raise NotPretrained("it has other inputs than tokens, segments (int64 [N, T]) and a mask (bool [N, T])")
        if self.causal and inputs:
            raise NotPretrained("a causal language model takes tokens alone: transformers makes its mask")
        for value in segments:
            self._name_input(value, SEGMENTS)
        self._mark_masks(self.program.main, masks)
        return bool(segments)

    def _name_input(self, value: Value, name: str) -> None:
        """Name an input of the model, also where the base model takes it."""
        value.name = name
        if self.base is not None:
            for outer, inner in zip(self.base.inputs, self.base.graph.inputs, strict=True):
                inner.name = name if outer is value else inner.name

    def _mark_masks(self, graph: Graph, masks: list[Value]) -> None:
        """Record the tensors that are the mask of keys in another shape."""
        marked = {id(v) for v in masks}
        for node in graph.nodes:
            if not any(id(v) in marked for v in node.inputs):
                continue
            if isinstance(node, CallNode):
                self._mark_masks(node.graph, [i for o, i in zip(node.inputs, node.graph.inputs, strict=True) if id(o) in marked])
                marked |= {id(o) for o, i in zip(node.outputs, node.graph.outputs, strict=True) if id(i) in self.masks}
            elif isinstance(node.op, _KEEPS_MASK):
                marked |= {id(v) for v in node.outputs}
        self.masks |= marked

    # --- refusals ----------------------------------------------------------------------------------------------------------

    def _refuse_states(self) -> None:
        for graph in self.order:
            for node in graph.nodes:
                if isinstance(node, CallNode) and node.scan is not None:
                    raise NotPretrained("it has a `scan`, whose state is no cache of keys and values")
                if isinstance(node, OpNode) and isinstance(node.op, (Rnn, Gru, Lstm)):
                    raise NotPretrained(f"`{node.op.name}` carries a state, which is no cache of keys and values")
                if isinstance(node, OpNode) and isinstance(node.op, MultiheadAttention):
                    advice = "write it with `attention`, as `projected_attention` of std/attention.net does"
                    raise NotPretrained(f"`multihead_attention` (`{node.label}`) has one weight for queries, keys and values; {advice}")

    # --- attention ---------------------------------------------------------------------------------------------------------

    def _list_attentions(self) -> Iterator[AttentionLayer]:
        yield from self._walk_attentions(self.program.main, "", lambda size: size, 1)

    def _walk_attentions(self, graph: Graph, prefix: str, trace: Callable[[Any], Any], repeated: Any) -> Iterator[AttentionLayer]:
        for node in graph.nodes:
            path = join_labels(prefix, node.label)
            if isinstance(node, CallNode):
                inner = _trace_through(trace, node.arguments)
                count = repeated if node.graph.count is None else trace(node.graph.count)
                yield from self._walk_attentions(node.graph, path, inner, count)
            elif isinstance(node.op, Attention) and self._is_own_attention(node):
                q, k = node.inputs[0].type, node.inputs[1].type
                yield AttentionLayer(path, trace(q.shape[1]), trace(k.shape[1]), trace(q.shape[-1]), trace(node.op.window), repeated)

    def _is_own_attention(self, node: OpNode) -> bool:
        """Whether the node is attention of the tokens to themselves. Raises `NotPretrained` for a form that the interface lacks."""
        op = node.op
        assert isinstance(op, Attention)
        if any(v.type.rank != 4 for v in node.inputs[:3]):
            raise NotPretrained(f"`attention` (`{node.label}`) has no axis of heads")
        if self.causal and not op.causal:
            raise NotPretrained(f"`attention` (`{node.label}`) is not causal: a token would see later ones, which a cache does not have")
        if not self.causal and op.causal:
            raise NotPretrained(f"`attention` (`{node.label}`) is causal, and tokens of a masked language model see all others")
        if len(node.inputs) > 3:
            mask = node.inputs[3]
            # a mask of keys is the same for all heads and queries
            if id(mask) not in self.masks or mask.type.rank != 4 or mask.type.shape[1:3] != (1, 1):
                raise NotPretrained(f"`attention` (`{node.label}`) has a mask that is not the mask of its keys")
        return True

    def _rewrite_attention(self) -> None:
        needing = [g for g in self.order if any(has_operator(n, Attention) and self._is_own_attention(n) for n in g.nodes)]
        values = pass_input(self.order, needing, lambda graph: Value(TensorType(BOOL, ()), graph.span, KEYWORDS))
        for graph in needing:
            graph.nodes = [self._rewrite_node(node, values[id(graph)]) for node in graph.nodes]

    def _rewrite_node(self, node: Node, keywords: Value) -> Node:
        if not has_operator(node, Attention) or not self._is_own_attention(node):
            return node
        assert isinstance(node.op, Attention)
        q, k, v = node.inputs[:3]
        op = InterfaceAttention(
            groups=q.type.shape[1] // k.type.shape[1],
            causal=node.op.causal,
            scale=node.op.scale,
            dropout=node.op.dropout,
            window=node.op.window,
        )
        return OpNode(op, (q, k, v, keywords), node.outputs, node.label, node.span, ())


def _trace_through(trace: Callable[[Any], Any], arguments: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return the function that expresses a number of a called graph by the parameters of the model."""
    return lambda size: trace(substitute_values(size, arguments))


class _ImageRewriting(_Rewriting):
    """The rewriting of a model of images, which has neither an embedding of tokens nor positions nor a mask."""

    def run(self) -> PretrainedProgram:
        self._refuse_states()
        self._name_input(self.tokens, PIXELS)
        attentions = tuple(self._list_attentions())
        self._rewrite_attention()
        self._drop_inputs()
        first = _find_first_layer(self.program.main, self.tokens)
        return PretrainedProgram(self.program, self.base, first, None, None, attentions, False, False, "")

    def _refuse_states(self) -> None:
        """Any operator is allowed: there is no cache."""

    def _is_own_attention(self, node: OpNode) -> bool:
        """Whether the interface has the form of the attention. Any other, such as one with a bias of positions, stays as it is."""
        assert isinstance(node.op, Attention)
        return len(node.inputs) == 3 and not node.op.causal and all(v.type.rank == 4 for v in node.inputs)


def _find_last_layer(graph: Graph) -> str:
    """Find the path of the dense layer that computes the result of a graph. Empty if another stage does."""
    maker = next((n for n in graph.nodes if any(v is graph.outputs[0] for v in n.outputs)), None)
    if isinstance(maker, CallNode) and maker.scan is None and maker.shared is None:
        inner = _find_last_layer(maker.graph)
        return join_labels(maker.label, inner) if inner else ""
    return maker.label if has_operator(maker, Dense) and len(maker.inputs) == 1 else ""


def _find_first_layer(graph: Graph, images: Value) -> str:
    """Find the path of the only layer with parameters that takes the images. Empty if there is none, or if there are several."""
    takers = [node for node in graph.nodes if any(v is images for v in node.inputs)]
    if len(takers) != 1:
        return ""
    (taker,) = takers
    if isinstance(taker, OpNode):
        return taker.label if taker.specs else ""
    inner = _find_first_layer(taker.graph, taker.graph.inputs[taker.inputs.index(images)])
    return join_labels(taker.label, inner) if inner else ""
