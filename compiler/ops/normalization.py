"""Normalization by statistics of the batch, of groups of channels, of each channel, of neighboring channels, or of the last axes."""

from __future__ import annotations

from ..dims import Dim, suggest_divisibility, suggest_equality
from ..errors.normalization import MomentumOfOld, UnprovableShape
from ..errors.operator_errors import BadArgument, NotDivisible, UnprovableMultiple, WrongSize
from ..errors.problem import Location, Problem, argument_location, input_location
from ..types.tensor_types import FLOAT32, INT64, Shape, TensorType, show_shape
from .axes import normalize_axis
from .element_types import FLOATS, LONGS
from .initializers import INIT
from .kinds import AXIS, COUNT, FLAG, NUMBER, SIZE, Kind, ListKind, NumberKind
from .learned_tensors import scale_and_shift
from .operand import SOME_AXES, SPATIAL, Input, axes
from .operator import Arg, Init, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import Parametric, WithBias
from .requirements import count_of
from .scalars import require_exact_scalar

EPS = NumberKind(0)
POSITIVE = NumberKind(above=0)


class MomentumKind(Kind["int | float | str"]):
    """The weight of new statistics in the running statistics. `none`: the running statistics are the mean of all."""

    varies = True
    words = ("none",)

    def describe_values(self) -> str:
        return "a number, or `none`"

    def convert_value(self, value: object) -> int | float | str:
        return "none" if value == "none" else NUMBER.convert_value(value)


class _Normalization(Parametric):
    """The base of normalizations with a learned scale and shift. `steps` counts the operations for each element without these two."""

    takes_activation = True
    pointwise = True
    steps = 5
    drawn = "`init=ones`, and `bias_init=zeros` where there is a bias"

    init = Arg(INIT, default=None, last=True, only_with=("affine",))

    def find_scales(self, inputs: OpInputs) -> tuple[bool, bool]:
        """Whether there is a weight, and whether there is a bias as well."""
        raise NotImplementedError

    def _check_known(self, inputs: OpInputs, axis: int) -> None:
        """Refuse a symbolic size that PyTorch's module needs as a number. With parameters, their shape is refused instead."""
        x = inputs.x
        if not isinstance(x.shape[axis], int) and not self.find_scales(inputs)[0]:
            needed = f"the size of axis {axis} to be known before run time"
            raise OperatorError(WrongSize(self.name, needed, x, "declare the size as a number, or fix it with `--dim`"), input_location(0))

    def _check_enough(self, inputs: OpInputs, count: Dim, what: str) -> None:
        """Refuse statistics of a single value, which has no variance."""
        if inputs.facts.are_equal(count, 1) is True:
            raise OperatorError(WrongSize(self.name, f"more than one value for each {what}", inputs.x), input_location(0))

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        scale, shift = self.find_scales(inputs)
        return numel(inputs.x.shape) * (self.steps + scale + (scale and shift))


class _ChannelNormalization(_Normalization, WithBias):
    """The base of normalizations whose parameters have one number for each channel."""

    as_tensors = ("weight", "bias")

    def find_scales(self, inputs: OpInputs) -> tuple[bool, bool]:
        return self.affine, self.has_bias(inputs)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        return scale_and_shift((x.shape[1],), x.dtype, scale=self.affine, shift=self.bias)

    eps = Arg(EPS, default=1e-5)
    affine = Arg(FLAG, default=True)
    bias = Arg(FLAG, default=True)
    bias_init = Arg(INIT, default=None, last=True, only_with=("affine", "bias"))


