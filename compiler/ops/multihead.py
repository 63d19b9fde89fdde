"""Multi-head attention with its projections, as torch.nn.MultiheadAttention has it."""

from __future__ import annotations

from functools import reduce
from math import sqrt

from ..dims import Dim, suggest_divisibility
from ..errors.argument_errors import WrongTensors
from ..errors.attention import MaskType
from ..errors.operator_errors import BadArgument, NotDivisible, UnprovableMultiple, WrongRank
from ..errors.problem import STAGE, argument_location
from ..types.tensor_types import BOOL, FLOAT32, DType, Shape, TensorType, promote_types, show_shape
from .attention import ALIGNMENT, CausalOperator, require_mask_shape
from .element_types import FLOATS, MASKS
from .initializers import INIT
from .kinds import COUNT, FLAG, FRACTION
from .learned_tensors import fan_in_uniform, normal_init
from .operand import Input, axes
from .operator import Arg, Init, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import WithBias
from .recurrent import require_sequence
from .requirements import count_of, require_same_size

SEQUENCE = axes("... L features", "[N, length, features]", most=3)
KEYS = axes("... S keys", SEQUENCE.needed, most=3)
VALUES = axes("... S values", SEQUENCE.needed, most=3)


class MultiheadAttention(CausalOperator, WithBias):
    """Attention of several heads, each on a learned projection of queries, keys and values, and a projection of their joined results.

    Takes `[N, L, features]`, or one sample without `N`: one tensor attends to itself; of two, the first (the queries) attends to the
    second; three are queries, keys and values. A fourth, or a bool one in the last position, is a mask as PyTorch's module takes it, `[L,
    S]` or `[N * heads, L, S]`. A fifth, or with `key_padding_mask=true` the last, is a mask of the keys, `[N, S]`. Better, give them by
    name: `attn_mask=mask key_padding_mask=padding`. Bool masks are true where a query may *not* see a key (`attention` has it the other
    way round); others are added to the scores. `causal` and `align` are as in `attention`. All queries see the learned key and
    value of `add_bias_kv` and the zeros of `add_zero_attn`. The weights of the keys for each query, `[N, L, S]`, or `[N, heads, L, S]`
    without `average_attn_weights`, are a second result. `out_init` is the initializer of the last projection alone.
    """

    name = "multihead_attention"
    drawn = "`init=xavier_uniform` for queries, keys and values, `kaiming_uniform(a=sqrt(5))` for the last, `bias_init=zeros`"
    extras = True
    query = Input(FLOATS, SEQUENCE)
    key = Input(FLOATS, KEYS, like="query", optional=True)
    value = Input(FLOATS, VALUES, like="query", optional=True)
    attn_mask = Input(MASKS, axes("... L S"), optional=True)
    padding = Input(MASKS, axes("... S"), optional=True, alias="key_padding_mask")
    heads = Arg(COUNT, positional=True, alias="num_heads")
    bias = Arg(FLAG, default=True)
    dropout = Arg(FRACTION, default=0.0)
    causal = Arg(FLAG, default=False, alias="is_causal")
    align = Arg(ALIGNMENT, default=None, only_with=("causal",))
    key_padding_mask = Arg(FLAG, default=False)
    add_bias_kv = Arg(FLAG, default=False)
    add_zero_attn = Arg(FLAG, default=False)
    average_attn_weights = Arg(FLAG, default=True)
    out_init = Arg(INIT, default=None, last=True)
    examples = (
        "input [T, 16] -> multihead_attention 4",
        "x = input [T, 16]; context = input [S, 12]; (x, context) -> multihead_attention 2",
        "x = input [T, 16]; padding = input [T] bool; x -> multihead_attention 4 key_padding_mask=padding",
    )

    def assign_in_order(self, types: tuple[TensorType, ...]) -> tuple[str, ...]:
        """Assign inputs without names. Their number, their element types and `key_padding_mask` decide which of them are masks."""
        # Five inputs are all five. With fewer, only the argument can tell a mask of keys from a mask of scores.
        padded = self.key_padding_mask or len(types) == 5
        rest = len(types) - padded
        masked = rest == 4 or (rest > 1 and types[rest - 1].dtype == BOOL)
        tensors = ("query", "key", "value")[: rest - masked]
        return (*tensors, *("attn_mask",) * masked, *("padding",) * padded)

    @staticmethod
    def key_input(inputs: OpInputs) -> str:
        """Return the name of the input with the keys."""
        return "key" if "key" in inputs else "query"

    @staticmethod
    def value_input(inputs: OpInputs) -> str:
        """Return the name of the input with the values."""
        return "value" if "value" in inputs else MultiheadAttention.key_input(inputs)

    @staticmethod
    def mask_inputs(inputs: OpInputs) -> list[str]:
        """Return the names of the inputs that are masks."""
        return [name for name in ("attn_mask", "padding") if name in inputs]

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # The flag says that the last input is the mask, and there is only one input.
        if self.key_padding_mask and len(inputs) == 1:
            hint = f"pass it `(x, padding) -> {self.name} ...`"
            raise OperatorError(WrongTensors(self.name, "2 to 5 tensors with `key_padding_mask`", 1, hint), STAGE)
        self._refuse_sequences(inputs)
        self._refuse_heads(inputs)
        self._refuse_masks(inputs)
        self.require_alignment(inputs, "query", self.key_input(inputs))
        query = inputs.query
        heads = () if self.average_attn_weights else (self.heads,)
        return query, query.with_shape((*query.shape[:-2], *heads, query.shape[-2], self.count_keys(inputs)))

    def count_keys(self, inputs: OpInputs) -> Dim:
        """Count the keys, including added keys."""
        return inputs[self.key_input(inputs)].shape[-2] + self.added

    @property
    def added(self) -> int:
        """The number of added keys, which all queries see."""
        return self.add_bias_kv + self.add_zero_attn

    def _refuse_sequences(self, inputs: OpInputs) -> None:
        tensors = [name for name in ("query", "key", "value") if name in inputs]
        for name in tensors:
            require_sequence(self.name, inputs, name, SEQUENCE.needed)
            if inputs[name].rank != inputs.query.rank:
                needed = f"{SEQUENCE.needed}, with a batch axis in all of them or in none"
                raise OperatorError(WrongRank(self.name, needed, inputs[name]), inputs.at(name))
        if inputs.query.rank == 3:
            for name in tensors[1:]:
                require_same_size(self.name, inputs, ("query", name), 0, "match queries and keys of shape", "their batches")
        if "value" in inputs:
            require_same_size(self.name, inputs, ("key", "value"), -2, "pair keys and values of shape", "their lengths (axis -2)")

    def _refuse_heads(self, inputs: OpInputs) -> None:
        features = inputs.query.shape[-1]
        divides = inputs.facts.divides(self.heads, features)
        if divides is False:
            heads, what = count_of(self.heads, "head"), count_of(features, "feature")
            problem = NotDivisible(self.name, heads, what, divided=(features,), number=self.heads)
            raise OperatorError(problem, argument_location("heads"))
        if divides is None:
            raise OperatorError(
                UnprovableMultiple(self.name, self.heads, features, suggest_divisibility(self.heads, features)), argument_location("heads")
            )

    def _refuse_masks(self, inputs: OpInputs) -> None:
        query, masks, (*batch, keys, _) = inputs.query, self.mask_inputs(inputs), inputs[self.key_input(inputs)].shape
        # PyTorch takes a float32 mask next to queries of any float type, but no other mix of float types.
        if masks and self._mask_dtype(inputs) not in (FLOAT32, query.dtype):
            raise OperatorError(MaskType(self.name, f"bool or {query.dtype}", inputs[masks[-1]]), inputs.at(masks[-1]))
        if "attn_mask" in inputs:
            self._refuse_mask(inputs, keys)
        if "padding" in inputs:
            wanted: Shape = (*batch, keys)
            fits = inputs.padding.rank == len(wanted)
            require_mask_shape(self.name, inputs, "padding", wanted if fits else None, f"the keys, of shape {show_shape(wanted)}")

    def _mask_dtype(self, inputs: OpInputs) -> DType:
        """Return the element type of the sum of all masks. Causal and bool masks have the type of the queries."""
        query = inputs.query.dtype
        types = [query if inputs[name].dtype == BOOL else inputs[name].dtype for name in self.mask_inputs(inputs)]
        return reduce(promote_types, [query, *types] if self.causal else types)

    def _refuse_mask(self, inputs: OpInputs, keys: Dim) -> None:
        if self.causal:
            advice = "omit one of the two, or combine them in the mask"
            raise OperatorError(
                BadArgument(self.name, "causal", "true", "cannot be combined with a mask", advice), argument_location("causal")
            )
        *batch, length, _ = inputs.query.shape
        each: Shape = (length, keys)
        # PyTorch's mask of three axes has one matrix for each head of each sample, joined in one axis.
        for_each_head: Shape = (numel(tuple(batch)) * self.heads, *each)
        wanted = {2: each, 3: for_each_head}.get(inputs.attn_mask.rank)
        require_mask_shape(self.name, inputs, "attn_mask", wanted, f"shape {show_shape(each)} or {show_shape(for_each_head)}")

    def feature_sizes(self, inputs: OpInputs) -> tuple[Dim, Dim, Dim]:
        """Return the numbers of features of queries, keys and values."""
        return inputs.query.shape[-1], inputs[self.key_input(inputs)].shape[-1], inputs[self.value_input(inputs)].shape[-1]

    def is_joint(self, inputs: OpInputs) -> bool:
        """Whether the three projections are one matrix, as in PyTorch if all have the same number of features."""
        features, keys, values = self.feature_sizes(inputs)
        return features == keys == values

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        features, keys, values = self.feature_sizes(inputs)
        dtype, xavier, zeros = inputs.query.dtype, Init("xavier_uniform", (1.0,)), Init("zeros")
        widths = {"q": features, "k": keys, "v": values}
        if self.is_joint(inputs):
            specs = [ParameterSpec("in_proj_weight", (3 * features, features), xavier, dtype, role="weight")]
        else:
            specs = [
                ParameterSpec(f"{part}_proj_weight", (features, width), xavier, dtype, role="weight") for part, width in widths.items()
            ]
        if self.bias:
            specs.append(ParameterSpec("in_proj_bias", (3 * features,), zeros, dtype, role="bias"))
        if self.add_bias_kv:
            specs += (ParameterSpec(f"bias_{part}", (1, 1, features), _xavier_normal(features), dtype) for part in "kv")
        # PyTorch's module draws the input projections itself; the last one is an nn.Linear, which draws its weight its own way.
        specs.append(ParameterSpec("out_proj.weight", (features, features), fan_in_uniform(features), dtype, role="out"))
        if self.bias:
            specs.append(ParameterSpec("out_proj.bias", (features,), zeros, dtype, role="bias"))
        return tuple(specs)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products, the biases of the four projections, and three operations for each score."""
        *batch, length, features = inputs.query.shape
        # Queries and results have the queries' length, keys and values the keys' length: two projections of each.
        biases = 2 * features * (length + inputs[self.key_input(inputs)].shape[-2]) if self.bias else 0
        scores = length * self.count_keys(inputs) * self.heads
        return 2 * self.count_multiply_adds(inputs, results) + numel(tuple(batch)) * (biases + 3 * scores)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The four projections, and two matrix products for each head."""
        *batch, length, features = inputs.query.shape
        _, keys, values = self.feature_sizes(inputs)
        projections = 2 * length * features + inputs[self.key_input(inputs)].shape[-2] * (keys + values)
        return numel(tuple(batch)) * features * (projections + 2 * length * self.count_keys(inputs))


def _xavier_normal(features: Dim) -> Init:
    """Return torch.nn.init.xavier_normal_ for `[1, 1, features]`, where both fans are the number of features."""
    return normal_init(1 / sqrt(features) if isinstance(features, int) else 0.0)
