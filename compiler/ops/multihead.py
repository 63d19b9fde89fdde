"""Multi-head attention with its projections, as torch.nn.MultiheadAttention has it."""

from __future__ import annotations

from netc.dsl.record import Record

from ..dims import Dim, advice_divides, show
from ..errors.attention import MaskType
from ..errors.base import argument, input_
from ..errors.operators import BadArgument, NotDivisible, UnprovableMultiple, WrongRank
from ..types import BOOL as BOOL_TYPE
from ..types import FLOAT32, Shape, TensorType, show_shape
from .attention import refuse_unless_equal, refuse_unless_mask
from .base import Arg, Given, Init, Operator, ParameterSpec, Refusal
from .kinds import BOOL, COUNT, FRACTION
from .learned import fan_in_uniform
from .linear_algebra import refuse_unless_alike
from .pointwise import FLOATS, refuse_unless


class Roles(Record):
    """Which input is what: numbers of inputs, `mask` None if there is none."""

    query: int
    key: int
    value: int
    mask: int | None


class MultiheadAttention(Operator):
    """Attention of several heads, each on a learned projection of queries, keys and values, and a projection of what they find together.

    Takes `[N, L, features]`: one tensor attends to itself; of two, the first (the queries) attends to the second; three are queries, keys
    and values. A fourth, or a bool one in the last place, is a mask as PyTorch's module takes it, `[L, S]` or `[N * heads, L, S]`: a bool
    mask is true where a query may *not* see a key (`attention` has it the other way round), any other is added to the scores.
    """

    name = "multihead_attention"
    torch = "torch.nn.MultiheadAttention"
    onnx = "MatMul and Attention"
    inputs = ("query", "key?", "value?", "mask?")
    heads = Arg(COUNT, positional=True)
    bias = Arg(BOOL, default=True)
    dropout = Arg(FRACTION, default=0.0)
    causal = Arg(BOOL, default=False)
    examples = (
        "input [T, 16] -> multihead_attention 4",
        "x = input [T, 16]; context = input [S, 12]; (x, context) -> multihead_attention 2",
    )

    def roles(self, given: Given) -> Roles:
        """Which input is what."""
        count = len(given)
        masked = count == 4 or (count > 1 and given[count - 1].dtype == BOOL_TYPE)
        tensors = count - masked
        mask = count - 1 if masked else None
        return Roles(0, min(1, tensors - 1), tensors - 1, mask)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        roles = self.roles(given)
        for index in range(roles.value + 1):
            refuse_unless(self.name, given[index], FLOATS, index)
            if given[index].rank != 3:
                raise Refusal(WrongRank(self.name, "[N, length, features]", given[index]), input_(index))
        refuse_unless_alike(self.name, given, tuple(range(1, roles.value + 1)))
        for index in {roles.key, roles.value} - {0}:
            refuse_unless_equal(self.name, given, (0, index), 0, "match queries and keys of shape", "their batches")
        if roles.value != roles.key:
            refuse_unless_equal(self.name, given, (roles.key, roles.value), 1, "pair keys and values of shape", "their lengths (axis 1)")
        self._refuse_heads(given)
        if roles.mask is not None:
            self._refuse_mask(given, roles.mask, given[roles.key].shape[1])
        return (given[0],)

    def _refuse_heads(self, given: Given) -> None:
        features = given[0].shape[-1]
        divides = given.facts.divides(self.heads, features)
        if divides is False:
            heads = "1 head" if self.heads == 1 else f"{self.heads} heads"
            raise Refusal(NotDivisible(self.name, heads, f"{show(features)} features"), argument("heads"))
        if divides is None:
            raise Refusal(UnprovableMultiple(self.name, self.heads, features, advice_divides(self.heads, features)), argument("heads"))

    def _refuse_mask(self, given: Given, index: int, keys: Dim) -> None:
        mask, x = given[index], given[0]
        if self.causal:
            advice = "let the mask say it all, or leave it out"
            raise Refusal(BadArgument(self.name, "causal", "true", "goes only without a mask", advice), argument("causal"))
        if mask.dtype not in (BOOL_TYPE, FLOAT32, x.dtype):
            raise Refusal(MaskType(self.name, f"bool or {x.dtype}", mask), input_(index))
        each: Shape = (x.shape[1], keys)
        whole: Shape = (x.shape[0] * self.heads, *each)
        wanted = {2: each, 3: whole}.get(mask.rank)
        refuse_unless_mask(self.name, given, index, wanted, f"shape {show_shape(each)} or {show_shape(whole)}")

    def sizes(self, given: Given) -> tuple[Dim, Dim, Dim]:
        """The features of queries, keys and values."""
        roles = self.roles(given)
        return given[0].shape[-1], given[roles.key].shape[-1], given[roles.value].shape[-1]

    def joint(self, given: Given) -> bool:
        """Whether the three projections are one matrix: they are if all have the same number of features."""
        features, keys, values = self.sizes(given)
        return features == keys == values

    def parameters(self, given: Given) -> tuple[ParameterSpec, ...]:
        features, keys, values = self.sizes(given)
        dtype, xavier, zeros = given[0].dtype, Init("xavier_uniform"), Init("zeros")
        widths = {"q": features, "k": keys, "v": values}
        if self.joint(given):
            specs = [ParameterSpec("in_proj_weight", (3 * features, features), xavier, dtype)]
        else:
            specs = [ParameterSpec(f"{part}_proj_weight", (features, width), xavier, dtype) for part, width in widths.items()]
        if self.bias:
            specs.append(ParameterSpec("in_proj_bias", (3 * features,), zeros, dtype))
        specs.append(ParameterSpec("out_proj.weight", (features, features), fan_in_uniform(features), dtype))
        if self.bias:
            specs.append(ParameterSpec("out_proj.bias", (features,), zeros, dtype))
        return tuple(specs)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        """The products, the biases of the four projections, and three operations for each score."""
        batch, length, features = given[0].shape
        span = self._span(given)
        biases = 2 * features * (length + span) if self.bias else 0
        return 2 * self.multiply_adds(given, results) + batch * (biases + length * span * 3 * self.heads)

    def multiply_adds(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        """The four projections, and two matrix products for each head."""
        batch, length, features = given[0].shape
        span = self._span(given)
        _, keys, values = self.sizes(given)
        return batch * features * (2 * length * features + span * (keys + values) + 2 * length * span)

    def _span(self, given: Given) -> Dim:
        """How many keys there are."""
        return given[self.roles(given).key].shape[1]
