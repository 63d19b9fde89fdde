"""Attention: each query's mean of the values, weighed by how well it matches their keys.

In: queries, keys and values, perhaps a mask. Out: one tensor with the axes of the queries. Always: causal attention lets query i see the
keys 0 to i, from the first of each, however many there are of either.
"""

from __future__ import annotations

from ..dims import Dim, advice, advice_divides, show
from ..errors.attention import MaskMismatch, MaskType
from ..errors.base import STAGE, argument, input_
from ..errors.operators import BadArgument, NotDivisible, ShapeMismatch, Unprovable, UnprovableMultiple, WrongRank
from ..ir.types import BOOL as BOOL_TYPE
from ..ir.types import FLOAT32, Shape, TensorType, show_shape
from .base import Arg, Operator, OperatorError, OpInputs, numel
from .broadcast import broadcast
from .kinds import BOOL, COUNT, FRACTION, NUMBER
from .linear_algebra import require_same_dtype
from .pointwise import FLOATS, require_dtype

Q, K, V, MASK = range(4)


def refuse_unless_equal(operator: str, given: OpInputs, at: tuple[int, int], axis: int, verb: str, what: str) -> None:
    """Refuses two inputs that do not agree in an axis. `what` is called so in the plural: `their last axes`."""
    left, right = given[at[0]], given[at[1]]
    x, y = left.shape[axis], right.shape[axis]
    same = given.facts.equal(x, y)
    if same is False:
        raise OperatorError(ShapeMismatch(verb, left.shape, right.shape, f"{what} must agree: {show(x)} and {show(y)}", at=at), STAGE)
    if same is None:
        raise OperatorError(Unprovable(operator, x, y, f"{what} must agree", advice(x, y) or "", at), STAGE)


def refuse_unless_mask(operator: str, given: OpInputs, index: int, wanted: Shape | None, needed: str) -> None:
    """Refuses the input `index`, a mask, unless it has the shape `wanted`; None: it has too few axes or too many."""
    mask = given[index].shape
    pairs = list(zip(mask, wanted, strict=True)) if wanted is not None else []
    answers = [given.facts.equal(m, w) for m, w in pairs]
    if wanted is None or False in answers:
        raise OperatorError(MaskMismatch(operator, needed, mask, index), STAGE)
    if None in answers:
        m, w = pairs[answers.index(None)]
        raise OperatorError(Unprovable(operator, w, m, f"a mask needs {needed}", advice(w, m) or "", (0, index)), STAGE)


