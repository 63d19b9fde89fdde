"""Attention: the mean of the values for each query, weighted by how well the query matches their keys.

In: queries, keys and values, perhaps a mask. Out: one tensor with the axes of the queries. Always: causal attention lets a query see the
key that it belongs to and the keys before it. If there are as many keys as queries, query i belongs to key i. Otherwise, `align` says
whether the first query belongs to the first key, or the last query to the last key.
"""

from __future__ import annotations

from ..dims import Dim, format_dim, suggest_divisibility, suggest_equality
from ..errors.attention import CausalAlignment, MaskMismatch, MaskType
from ..errors.operator_errors import BadArgument, NotDivisible, Unprovable, UnprovableMultiple
from ..errors.problem import STAGE, argument_location
from ..errors.shape import UnprovableSize
from ..types.tensor_types import BOOL, FLOAT32, Shape, TensorType, show_shape
from .broadcast import broadcast
from .element_types import FLOATS, MASKS
from .kinds import COUNT, FLAG, FRACTION, NUMBER, WordKind
from .operand import Input, axes
from .operator import Arg, Operator, OperatorError, OpInputs, numel
from .requirements import at_most_text, require_same_size

_MATCH = "match the heads or batches of"
ALIGNMENT = WordKind("start", "end")
_ROOT_OF_SIZE = "let factor = scale if given(scale) else q.shape[-1] ** -0.5"
_ROOT_AT_RUN_TIME = "factor = table () [] float64 = q.shape[-1] ** -0.5"
NEEDED = "[N, heads, length, features] or [N, length, features]"


def require_mask_shape(operator: str, inputs: OpInputs, name: str, wanted: Shape | None, needed: str) -> None:
    """Refuse the mask `name` unless it has the shape `wanted`. None means that its number of axes is wrong."""
    mask, index = inputs[name].shape, inputs.position(name)
    pairs = list(zip(mask, wanted, strict=True)) if wanted is not None else []
    answers = [inputs.facts.are_equal(m, w) for m, w in pairs]
    if wanted is None or False in answers:
        raise OperatorError(MaskMismatch(operator, needed, mask, index), STAGE)
    if None in answers:
        m, w = pairs[answers.index(None)]
        raise OperatorError(Unprovable(operator, w, m, f"a mask needs {needed}", suggest_equality(w, m) or "", (0, index)), STAGE)


class CausalOperator(Operator):
    """The base of operators with causal attention: the alignment of queries and keys of different lengths."""

    causal: Arg[bool]
    align: Arg[str]

    def require_alignment(self, inputs: OpInputs, queries: str, keys: str) -> None:
        """Refuse causal attention over different lengths without `align`. Attention that is not causal may have `align`, so that one block
        can be used for both."""
        if not self.causal:
            return
        length, span = inputs[queries].shape[-2], inputs[keys].shape[-2]
        # Equal lengths need no `align`: both answers are the same.
        if inputs.facts.are_equal(length, span) or self.align == "start":
            return
        if self.align is None:
            positions = (inputs.position(queries), inputs.position(keys))
            raise OperatorError(CausalAlignment(self.name, length, span, suggest_equality(length, span) or "", positions), STAGE)
        enough = inputs.facts.is_at_least(span, length)
        if enough is False:
            needed = (
                f"needs at least as many keys as queries ({format_dim(span)} and {format_dim(length)}): the first queries would see none"
            )
            raise OperatorError(BadArgument(self.name, "align", "`end`", needed), argument_location("align"))
        if enough is None:
            need = at_most_text(length, span)
            raise OperatorError(
                UnprovableSize(need, "with `align=end` each query has a key that it belongs to", need), argument_location("align")
            )

    def ends_together(self, inputs: OpInputs, queries: str, keys: str) -> bool:
        """Whether `align=end` hides other keys than `align=start` would."""
        return bool(self.causal) and self.align == "end" and not inputs.facts.are_equal(inputs[queries].shape[-2], inputs[keys].shape[-2])


