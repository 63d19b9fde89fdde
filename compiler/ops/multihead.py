"""Multi-head attention with its projections, as torch.nn.MultiheadAttention has it."""

from __future__ import annotations

from functools import reduce
from math import sqrt

from netc.dsl.record import Record

from ..dims import Dim, advice_divides, show
from ..errors.attention import MaskType
from ..errors.base import STAGE, argument, input_
from ..errors.names import WrongTensors
from ..errors.operators import BadArgument, NotDivisible, UnprovableMultiple, WrongRank
from ..ir.types import BOOL as BOOL_TYPE
from ..ir.types import FLOAT32, DType, Shape, TensorType, promote, show_shape
from .attention import refuse_unless_equal, refuse_unless_mask
from .base import Arg, Init, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .kinds import BOOL, COUNT, FRACTION
from .learned import fan_in_uniform
from .linear_algebra import require_same_dtype
from .pointwise import FLOATS, require_dtype
from .recurrent import refuse_unless_sequence


class Roles(Record):
    """Which input is what: numbers of inputs, None for masks that are not there."""

    query: int
    key: int
    value: int
    mask: int | None
    padding: int | None

    @property
    def masks(self) -> tuple[int, ...]:
        """The masks that are there."""
        return tuple(index for index in (self.mask, self.padding) if index is not None)