class Attention(Operator):
    """Scaled dot-product attention: `softmax(q k^T * scale) v` over the last two axes of each.

    Shapes are `[..., heads, L, E]` for q, `[..., heads, S, E]` for k and `[..., heads, S, Ev]` for v. Keys and values may have fewer
    heads, if their numbers divide that of the queries (grouped-query attention). A bool mask is true where a query may see a key; any
    other is added to the scores. With `window`, causal attention sees that many keys: the query's own and those right before it.
    """

    name = "attention"
    torch = "torch.nn.functional.scaled_dot_product_attention"
    onnx = "Attention"
    inputs = ("q", "k", "v", "mask?")
    causal = Arg(BOOL, default=False)
    scale = Arg(NUMBER, default=None)
    dropout = Arg(FRACTION, default=0.0, alias="dropout_p")
    window = Arg(COUNT, default=None)
    examples = (
        "q = input 4xTx8; k = input 4xTx8; v = input 4xTx8; (q, k, v) -> attention causal=true",
        "q = input 4x6x8; k = input 2x6x8; v = input 2x6x8; mask = input [6, 6] bool batch=false; (q, k, v, mask) -> attention",
        "q = input 4xTx8; (q, q, q) -> attention causal=true window=128",
    )

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        q = given[Q]
        for index in (Q, K, V):
            require_dtype(self.name, given[index], FLOATS, index)
            if given[index].rank < 2:
                raise OperatorError(
                    WrongRank(self.name, "[N, heads, length, features] or [N, length, features]", given[index]), input_(index)
                )
        require_same_dtype(self.name, given, (K, V))
        refuse_unless_equal(self.name, given, (Q, K), -1, "match queries and keys of shape", "their last axes")
        refuse_unless_equal(self.name, given, (K, V), -2, "pair keys and values of shape", "their lengths (axis -2)")
        scores = self.scores(given)
        if len(given) > MASK:
            self._refuse_mask(given, scores)
        if self.window is not None:
            self._refuse_window(given)
        return (q.with_shape((*scores[:-1], given[V].shape[-1])),)

    def grouped(self, given: OpInputs) -> bool:
        """Whether several heads of queries share one of keys or values."""
        if any(t.rank < 3 for t in given.types[:MASK]):
            return False
        facts = given.facts
        heads, *fewer = (t.shape[-3] for t in given.types[:MASK])
        return not all(facts.equal(few, heads) for few in fewer) and all(facts.divides(few, heads) is True for few in fewer)

    def scores(self, given: OpInputs) -> Shape:
        """The shape `[..., heads, L, S]`: a score for each query and key."""
        q, k, v = given.types[:MASK]
        if q.rank >= 3 and k.rank >= 3 and v.rank >= 3:
            self._refuse_heads(given)
        before = [t.shape[:-2] for t in (q, k, v)]
        if self.grouped(given):
            before = [before[Q], *((*shape[:-1], 1) for shape in before[K:])]
        facts = given.facts
        ahead = broadcast(before[Q], before[K], facts, self.name, "match the heads or batches of", (Q, K))
        ahead = broadcast(ahead, before[V], facts, self.name, "match the heads or batches of", (Q, V))
        return (*ahead, q.shape[-2], k.shape[-2])

    def _refuse_heads(self, given: OpInputs) -> None:
        """Heads of keys and values are as many as those of queries, or one, or a divisor of them; one head of queries meets any."""
        heads, facts = given[Q].shape[-3], given.facts
        if facts.equal(heads, 1):
            return
        for index, what in ((K, "keys"), (V, "values")):
            fewer = given[index].shape[-3]
            divides = facts.divides(fewer, heads)
            if divides is False:
                raise OperatorError(NotDivisible(self.name, f"{show(fewer)} heads of {what}", f"{show(heads)} heads of queries"), STAGE)
            if divides is None:
                raise OperatorError(UnprovableMultiple(self.name, fewer, heads, advice_divides(fewer, heads)), STAGE)

    def _refuse_mask(self, given: OpInputs, scores: Shape) -> None:
        mask, dtype = given[MASK], given[Q].dtype
        if self.causal:
            advice_ = "let the mask say it all, or leave it out"
            raise OperatorError(BadArgument(self.name, "causal", "true", "goes only without a mask", advice_), argument("causal"))
        if mask.dtype not in (BOOL_TYPE, FLOAT32, dtype):
            raise OperatorError(MaskType(self.name, f"bool or {dtype}", mask), input_(MASK))
        fits = 2 <= mask.rank <= len(scores)
        wanted = [m if given.facts.equal(m, 1) else s for m, s in zip(reversed(mask.shape), reversed(scores), strict=False)]
        needed = f"a shape that broadcasts to {show_shape(scores)}"
        refuse_unless_mask(self.name, given, MASK, tuple(reversed(wanted)) if fits else None, needed)

    def _refuse_window(self, given: OpInputs) -> None:
        """Where there were fewer keys than queries, the last ones might see none."""
        if not self.causal:
            needed = "goes only with `causal=true`"
            raise OperatorError(BadArgument(self.name, "window", str(self.window), needed), argument("window"))
        refuse_unless_equal(self.name, given, (Q, K), -2, "slide a window over queries and keys of shape", "their lengths (axis -2)")

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """Two matrix products and, as softmax counts, three operations for each score."""
        return 2 * self.multiply_adds(given, results) + 3 * numel(self.scores(given))

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """All scores count, hidden ones too."""
        return numel(self.scores(given)) * (given[Q].shape[-1] + given[V].shape[-1])
