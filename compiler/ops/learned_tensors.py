"""Specifications of learned tensors and buffers, and the specifications that many layers share.

In: shapes and element types. Out: initializers and parameter specifications, equal to the parameters of PyTorch's modules.

    >>> from ..types.tensor_types import FLOAT32
    >>> [(spec.name, spec.shape, spec.init.kind) for spec in weight_and_bias((8, 3), 8, 3, FLOAT32, bias=True)]
    [('weight', (8, 3), 'uniform'), ('bias', (8,), 'uniform')]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any, Literal

from netc.dsl.record import Record, replace

from ..dims import Dim
from ..types.tensor_types import FLOAT32, DType, Shape
from ..types.traced_ints import TracedLeaf, TracedValue, leaves_in, origin_key, strip_formulas, substitute_values

Role = Literal["weight", "bias", "recurrent", "out", ""]
"""The role of a parameter decides which argument initializes it: `init`, `bias_init`, `recurrent_init`, `out_init`, or none."""


class Init(Record, TracedValue):
    """The initial value of a parameter: the name of an initializer, and the values of all its arguments (initializers.py); or `table`.

    `zero_row`: the row that stays zero, as the padding of torch.nn.Embedding.
    """

    kind: str
    values: tuple[float | str, ...] = ()
    zero_row: int | None = None

    def traced_leaves(self) -> Iterator[TracedLeaf]:
        return leaves_in(self.values)

    def substitute_values(self, places: Mapping[str, Any]) -> Init:
        return replace(self, values=substitute_values(self.values, places))

    def without_formula(self) -> Init:
        return replace(self, values=strip_formulas(self.values))

    def formula_key(self) -> object:
        return origin_key(self.values)


def normal_init(std: float) -> Init:
    """Return the initializer that draws from the normal distribution around 0."""
    return Init("normal", (std, 0.0))


class ParameterSpec(Record):
    """A learned tensor or buffer of one operator. `name` is its local name in PyTorch (`weight`). Empty: the label itself is the name.

    `stated`: the spec gives the initializer, so PyTorch's default does not apply. `follows`: the initial values are computed from another
    parameter. It is the label of that parameter in the same graph, or empty for the operator's first input. `init` applies if the input is
    not a parameter.
    """

    name: str
    shape: Shape
    init: Init
    dtype: DType = FLOAT32
    trainable: bool = True
    persistent: bool = True
    role: Role = ""
    stated: bool = False
    follows: str | None = None


def fan_in_uniform(fan_in: Dim) -> Init:
    """Return the initializer that draws uniformly within +-1/sqrt(fan_in). It equals torch.nn.init.kaiming_uniform_(a=sqrt(5)), PyTorch's
    default for matrices and kernels."""
    # Parameters of a symbolic size are refused later, with their shape: any bound will do.
    bound = 1 / sqrt(fan_in) if isinstance(fan_in, int) and fan_in > 0 else 0.0
    return Init("uniform", (-bound, bound))


def weight_and_bias(weight: Shape, units: Dim, fan_in: Dim, dtype: DType, bias: bool) -> tuple[ParameterSpec, ...]:
    """Return the parameters of a matrix or kernel with `units` results."""
    init = fan_in_uniform(fan_in)
    both = ParameterSpec("weight", weight, init, dtype, role="weight"), ParameterSpec("bias", (units,), init, dtype, role="bias")
    return both if bias else both[:1]


def scale_and_shift(shape: Shape, dtype: DType, *, scale: bool, shift: bool) -> tuple[ParameterSpec, ...]:
    """Return the parameters of a normalization. Their initial values are the identity."""
    specs: tuple[ParameterSpec, ...] = ()
    if scale:
        specs += (ParameterSpec("weight", shape, Init("ones"), dtype, role="weight"),)
    if scale and shift:
        specs += (ParameterSpec("bias", shape, Init("zeros"), dtype, role="bias"),)
    return specs