class _TrackingNormalization(_ChannelNormalization):
    """The base of normalizations that may keep running statistics in training and use them in inference."""

    track_running_stats = Arg(FLAG, default=True)
    momentum: int | float | str | Arg[int | float | str]

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        """Warn about a `momentum` from Keras or TensorFlow, where it is the weight of the old statistics; in PyTorch, it is the weight of
        the new."""
        momentum = self.momentum
        # Keras' default is 0.99 and PyTorch's 0.1: above 0.5 the old statistics were most likely meant. 1 means "the last batch" here.
        if isinstance(momentum, (int, float)) and 0.5 < momentum < 1:
            return ((MomentumOfOld(self.name, momentum), argument_location("momentum")),)
        return ()

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        specs = super().default_parameters(inputs)
        if not self.track_running_stats:
            return specs
        x = inputs.x
        return (
            *specs,
            ParameterSpec("running_mean", (x.shape[1],), Init("zeros"), x.dtype, trainable=False),
            ParameterSpec("running_var", (x.shape[1],), Init("ones"), x.dtype, trainable=False),
            # PyTorch's state dicts have this counter, so published weights load by name.
            ParameterSpec("num_batches_tracked", (), Init("zeros"), INT64, trainable=False),
        )

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        # In evaluation, the running statistics take the place of a mean and a variance over the batch.
        saved = 3 if self.track_running_stats else 0
        return super().count_flops(inputs, results) - saved * numel(inputs.x.shape)


class BatchNorm(_TrackingNormalization):
    """Normalizes each channel by its mean and deviation over the batch; in inference, by running statistics from training.

    The running statistics are a moving average, with `momentum` as the weight of new statistics. With `momentum=none`, they are the mean of
    all.
    """

    name = "batch_norm"
    x = Input(FLOATS, axes("N C ...", "[N, C], or [N, C, ...] with one to three axes more", most=5))
    # Unlike the other normalizations, PyTorch's batch_norm refuses an `eps` of 0 in training.
    eps = Arg(POSITIVE, default=1e-5)
    momentum = Arg(MomentumKind(), default=0.1, only_with=("track_running_stats",))
    examples = ("input 3x32x32 -> conv 8 3x3 bias=false -> batch_norm relu", "input 64 -> batch_norm")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        self._check_known(inputs, 1)
        if not self.track_running_stats:
            # With running statistics, evaluation computes no variance, so one value is enough there.
            self._check_enough(inputs, x.shape[0] * numel(x.shape[2:]), "channel")
        return (x,)


class Standardize(Operator):
    """Subtracts the mean of each feature and divides by its deviation, as measured on the training data.

    `netc train` measures both on the training samples before the first step, and keeps them in the weights as the buffers `mean` and `std`.
    Until then they are 0 and 1. The features are along `axis`, by default 1; an input `[N]` is one feature.
    """

    name = "standardize"
    pointwise = True
    x = Input(FLOATS, axes("N ...", "[N] or [N, ...]"))
    axis = Arg(AXIS, default=None)
    examples = ("input 4 -> standardize", "input 3x32x32 -> standardize", "input [T, 8] -> standardize axis=-1", "input [] -> standardize")

    def feature_axis(self, x: TensorType) -> int:
        """Return the axis of the features, counted from the front; 0 if there is one feature."""
        return min(1, x.rank - 1) if self.axis is None else normalize_axis(self.name, self.axis, x)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        self._check_axis(inputs)
        return (inputs.x,)

    def _check_axis(self, inputs: OpInputs) -> None:
        if self.axis is not None and self.feature_axis(inputs.x) == 0:
            raise OperatorError(BadArgument(self.name, "axis", str(self.axis), "must be after the batch"), argument_location("axis"))

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        axis = self.feature_axis(inputs.x)
        shape = inputs.x.shape[axis : axis + 1] if axis else ()
        dtype = inputs.x.dtype
        return (
            ParameterSpec("mean", shape, Init("zeros"), dtype, trainable=False),
            ParameterSpec("std", shape, Init("ones"), dtype, trainable=False),
        )

    def write_definition(self, inputs: OpInputs) -> str:
        trailing = inputs.x.rank - 1 - self.feature_axis(inputs.x)
        if not trailing:
            return "(x - mean) / std"
        return f"let sizes = [-1] + [1] * {trailing}\n(x - (mean -> reshape sizes)) / (std -> reshape sizes)"