class MultiheadAttention(Operator):
    """Attention of several heads, each on a learned projection of queries, keys and values, and a projection of what they find together.

    Takes `[N, L, features]`, or one sample without `N`: one tensor attends to itself; of two, the first (the queries) attends to the
    second; three are queries, keys and values. A fourth, or a bool one in the last place, is a mask as PyTorch's module takes it, `[L, S]`
    or `[N * heads, L, S]`. A fifth, or with `key_padding_mask` the last, is a mask of the keys, `[N, S]`. Bool masks are true where a query
    may *not* see a key (`attention` has it the other way round), others are added to the scores. All queries see the learned key and value
    of `add_bias_kv` and the zeros of `add_zero_attn`. The weights of the keys for each query, `[N, L, S]`, or `[N, heads, L, S]` without
    `average_attn_weights`, are a second result.
    """

    name = "multihead_attention"
    torch = "torch.nn.MultiheadAttention"
    onnx = "MatMul and Attention"
    inputs = ("query", "key?", "value?", "attn_mask?", "padding?")
    extras = True
    heads = Arg(COUNT, positional=True, alias="num_heads")
    bias = Arg(BOOL, default=True)
    dropout = Arg(FRACTION, default=0.0)
    causal = Arg(BOOL, default=False, alias="is_causal")
    key_padding_mask = Arg(BOOL, default=False)
    add_bias_kv = Arg(BOOL, default=False)
    add_zero_attn = Arg(BOOL, default=False)
    average_attn_weights = Arg(BOOL, default=True)
    examples = (
        "input [T, 16] -> multihead_attention 4",
        "x = input [T, 16]; context = input [S, 12]; (x, context) -> multihead_attention 2",
        "x = input [T, 16]; padding = input [T] bool; (x, padding) -> multihead_attention 4 key_padding_mask=true",
    )

    def roles(self, given: OpInputs) -> Roles:
        """Which input is what."""
        padded = self.key_padding_mask or len(given) == 5
        rest = len(given) - padded
        masked = rest == 4 or (rest > 1 and given[rest - 1].dtype == BOOL_TYPE)
        tensors = rest - masked
        return Roles(0, min(1, tensors - 1), tensors - 1, rest - 1 if masked else None, rest if padded else None)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        if self.key_padding_mask and len(given) == 1:
            hint = f"feed it `(x, padding) -> {self.name} ...`"
            raise OperatorError(WrongTensors(self.name, "2 to 5 tensors with `key_padding_mask`", 1, hint), STAGE)
        roles = self.roles(given)
        self._refuse_sequences(given, roles)
        self._refuse_heads(given)
        self._refuse_masks(given, roles)
        query = given[0]
        heads = () if self.average_attn_weights else (self.heads,)
        span = self.span(given)
        return query, query.with_shape((*query.shape[:-2], *heads, query.shape[-2], span))

    def span(self, given: OpInputs) -> Dim:
        """How many keys there are, those that are added counted."""
        return given[self.roles(given).key].shape[-2] + self.added

    @property
    def added(self) -> int:
        """How many keys are added, which all queries see."""
        return self.add_bias_kv + self.add_zero_attn

    def _refuse_sequences(self, given: OpInputs, roles: Roles) -> None:
        needed = "[N, length, features]"
        for index in range(roles.value + 1):
            require_dtype(self.name, given[index], FLOATS, index)
            refuse_unless_sequence(self.name, given, needed, index)
            if given[index].rank != given[0].rank:
                raise OperatorError(
                    WrongRank(self.name, f"{needed}, with a batch axis in all of them or in none", given[index]), input_(index)
                )
        require_same_dtype(self.name, given, tuple(range(1, roles.value + 1)))
        if given[0].rank == 3:
            for index in {roles.key, roles.value} - {0}:
                refuse_unless_equal(self.name, given, (0, index), 0, "match queries and keys of shape", "their batches")
        if roles.value != roles.key:
            refuse_unless_equal(self.name, given, (roles.key, roles.value), -2, "pair keys and values of shape", "their lengths (axis -2)")

    def _refuse_heads(self, given: OpInputs) -> None:
        features = given[0].shape[-1]
        divides = given.facts.divides(self.heads, features)
        if divides is False:
            heads = "1 head" if self.heads == 1 else f"{self.heads} heads"
            raise OperatorError(NotDivisible(self.name, heads, f"{show(features)} features"), argument("heads"))
        if divides is None:
            raise OperatorError(
                UnprovableMultiple(self.name, self.heads, features, advice_divides(self.heads, features)), argument("heads")
            )

    def _refuse_masks(self, given: OpInputs, roles: Roles) -> None:
        x, (*batch, keys, _) = given[0], given[roles.key].shape
        for index in roles.masks:
            if not (given[index].dtype.is_float or given[index].dtype == BOOL_TYPE):
                raise OperatorError(MaskType(self.name, f"bool or {x.dtype}", given[index]), input_(index))
        if roles.masks and self._total(given, roles) not in (FLOAT32, x.dtype):
            raise OperatorError(MaskType(self.name, f"bool or {x.dtype}", given[roles.masks[-1]]), input_(roles.masks[-1]))
        if roles.mask is not None:
            self._refuse_mask(given, roles.mask, keys)
        if roles.padding is not None:
            wanted: Shape = (*batch, keys)
            fits = given[roles.padding].rank == len(wanted)
            refuse_unless_mask(self.name, given, roles.padding, wanted if fits else None, f"the keys, of shape {show_shape(wanted)}")

    def _total(self, given: OpInputs, roles: Roles) -> DType:
        """The element type of all masks together: they are added up, the causal one and what is bool as queries are."""
        query = given[0].dtype
        types = [query if given[index].dtype == BOOL_TYPE else given[index].dtype for index in roles.masks]
        return reduce(promote, [query, *types] if self.causal else types)

    def _refuse_mask(self, given: OpInputs, index: int, keys: Dim) -> None:
        if self.causal:
            advice = "let the mask say it all, or leave it out"
            raise OperatorError(BadArgument(self.name, "causal", "true", "goes only without a mask", advice), argument("causal"))
        *batch, length, _ = given[0].shape
        each: Shape = (length, keys)
        whole: Shape = (numel(tuple(batch)) * self.heads, *each)
        wanted = {2: each, 3: whole}.get(given[index].rank)
        refuse_unless_mask(self.name, given, index, wanted, f"shape {show_shape(each)} or {show_shape(whole)}")

    def sizes(self, given: OpInputs) -> tuple[Dim, Dim, Dim]:
        """The features of queries, keys and values."""
        roles = self.roles(given)
        return given[0].shape[-1], given[roles.key].shape[-1], given[roles.value].shape[-1]

    def joint(self, given: OpInputs) -> bool:
        """Whether the three projections are one matrix: they are if all have the same number of features."""
        features, keys, values = self.sizes(given)
        return features == keys == values

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        features, keys, values = self.sizes(given)
        dtype, xavier, zeros = given[0].dtype, Init("xavier_uniform"), Init("zeros")
        widths = {"q": features, "k": keys, "v": values}
        if self.joint(given):
            specs = [ParameterSpec("in_proj_weight", (3 * features, features), xavier, dtype)]
        else:
            specs = [ParameterSpec(f"{part}_proj_weight", (features, width), xavier, dtype) for part, width in widths.items()]
        if self.bias:
            specs.append(ParameterSpec("in_proj_bias", (3 * features,), zeros, dtype))
        if self.add_bias_kv:
            specs += (ParameterSpec(f"bias_{part}", (1, 1, features), _xavier_normal(features), dtype) for part in "kv")
        specs.append(ParameterSpec("out_proj.weight", (features, features), fan_in_uniform(features), dtype))
        if self.bias:
            specs.append(ParameterSpec("out_proj.bias", (features,), zeros, dtype))
        return tuple(specs)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products, the biases of the four projections, and three operations for each score."""
        *batch, length, features = given[0].shape
        biases = 2 * features * (length + given[self.roles(given).key].shape[-2]) if self.bias else 0
        scores = length * self.span(given) * self.heads
        return 2 * self.multiply_adds(given, results) + numel(tuple(batch)) * (biases + 3 * scores)

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The four projections, and two matrix products for each head."""
        *batch, length, features = given[0].shape
        _, keys, values = self.sizes(given)
        projections = 2 * length * features + given[self.roles(given).key].shape[-2] * (keys + values)
        return numel(tuple(batch)) * features * (projections + 2 * length * self.span(given))


def _xavier_normal(features: Dim) -> Init:
    """As torch.nn.init.xavier_normal_ has it for `[1, 1, features]`, where fan in and fan out are the features."""
    return Init("normal", (1 / sqrt(features) if isinstance(features, int) else 0.0,))