class Attention(CausalOperator):
    """Scaled dot-product attention: `softmax(q k^T * scale) v` over the last two axes of each.

    Shapes are `[..., heads, L, E]` for q, `[..., heads, S, E]` for k and `[..., heads, S, Ev]` for v. Keys and values may have fewer
    heads, if their number divides the number of heads of queries (grouped-query attention). A bool mask is true where a query may see a
    key; any other mask is added to the scores. With `causal`, a query sees the key that it belongs to and the keys before it. If the
    numbers of keys and queries may differ, set `align`: with `start`, query i belongs to key i (PyTorch's `is_causal`); with `end`, the
    last query belongs to the last key, as with a cache of earlier keys in front. With `window`, a query sees this number of keys: its own
    and the keys right before it.
    """

    name = "attention"
    # The last `masked_fill` is for queries that may see no key: a softmax of -inf alone is NaN, and PyTorch returns 0 for them.
    definition = """
        let heads = q.shape[-3] if q.rank > 2 else 1
        let factor = scale if given(scale) else q.shape[-1] ** -0.5
        let offset = k.shape[-2] - q.shape[-2] if given(align) and align == "end" else 0
        let reach = window if given(window) else k.shape[-2] + q.shape[-2]
        keys = k -> if k.rank > 2 and heads > k.shape[-3] { repeat_interleave (heads // k.shape[-3]) axis=-3 }
        values = v -> if v.rank > 2 and heads > v.shape[-3] { repeat_interleave (heads // v.shape[-3]) axis=-3 }
        scores = q @ (keys -> transpose (-2) (-1)) * factor
        weights = if causal {
          hidden = table (i, j) [q.shape[-2], k.shape[-2]] bool = (j > i + offset) or (j <= i + offset - reach)
          (scores, hidden) -> masked_fill (-inf) -> softmax axis=-1
        } else if given(mask) and mask.dtype == bool {
          hidden = mask -> logical_not
          some = (scores, hidden) -> masked_fill (-inf) -> softmax axis=-1
          (some, hidden) -> masked_fill 0
        } else if given(mask) {
          scores + mask -> softmax axis=-1
        } else {
          scores -> softmax axis=-1
        }
        (weights -> dropout dropout) @ values
    """
    q = Input(FLOATS, axes("... L E", NEEDED), alias="query")
    k = Input(FLOATS, axes("... S E", NEEDED), like="q", alias="key")
    v = Input(FLOATS, axes("... S F", NEEDED), like="q", alias="value")
    mask = Input(MASKS, axes("... L S"), optional=True, alias="attn_mask")
    causal = Arg(FLAG, default=False)
    align = Arg(ALIGNMENT, default=None, only_with=("causal",))
    scale = Arg(NUMBER, default=None)
    dropout = Arg(FRACTION, default=0.0, alias="dropout_p")
    window = Arg(COUNT, default=None)
    examples = (
        "q = input 4xTx8; k = input 4xTx8; v = input 4xTx8; (q, k, v) -> attention causal=true",
        "q = input 4x6x8; k = input 2x6x8; v = input 2x6x8; mask = input [6, 6] bool batch=false; (q, k, v, mask) -> attention",
        "q = input 4xTx8; (q, q, q) -> attention causal=true window=128",
        "past = input 4xPx8; x = input 4xTx8; seen = (past, x) -> concat axis=2; (x, seen, seen) -> attention causal=true align=end",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        q = inputs.q
        require_same_size(self.name, inputs, ("q", "k"), -1, "match queries and keys of shape", "their last axes")
        require_same_size(self.name, inputs, ("k", "v"), -2, "pair keys and values of shape", "their lengths (axis -2)")
        scores = self.score_shape(inputs)
        if "mask" in inputs:
            self._refuse_mask(inputs)
        if self.window is not None:
            self._refuse_window(inputs)
        self.require_alignment(inputs, "q", "k")
        return (q.with_shape((*scores[:-1], inputs.v.shape[-1])),)

    def write_definition(self, inputs: OpInputs) -> str:
        """Return the definition, which computes with sizes. The root of a symbolic size is a table. If a number of heads is symbolic, the
        facts compare it: there are fewer heads of keys unless both numbers are equal or one of them is 1."""
        text, facts = self.definition, inputs.facts
        if self.scale is None and not isinstance(inputs.q.shape[-1], int):
            text = text.replace(_ROOT_OF_SIZE, _ROOT_AT_RUN_TIME)
        for name in ("k", "v"):
            if inputs.q.rank < 3 or inputs[name].rank < 3:
                continue
            heads, fewer = inputs.q.shape[-3], inputs[name].shape[-3]
            if not (isinstance(heads, int) and isinstance(fewer, int)):
                is_fewer = not any(facts.are_equal(*pair) for pair in ((fewer, heads), (heads, 1), (fewer, 1)))
                text = text.replace(f"heads > {name}.shape[-3]", str(is_fewer).lower())
        return text

    def is_grouped(self, inputs: OpInputs) -> bool:
        """Whether several heads of queries share one head of keys or values."""
        # Without a third axis from the end there are no heads to share.
        if any(t.rank < 3 for t in inputs.types[:3]):
            return False
        facts = inputs.facts
        heads, *fewer = (t.shape[-3] for t in inputs.types[:3])
        return not all(facts.are_equal(few, heads) for few in fewer) and all(facts.divides(few, heads) is True for few in fewer)

    def score_shape(self, inputs: OpInputs) -> Shape:
        """Return the shape `[..., heads, L, S]`: a score for each query and key, for each batch of values."""
        q, k, v = inputs.types[:3]
        if q.rank >= 3 and k.rank >= 3 and v.rank >= 3:
            self._refuse_heads(inputs)
        ahead = broadcast(self._query_key_axes(inputs), self._leading_axes(inputs, "v"), inputs.facts, self.name, _MATCH, (0, 2))
        return (*ahead, q.shape[-2], k.shape[-2])

    def _query_key_axes(self, inputs: OpInputs) -> Shape:
        """Return the axes of the scores before the last two. The mask is added to these scores, so the axes of the values do not count."""
        return broadcast(self._leading_axes(inputs, "q"), self._leading_axes(inputs, "k"), inputs.facts, self.name, _MATCH, (0, 1))

    def _leading_axes(self, inputs: OpInputs, name: str) -> Shape:
        """Return the axes of an input before the last two. Heads that several queries share count as an axis of 1, which broadcasts."""
        shape = inputs[name].shape[:-2]
        return (*shape[:-1], 1) if name != "q" and self.is_grouped(inputs) else shape

    def _refuse_heads(self, inputs: OpInputs) -> None:
        """Refuse numbers of heads of keys or values that do not divide the number of heads of queries. One head of queries matches any
        number."""
        heads, facts = inputs.q.shape[-3], inputs.facts
        if facts.are_equal(heads, 1):
            return
        for name, what in (("k", "keys"), ("v", "values")):
            fewer = inputs[name].shape[-3]
            divides = facts.divides(fewer, heads)
            if divides is False:
                raise OperatorError(
                    NotDivisible(self.name, f"{format_dim(fewer)} heads of {what}", f"{format_dim(heads)} heads of queries"), STAGE
                )
            if divides is None:
                raise OperatorError(UnprovableMultiple(self.name, fewer, heads, suggest_divisibility(fewer, heads)), STAGE)

    def _refuse_mask(self, inputs: OpInputs) -> None:
        mask, dtype = inputs.mask, inputs.q.dtype
        scores = (*self._query_key_axes(inputs), inputs.q.shape[-2], inputs.k.shape[-2])
        if self.causal:
            advice_ = "omit one of the two, or combine them in the mask"
            raise OperatorError(
                BadArgument(self.name, "causal", "true", "cannot be combined with a mask", advice_), argument_location("causal")
            )
        # PyTorch takes a float32 mask next to queries of any float type, but no other mix of float types.
        if mask.dtype not in (BOOL, FLOAT32, dtype):
            raise OperatorError(MaskType(self.name, f"bool or {dtype}", mask), inputs.at("mask"))
        fits = 2 <= mask.rank <= len(scores)
        # An axis of 1 in the mask broadcasts; any other must be the axis of the scores.
        wanted = [m if inputs.facts.are_equal(m, 1) else s for m, s in zip(reversed(mask.shape), reversed(scores), strict=False)]
        needed = f"a shape that broadcasts to {show_shape(scores)}"
        require_mask_shape(self.name, inputs, "mask", tuple(reversed(wanted)) if fits else None, needed)

    def _refuse_window(self, inputs: OpInputs) -> None:
        """Refuse a window without `causal`, or over different lengths that start together: the last queries might see no key."""
        if not self.causal:
            needed = "requires `causal=true`"
            raise OperatorError(BadArgument(self.name, "window", str(self.window), needed), argument_location("window"))
        if self.align == "end":
            return
        require_same_size(self.name, inputs, ("q", "k"), -2, "slide a window over queries and keys of shape", "their lengths (axis -2)")

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Two matrix products, and the three operations of a softmax for each score."""
        return 2 * self.count_multiply_adds(inputs, results) + 3 * numel(self.score_shape(inputs))

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """All scores count, including masked ones."""
        return numel(self.score_shape(inputs)) * (inputs.q.shape[-1] + inputs.v.shape[-1])