class InstanceNorm(_TrackingNormalization):
    """Normalizes each channel of each sample by its mean and deviation over the spatial axes."""

    name = "instance_norm"
    x = Input(FLOATS, SPATIAL)
    affine = Arg(FLAG, default=False)
    momentum = Arg(NUMBER, default=0.1, only_with=("track_running_stats",))
    track_running_stats = Arg(FLAG, default=False)
    examples = ("input 8x32x32 -> instance_norm relu",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        self._check_known(inputs, 1)
        if not self.track_running_stats:
            self._check_enough(inputs, numel(x.shape[2:]), "channel")
        return (x,)


class GroupNorm(_ChannelNormalization):
    """Normalizes each group of channels of each sample by its mean and deviation."""

    name = "group_norm"
    definition = """
        grouped = x -> reshape [x.shape[0], groups, -1]
        centered = grouped - (grouped -> mean axis=-1 keepdim=true)
        y = centered / sqrt((centered * centered -> mean axis=-1 keepdim=true) + eps) -> reshape x.shape
        let per_channel = [x.shape[1]] + [1] * (x.rank - 2)
        scaled = if given(weight) { y * (weight -> reshape per_channel) } else { y }
        if given(bias) { scaled + (bias -> reshape per_channel) } else { scaled }
    """
    x = Input(FLOATS, axes("N C ...", "[N, C] or [N, C, ...]"))
    groups = Arg(COUNT, positional=True)
    examples = ("input 8x32x32 -> group_norm 4 silu",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        self._check_known(inputs, 1)
        channels = x.shape[1]
        divided = inputs.facts.divides(self.groups, channels)
        if divided is False:
            what = count_of(channels, "channel")
            wrong = NotDivisible(self.name, f"{self.groups} groups", what, divided=(channels,), number=self.groups)
            raise OperatorError(wrong, argument_location("groups"))
        if divided is None:
            problem = UnprovableMultiple(self.name, self.groups, channels, suggest_divisibility(self.groups, channels))
            raise OperatorError(problem, argument_location("groups"))
        # PyTorch counts the samples too.
        self._check_enough(inputs, numel(x.shape) // self.groups, "group")
        return (x,)


class _LastAxesNormalization(_Normalization):
    """The base of normalizations over the last axes: the last one, unless `shape` gives the sizes of several."""

    x = Input(FLOATS, SOME_AXES)
    shape = Arg(ListKind(SIZE, scalar=True, least=1), default=None)
    affine = Arg(FLAG, default=True, alias="elementwise_affine")

    def normalized_shape(self, x: TensorType) -> Shape:
        """The sizes of the axes that are normalized together, PyTorch's `normalized_shape`."""
        return x.shape[-1:] if self.shape is None else x.shape[-len(self.shape) :]

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if self.shape is not None:
            self._check_shape(inputs, self.shape)
        for axis in range(x.rank - len(self.normalized_shape(x)), x.rank):
            self._check_known(inputs, axis)
        return (x,)

    def _check_shape(self, inputs: OpInputs, shape: Shape) -> None:
        x = inputs.x
        wrong = OperatorError(
            BadArgument(self.name, "shape", show_shape(shape), f"must be the last axes of {x}"), argument_location("shape")
        )
        if len(shape) > x.rank:
            raise wrong
        for size, stated in zip(self.normalized_shape(x), shape, strict=True):
            equal = inputs.facts.are_equal(size, stated)
            if equal is False:
                raise wrong
            if equal is None:
                need = "`shape` must be the sizes of the last axes"
                raise OperatorError(
                    UnprovableShape(self.name, size, stated, need, suggest_equality(size, stated) or ""), argument_location("shape")
                )


class LayerNorm(_LastAxesNormalization, WithBias):
    """Normalizes the last axis (or axes) by its mean and deviation."""

    as_tensors = ("weight", "bias")

    name = "layer_norm"
    definition = """
        let axes = [axis for axis in -(len(shape) if given(shape) else 1)..0]
        centered = x - (x -> mean axis=axes keepdim=true)
        y = centered / sqrt((centered * centered -> mean axis=axes keepdim=true) + eps)
        scaled = if given(weight) { y * weight } else { y }
        if given(bias) { scaled + bias } else { scaled }
    """
    eps = Arg(EPS, default=1e-5)
    bias = Arg(FLAG, default=True)
    bias_init = Arg(INIT, default=None, last=True, only_with=("affine", "bias"))
    examples = ("input [T, 512] -> layer_norm", "input 3x8x8 -> layer_norm shape=[3, 8, 8] affine=false")

    def find_scales(self, inputs: OpInputs) -> tuple[bool, bool]:
        return self.affine, self.has_bias(inputs)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        return scale_and_shift(self.normalized_shape(x), x.dtype, scale=self.affine, shift=self.bias)


class RMSNorm(_LastAxesNormalization):
    """Divides the last axis (or axes) by the root of its mean square.

    `eps` is the machine epsilon of float32 (of float64 for that) unless given.
    """

    as_tensors = ("weight",)

    name = "rms_norm"
    definition = """
        let axes = [axis for axis in -(len(shape) if given(shape) else 1)..0]
        let least = eps if given(eps) else 2.0 ** -52 if x.dtype == float64 else 2.0 ** -23
        y = x / sqrt((x * x -> mean axis=axes keepdim=true) + least)
        if given(weight) { y * weight } else { y }
    """
    steps = 3
    eps = Arg(EPS, default=None)
    examples = ("input [T, 512] -> rms_norm eps=1e-6",)

    def find_scales(self, inputs: OpInputs) -> tuple[bool, bool]:
        return self.affine, False

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        return scale_and_shift(self.normalized_shape(x), x.dtype, scale=self.affine, shift=False)


class LocalResponseNorm(Operator):
    """Divides each element by `(k + alpha * mean square of size neighboring channels) ** beta`; float32 for int64.

    PyTorch takes int64 on the CPU only, and truncates its mean squares.
    """

    name = "local_response_norm"
    takes_activation = True
    pointwise = True
    x = Input(FLOATS | LONGS, axes("N C ...", "[N, C, ...] with at least one axis more", least=3))
    size = Arg(COUNT, positional=True)
    alpha = Arg(NUMBER, default=1e-4)
    beta = Arg(NUMBER, default=0.75)
    k = Arg(NUMBER, default=1.0)
    examples = ("input 96x27x27 -> local_response_norm 5",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        if x.dtype.is_integer and self.beta < 0 and all(isinstance(n, int) for n in (self.alpha, self.beta, self.k)):
            needed = "must be at least 0 if all numbers are integers, which have no negative powers"
            raise OperatorError(BadArgument(self.name, "beta", str(self.beta), needed), argument_location("beta"))
        if x.dtype.is_float:
            require_exact_scalar(self.name, x, self.beta, "beta")
        return (x if x.dtype.is_float else x.with_dtype(FLOAT32),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(inputs.x.shape) * (self.size + 5)


class SpectralNormalize(Operator):
    """Divides a weight by its greatest singular value, as a matrix with a row for each position of `axis`.

    Two vectors estimate it, as `u W v`. In training, each call first improves them by `n_power_iterations` steps. If the weight is a
    parameter of the same body, fifteen steps are taken before the first call, as in PyTorch's parametrization. For a computed weight, the
    vectors start at random, with a warning, and fit after training.
    """

    name = "spectral_normalize"
    weight = Input(FLOATS, axes("... n", "at least two axes", least=2))
    axis = Arg(AXIS, default=0, alias="dim")
    n_power_iterations = Arg(COUNT, default=1)
    eps = Arg(EPS, default=1e-12)
    examples = ("x = input 3; w = param [4, 3] init=normal as weight; x -> dense 4 weight=(spectral_normalize(w))",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        normalize_axis(self.name, self.axis, inputs.weight)
        return (inputs.weight,)

    def matrix_shape(self, weight: TensorType) -> tuple[Dim, Dim]:
        """Return the numbers of rows and columns of the matrix."""
        axis = normalize_axis(self.name, self.axis, weight)
        return weight.shape[axis], numel((*weight.shape[:axis], *weight.shape[axis + 1 :]))

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        names = zip(("_u", "_v"), self.matrix_shape(inputs.weight), strict=True)
        dtype = inputs.weight.dtype
        return tuple(ParameterSpec(name, (size,), _unit_vector_init(size), dtype, trainable=False, follows="") for name, size in names)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The products with the two vectors, and the quotient."""
        return 3 * numel(inputs.weight.shape) + 2 * self.matrix_shape(inputs.weight)[0]


def _unit_vector_init(size: Dim) -> Init:
    """Return the initializer for a vector of a length near 1."""
    return Init("normal", (size**-0.5 if isinstance(size, int) else 1.0, 0.0))
